"""The issuer security domain: the commands that manage the card (GlobalPlatform 2.3.1, clause 11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sim.card.apdu import Command, StatusError
from sim.card.globalplatform import primitives
from sim.card.globalplatform.data import data_object
from sim.card.globalplatform.files import Personalization
from sim.card.globalplatform.persistent import (
    CARD_LOCKED,
    INITIALIZED,
    INSTALLED,
    LOCKED,
    OP_READY,
    SECURED,
    SELECTABLE,
    TERMINATED,
    Instance,
    KeyRecord,
    Persistent,
)
from sim.card.globalplatform.session import CardSession
from sim.card.globalplatform.settings import FACTORY_VERSION, ISD_AID, MODULE_AID, PACKAGE_AID, CardSettings
from sim.card.tlv import objects, tlv

_GET_DATA = 0xCA
_ISD_PRIVILEGES = bytes.fromhex("9EFE80")
_LONGEST_LIST = 220
_SEVERAL_KEYS = 0x80
_FORWARD = {
    OP_READY: (INITIALIZED, SECURED, CARD_LOCKED),
    INITIALIZED: (SECURED, CARD_LOCKED),
    SECURED: (CARD_LOCKED,),
    CARD_LOCKED: (SECURED,),
}
"""Life cycle states that may follow (5.1); TERMINATED may follow all."""
_WHEN_LOCKED = (_GET_DATA, 0xF0, 0xF2)


class Manager:
    """The card manager between one selection and the next."""

    def __init__(self, persistent: Persistent, settings: CardSettings) -> None:
        self._persistent = persistent
        self._settings = settings
        self._personalization: Personalization | None = None
        self._list: list[bytes] = []
        self._commands: dict[int, Callable[[Command, CardSession], bytes]] = {
            0xE6: self._install,
            0xE2: self._store_data,
            0xE4: self._delete,
            0xD8: self._put_key,
            0xF0: self._set_status,
            0xF2: self._get_status,
        }

    def process(self, command: Command, session: CardSession | None) -> bytes:
        """Data of the response.

        Raises:
            StatusError: the command is refused.
        """
        state = self._persistent.registry.state
        if state == TERMINATED and command.ins != _GET_DATA:
            raise StatusError(0x6985)
        if command.ins == _GET_DATA:
            return self._get_data(command)
        if command.ins not in self._commands:
            raise StatusError(0x6D00)
        if session is None:
            raise StatusError(0x6982)
        if state == CARD_LOCKED and command.ins not in _WHEN_LOCKED:
            raise StatusError(0x6985)
        if command.ins != 0xE2:
            self._personalization = None
        return self._commands[command.ins](command, session)

    def _get_data(self, command: Command) -> bytes:
        """GET DATA (11.3): what can be known without authentication."""
        found = data_object(command.p1p2, self._persistent, self._settings)
        if found is None:
            raise StatusError(0x6A88)
        return found

    def _install(self, command: Command, _session: CardSession) -> bytes:
        """INSTALL (11.5): the module in ROM can be installed; nothing can be loaded."""
        fields = _length_value(command.data)
        if command.p2 or len(fields) != 6:
            raise StatusError(0x6A80 if not command.p2 else 0x6A86)
        if command.p1 == 0x20:
            return self._begin_personalization(fields[2])
        if command.p1 == 0x08:
            return self._make_selectable(fields[2])
        if command.p1 not in (0x04, 0x0C):
            raise StatusError(0x6A81)
        package, module, aid, privileges, parameters, _token = fields
        registry = self._persistent.registry
        if (package, module) != (PACKAGE_AID, MODULE_AID):
            raise StatusError(0x6A88)
        if not 5 <= len(aid) <= 16 or len(privileges) not in (1, 3):
            raise StatusError(0x6A80)
        if registry.find(aid) is not None or aid in (ISD_AID, PACKAGE_AID):
            raise StatusError(0x6985)
        state = SELECTABLE if command.p1 & 0x08 else INSTALLED
        given = dict(objects(parameters)).get(0xC9, b"")
        self._persistent.commit(registry.with_instance(Instance(aid, state, privileges[0], given)))
        return b"\0"

    def _make_selectable(self, aid: bytes) -> bytes:
        registry = self._persistent.registry
        instance = registry.find(aid)
        if instance is None:
            raise StatusError(0x6A88)
        if instance.state != INSTALLED:
            raise StatusError(0x6985)
        self._persistent.commit(registry.with_instance(replace(instance, state=SELECTABLE)))
        return b"\0"

    def _begin_personalization(self, aid: bytes) -> bytes:
        instance = self._persistent.registry.find(aid)
        if instance is None:
            raise StatusError(0x6A88)
        if instance.state != SELECTABLE:
            raise StatusError(0x6985)
        self._personalization = Personalization(self._persistent, aid)
        return b"\0"

    def _store_data(self, command: Command, session: CardSession) -> bytes:
        """STORE DATA (11.11) goes on to the application that is being personalized."""
        if self._personalization is None:
            raise StatusError(0x6985)
        try:
            if self._personalization.store(command, session):
                self._personalization = None
        except StatusError:
            self._personalization = None
            raise
        return b""

    def _delete(self, command: Command, _session: CardSession) -> bytes:
        """DELETE (11.2) of an application or of key sets."""
        given = dict(objects(command.data))
        registry = self._persistent.registry
        if 0x4F in given:
            if given[0x4F] in (ISD_AID, PACKAGE_AID):
                raise StatusError(0x6985)
            if registry.find(given[0x4F]) is None:
                raise StatusError(0x6A88)
            self._persistent.commit(registry.without_instance(given[0x4F]))
            return b"\0"
        if len(given.get(0xD2, b"")) != 1:
            raise StatusError(0x6A80)
        left = tuple(key for key in registry.keys if key.version != given[0xD2][0])
        if len(left) == len(registry.keys):
            raise StatusError(0x6A88)
        if not left:
            raise StatusError(0x6985)
        self._persistent.commit(replace(registry, keys=left))
        return b"\0"

    def _put_key(self, command: Command, session: CardSession) -> bytes:
        """PUT KEY (11.8; Amendment D, 7.2): a key set, or one key of a set that is there. The factory's set
        goes with the first of ours.
        """
        several, first = command.p2 & _SEVERAL_KEYS, command.p2 & ~_SEVERAL_KEYS
        if first not in (1, 2, 3) or (several and first != 1) or command.p1 & _SEVERAL_KEYS:
            raise StatusError(0x6A86)
        registry = self._persistent.registry
        replaced = next((key for key in registry.keys if key.version == command.p1), None)
        if replaced is None and (command.p1 or not several):
            raise StatusError(0x6A88)
        version, rest = command.data[0], command.data[1:]
        values = [] if several or replaced is None else [replaced.enc, replaced.mac, replaced.dek]
        checks = b""
        for number in range(3) if several else (first - 1,):
            value, check, rest = self._key_field(rest, session)
            values[number : number + 1] = [value]
            checks += check
        if rest or not 1 <= version <= 0x7F or len({len(value) for value in values}) != 1:
            raise StatusError(0x6A80)
        gone = {command.p1} if command.p1 else {FACTORY_VERSION}
        kept = tuple(key for key in registry.keys if key.version not in gone)
        if version in (key.version for key in kept):
            raise StatusError(0x6A80)
        new = KeyRecord(version, "AES" if self._settings.protocol == 3 else "DES", *values)
        self._persistent.commit(replace(registry, keys=(new, *kept)))
        return bytes([version]) + checks

    def _key_field(self, data: bytes, session: CardSession) -> tuple[bytes, bytes, bytes]:
        """Key, its check value, and what follows."""
        aes = self._settings.protocol == 3
        if data[0] != (0x88 if aes else 0x80):
            raise StatusError(0x9484)
        block, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
        given, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        size = len(block)
        if size % (16 if aes else 8):
            # Not whole blocks: the first byte says how long the key is that was padded (11.8.2.3.3).
            size, block = block[0], block[1:]
        if size not in ((16, 24, 32) if aes else (16,)) or len(block) != -(-size // 16) * 16:
            raise StatusError(0x6A80)
        value = session.decrypt_sensitive(block)[:size]
        if aes:
            check = primitives.aes_encrypt(value, b"\x01" * 16)[:3]
        else:
            check = primitives.des3_encrypt(value, bytes(8))[:3]
        if given and given != check:
            raise StatusError(0x9485)
        return value, check, rest

    def _set_status(self, command: Command, _session: CardSession) -> bytes:
        """SET STATUS (11.10)."""
        registry = self._persistent.registry
        if command.p1 == 0x80:
            if command.p2 != TERMINATED and command.p2 not in _FORWARD[registry.state]:
                raise StatusError(0x6985)
            self._persistent.commit(replace(registry, state=command.p2))
            return b""
        instance = registry.find(command.data)
        if command.p1 not in (0x40, 0x60):
            raise StatusError(0x6A86)
        if instance is None:
            raise StatusError(0x6A88)
        state = instance.state | LOCKED if command.p2 & LOCKED else instance.state & ~LOCKED & 0xFF
        self._persistent.commit(registry.with_instance(replace(instance, state=state)))
        return b""

    def _get_status(self, command: Command, _session: CardSession) -> bytes:
        """GET STATUS (11.4), as data objects or in the older form."""
        modern = bool(command.p2 & 0x02)
        if not command.p2 & 0x01:
            wanted = dict(objects(command.data)).get(0x4F)
            if wanted is None:
                raise StatusError(0x6A80)
            self._list = [
                _modern(*entry) if modern else _older(*entry)
                for entry in self._entries(command.p1)
                if entry[0].startswith(wanted)
            ]
        if not self._list:
            raise StatusError(0x6A88)
        part = self._list.pop(0)
        while self._list and len(part) + len(self._list[0]) <= _LONGEST_LIST:
            part += self._list.pop(0)
        if self._list:
            raise StatusError(0x6310, part)
        return part

    def _entries(self, scope: int) -> list[tuple[bytes, int, bytes, tuple[bytes, ...]]]:
        """Name, state, privileges and modules."""
        registry = self._persistent.registry
        if scope == 0x80:
            return [(ISD_AID, registry.state, _ISD_PRIVILEGES, ())]
        if scope == 0x40:
            return [(each.aid, each.state, bytes([each.privileges, 0, 0]), ()) for each in registry.instances]
        if scope in (0x20, 0x10):
            return [(PACKAGE_AID, 0x01, b"", (MODULE_AID,) if scope == 0x10 else ())]
        raise StatusError(0x6A86)


def _modern(aid: bytes, state: int, privileges: bytes, modules: tuple[bytes, ...]) -> bytes:
    content = tlv(0x4F, aid) + tlv(0x9F70, bytes([state])) + (tlv(0xC5, privileges) if privileges else b"")
    return tlv(0xE3, content + b"".join(tlv(0x84, module) for module in modules))


def _older(aid: bytes, state: int, privileges: bytes, modules: tuple[bytes, ...]) -> bytes:
    entry = bytes([len(aid)]) + aid + bytes([state]) + (privileges[:1] or b"\0")
    if modules:
        entry += bytes([len(modules)]) + b"".join(bytes([len(module)]) + module for module in modules)
    return entry


def _length_value(data: bytes) -> list[bytes]:
    """Fields with a length byte each."""
    fields, at = [], 0
    while at < len(data):
        size = data[at]
        if at + 1 + size > len(data):
            raise StatusError(0x6A80)
        fields.append(data[at + 1 : at + 1 + size])
        at += 1 + size
    return fields
