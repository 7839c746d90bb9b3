"""The application in the card's ROM: files that arrive as data groupings and are then only read.

Two groupings are no files. `0070` says who reads what, three bytes a file: its identifier and 00 for
everyone or 01 for readers that have authenticated themselves; a file that is not named is read by nobody.
`8010` brings the keys with which they do. Without `0070` everyone reads everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sim.card.apdu import Command, StatusError
from sim.card.globalplatform.persistent import PERSONALIZED, Instance, Persistent, StoredFile
from sim.card.globalplatform.primitives import PaddingError, remove_padding
from sim.card.globalplatform.reader_access import PROTECTED, ReaderAccess
from sim.card.globalplatform.session import CardSession
from sim.card.tlv import tlv

_SECRETS = 0x8000
"""Identifiers from here on are secrets: they must arrive encrypted and are never read."""
_RULES, _ACCESS_KEYS = 0x0070, 0x8010
_EVERYONE, _AUTHENTICATED = 0x00, 0x01
_ACTIVATED, _INITIALISATION = 0x05, 0x03


class FileApplication:
    """The application `aid` while it is selected.

    The file of identifier 01xx has the short identifier that its last five bits are. Reading begins once the
    application is personalized; nobody writes by commands of its own.
    """

    def __init__(self, persistent: Persistent, aid: bytes, random: Callable[[int], bytes]) -> None:
        self._persistent = persistent
        self._aid = aid
        self._current: StoredFile | None = None
        stored = {file.tag: persistent.read(file) for file in self._instance.files if not _readable(file)}
        self._rules = _read_rules(stored[_RULES]) if _RULES in stored else None
        self._access = ReaderAccess(stored[_ACCESS_KEYS], random) if _ACCESS_KEYS in stored else None

    @property
    def _instance(self) -> Instance:
        instance = self._persistent.registry.find(self._aid)
        if instance is None:
            raise StatusError(0x6985)
        return instance

    def control_information(self, p2: int) -> bytes:
        """FCI or FCP template: name and life cycle (ISO/IEC 7816-4, 7.4)."""
        state = _ACTIVATED if self._instance.state & PERSONALIZED == PERSONALIZED else _INITIALISATION
        return tlv(0x62 if p2 == 0x04 else 0x6F, tlv(0x84, self._aid) + tlv(0x8A, bytes([state])))

    def exchange(self, command: Command) -> tuple[bytes, int]:
        """Data and status of a command, protected or not. A plain command ends a session (9303-11, 9.8.3)."""
        access = self._access
        if command.cla != PROTECTED or access is None:
            if access is not None:
                access.close()
            return self.process(command), 0x9000
        try:
            plain = access.unwrap(command)
        except StatusError:
            access.close()
            raise
        try:
            data, sw = self.process(plain), 0x9000
        except StatusError as error:
            data, sw = error.data, error.sw
        return access.wrap(data, sw), sw

    def process(self, command: Command) -> bytes:
        """SELECT by file identifier, READ BINARY, GET CHALLENGE, EXTERNAL AUTHENTICATE."""
        if command.cla:
            raise StatusError(0x6E00)
        if self._access is not None and command.ins == 0x84:
            return self._access.challenge(command)
        if self._access is not None and command.ins == 0x82:
            return self._access.authenticate(command)
        if command.ins == 0xA4:
            if command.p1 not in (0x00, 0x02):
                raise StatusError(0x6A86)
            if len(command.data) != 2:
                raise StatusError(0x6700)
            self._current = self._file(int.from_bytes(command.data, "big"))
            return b""
        if command.ins == 0xB0:
            return self._read(command)
        raise StatusError(0x6D00)

    def _file(self, tag: int) -> StoredFile:
        for file in self._instance.files:
            if file.tag == tag and _readable(file):
                return file
        raise StatusError(0x6A82)

    def _check(self, file: StoredFile) -> None:
        if self._rules is None:
            return
        rule = self._rules.get(file.tag)
        authenticated = self._access is not None and self._access.open
        if rule != _EVERYONE and not (rule == _AUTHENTICATED and authenticated):
            raise StatusError(0x6982)

    def _read(self, command: Command) -> bytes:
        instance = self._instance
        if instance.state & PERSONALIZED != PERSONALIZED:
            raise StatusError(0x6985)
        if command.data or not command.ne:
            raise StatusError(0x6700)
        offset = command.p1p2
        if command.p1 & 0x80:
            sfi, offset = command.p1 & 0x1F, command.p2
            readable = (file for file in instance.files if _readable(file) and file.tag & 0x1F == sfi)
            self._current = next(readable, None)
            if self._current is None:
                raise StatusError(0x6A82)
        if self._current is None:
            raise StatusError(0x6986)
        self._check(self._current)
        if offset > self._current.size:
            raise StatusError(0x6B00)
        data = self._persistent.read(self._current)[offset : offset + command.ne]
        if len(data) < command.ne and not command.all_available:
            raise StatusError(0x6282, data)
        return data


def _readable(file: StoredFile) -> bool:
    return file.tag < _SECRETS and file.tag != _RULES


def _read_rules(content: bytes) -> dict[int, int]:
    entries = (content[at : at + 3] for at in range(0, len(content), 3))
    return {int.from_bytes(entry[:2], "big"): entry[2] for entry in entries}


class Personalization:
    """Data groupings on their way to the application `aid` (11.11; EMV CPS 1.1, clause 2.2).

    Contents go to the heap as they arrive; the registry names them, and the application is personalized, with
    the last block. Until then a loss of power leaves the application as it was installed.
    """

    def __init__(self, persistent: Persistent, aid: bytes) -> None:
        self.aid = aid
        self._persistent = persistent
        self._block = 0
        self._rest = b""
        self._encrypted = False
        self._files: dict[int, StoredFile] = {}

    def store(self, command: Command, session: CardSession) -> bool:
        """One STORE DATA; whether it was the last."""
        if command.p1 & 0x18 != 0x08 or command.p1 & 0x60 not in (0x00, 0x60):
            raise StatusError(0x6A86)
        if command.p2 != self._block:
            raise StatusError(0x6A80)
        encrypted = bool(command.p1 & 0x60)
        if self._rest and encrypted != self._encrypted:
            raise StatusError(0x6A80)
        self._block, self._encrypted = self._block + 1, encrypted
        self._rest += command.data
        while (group := self._next_group()) is not None:
            tag, value = group
            self._keep(tag, self._reveal(value, session) if encrypted else value)
        last = bool(command.p1 & 0x80)
        if last:
            self._finish()
        return last

    def _next_group(self) -> tuple[int, bytes] | None:
        rest = self._rest
        if len(rest) < 3:
            return None
        head, size = (3, rest[2]) if rest[2] != 0xFF else (5, int.from_bytes(rest[3:5], "big"))
        if len(rest) < head or len(rest) < head + size:
            return None
        self._rest = rest[head + size :]
        return int.from_bytes(rest[:2], "big"), rest[head : head + size]

    @staticmethod
    def _reveal(value: bytes, session: CardSession) -> bytes:
        try:
            return remove_padding(session.decrypt_sensitive(value))
        except (ValueError, PaddingError):
            raise StatusError(0x6A80) from None

    def _keep(self, tag: int, value: bytes) -> None:
        if tag >= _SECRETS and not self._encrypted:
            raise StatusError(0x6A80)
        if (tag == _RULES and len(value) % 3) or (tag == _ACCESS_KEYS and len(value) != 32):
            raise StatusError(0x6A80)
        self._files.pop(tag, None)
        at = self._persistent.store(value, tuple(self._files.values()))
        self._files[tag] = StoredFile(tag, at, len(value))

    def _finish(self) -> None:
        instance = self._persistent.registry.find(self.aid)
        if self._rest or instance is None:
            raise StatusError(0x6A80)
        done = replace(instance, state=PERSONALIZED, files=tuple(self._files.values()))
        self._persistent.commit(self._persistent.registry.with_instance(done))
