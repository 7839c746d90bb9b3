"""The card's operating system: commands of ISO/IEC 7816-4 and file management of ISO/IEC 7816-13 (formerly
-9).

Written from the standards, not from our host code, so that the two check each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sim.card.answer import EF_ATR, EF_ATR_SFI, Traits, atr, ef_atr, historical_bytes
from sim.card.apdu import Command, MalformedError, StatusError, parse, parse_t0, response
from sim.card.filesystem import (
    ACTIVATE,
    CREATE_DF,
    CREATE_EF,
    DELETE_CHILD,
    DELETE_SELF,
    MF,
    OPERATIONAL,
    READ,
    ROOT,
    UPDATE,
    File,
    FileSystem,
)
from sim.card.memory import CardMemory, WriteError
from sim.card.parameters import TRANSPARENT_EF, control_parameters, file_from
from sim.card.tlv import TlvError, objects, tlv

_CHAINED = 0x10


@dataclass
class _Session:
    """What the card forgets when it is reset."""

    df: File
    ef: File | None = None
    chain_header: bytes = b""
    chain: bytes = b""
    pending: bytes = b""


class Card:
    """A card with `memory`; `exchange` takes a command APDU and gives the response APDU."""

    def __init__(self, memory: CardMemory, traits: Traits | None = None) -> None:
        self.memory = memory
        self.traits = traits or Traits()
        self.files = FileSystem(memory)
        self._session = _Session(ROOT)
        self._commands: dict[int, Callable[[Command], bytes]] = {
            0xA4: self._select,
            0xB0: self._read_binary,
            0xD6: self._update_binary,
            0xE0: self._create_file,
            0xE4: self._delete_file,
            0x44: self._activate_file,
            0xCA: self._get_data,
            0xC0: self._get_response,
        }

    @property
    def atr(self) -> bytes:
        """Answer to reset."""
        return atr(self.traits)

    def reset(self) -> None:
        """Forget the session: the MF is current again, chains and pending responses are gone."""
        self._session = _Session(ROOT)

    def exchange(self, raw: bytes) -> bytes:
        """Process one command APDU."""
        try:
            command = parse_t0(raw) if self.traits.protocol == "T=0" else parse(raw)
            if len(raw) > self.traits.buffer or (command.extended and not self.traits.extended):
                raise MalformedError("longer than this card's buffer")
            return self._answer(command, self._dispatch(command))
        except MalformedError:
            return response(b"", 0x6700)
        except TlvError:
            return response(b"", 0x6A80)
        except WriteError:
            return response(b"", 0x6581)
        except StatusError as error:
            return response(error.data, error.sw)

    def _dispatch(self, command: Command) -> bytes:
        if command.ins != 0xC0:
            self._session.pending = b""
        if command.cla == 0xFF:
            return self._reader_command(command)
        if command.cla & 0xE0:
            raise StatusError(0x6E00)
        if command.cla & 0x0C:
            raise StatusError(0x6882)
        if command.cla & 0x03:
            raise StatusError(0x6881)
        if command.ins not in self._commands:
            raise StatusError(0x6D00)
        whole = self._chained(command)
        return b"" if whole is None else self._commands[whole.ins](whole)

    def _chained(self, command: Command) -> Command | None:
        """Collect a chain (7816-4, 5.3.3); None while more is to come."""
        session = self._session
        header = bytes([command.ins, command.p1, command.p2])
        if session.chain_header and session.chain_header != header:
            session.chain_header, session.chain = b"", b""
            raise StatusError(0x6883)
        data = session.chain + command.data
        if len(data) > self.memory.capacity:
            session.chain_header, session.chain = b"", b""
            raise StatusError(0x6700)
        if command.cla & _CHAINED:
            session.chain_header, session.chain = header, data
            return None
        session.chain_header, session.chain = b"", b""
        return Command(
            command.cla,
            command.ins,
            command.p1,
            command.p2,
            data,
            command.ne,
            command.extended,
            command.all_available,
        )

    def _answer(self, command: Command, data: bytes) -> bytes:
        if self.traits.protocol == "T=0" and data and command.ins != 0xC0:
            if command.data:
                return self._announce(b"", data)
            if command.ne != len(data) and not (command.all_available and len(data) == 256):
                return response(b"", 0x6C00 | len(data) & 0xFF)
        if not command.ne:
            return response(b"")
        if len(data) > command.ne:
            return self._announce(data[: command.ne], data[command.ne :])
        return response(data)

    def _announce(self, now: bytes, later: bytes) -> bytes:
        self._session.pending = later
        return response(now, 0x6100 | (len(later) if len(later) < 256 else 0))

    def _reader_command(self, command: Command) -> bytes:
        """Class FF: a contactless reader answers these itself (PC/SC part 3, 3.2.2.1.3); vpcd passes them
        on.
        """
        if command.ins != 0xCA:
            raise StatusError(0x6D00)
        if command.p1p2 == 0x0000:
            return self.memory.uid
        if command.p1p2 == 0x0100:
            return historical_bytes(self.traits)
        raise StatusError(0x6A81)

    def _get_response(self, command: Command) -> bytes:
        data = self._session.pending
        if command.p1p2:
            raise StatusError(0x6B00)
        if not data:
            raise StatusError(0x6985)
        return data

    def _select(self, command: Command) -> bytes:
        if command.p2 & 0xF3:
            raise StatusError(0x6A86)
        file = self._find(command)
        if file.is_df:
            self._session.df, self._session.ef = file, None
        else:
            self._session.ef = file
            self._session.df = self.files.find_df(file.parent) or ROOT
        if command.p2 & 0x0C == 0x0C or not command.ne:
            return b""
        if command.p2 & 0x0C == 0x08:
            raise StatusError(0x6A81)
        return tlv(0x62 if command.p2 & 0x0C == 0x04 else 0x6F, control_parameters(file))

    def _find(self, command: Command) -> File:
        """The file that the P1 and data field of SELECT (or DELETE, ACTIVATE) name: 6A82 if there is none."""
        p1, data = command.p1, command.data
        found: File | None
        if p1 == 0x04:
            found = self.files.find_name(data)
        elif p1 == 0x03 and not data:
            found = self.files.find_df(self._session.df.parent)
        elif p1 in (0x08, 0x09):
            found = self._walk(data, ROOT if p1 == 0x08 else self._session.df)
        elif p1 in (0x00, 0x01, 0x02):
            if not data and p1 == 0x00:
                return ROOT
            if len(data) != 2:
                raise StatusError(0x6700)
            found = self._by_identifier(int.from_bytes(data, "big"), p1)
        else:
            raise StatusError(0x6A86)
        if found is None:
            raise StatusError(0x6A82)
        return found

    def _by_identifier(self, fid: int, p1: int) -> File | None:
        current = self._session.df
        if fid == EF_ATR and current is ROOT and p1 != 0x01:
            return self._ef_atr()
        child = self.files.find(fid, current.fid)
        if p1 == 0x00:
            return child or self.files.find_df(fid)
        return child if child is not None and child.is_df == (p1 == 0x01) else None

    def _walk(self, path: bytes, start: File) -> File | None:
        if not path or len(path) % 2:
            raise StatusError(0x6700)
        file: File | None = start
        for at in range(0, len(path), 2):
            fid = int.from_bytes(path[at : at + 2], "big")
            file = self.files.find(fid, file.fid) if file is not None else None
        return file

    def _ef_atr(self) -> File:
        """EF.ATR lies in the read-only memory: negative place, no body in EEPROM."""
        return File(
            at=-1,
            descriptor=TRANSPARENT_EF,
            fid=EF_ATR,
            parent=MF,
            size=len(ef_atr(self.traits)),
            sfi=EF_ATR_SFI,
            life_cycle=OPERATIONAL,
            access=UPDATE,
            never=UPDATE,
        )

    def _addressed(self, command: Command) -> tuple[File, int]:
        """EF and offset of READ and UPDATE BINARY; a short identifier makes its EF current."""
        if command.p1 & 0x80:
            sfi = command.p1 & 0x1F
            if command.p1 & 0x60 or sfi == 0:
                raise StatusError(0x6A86)
            file: File | None
            if sfi == EF_ATR_SFI and self._session.df is ROOT:
                file = self._ef_atr()
            else:
                file = self.files.find_sfi(sfi, self._session.df.fid)
            if file is None:
                raise StatusError(0x6A82)
            self._session.ef = file
            return file, command.p2
        if self._session.ef is None:
            raise StatusError(0x6986)
        return self._session.ef, command.p1p2

    def _read_binary(self, command: Command) -> bytes:
        if command.data or not command.ne:
            raise StatusError(0x6700)
        file, offset = self._addressed(command)
        if not self.files.allows(file, READ):
            raise StatusError(0x6982)
        if offset > file.size:
            raise StatusError(0x6B00)
        limit = self.traits.longest_data if self.traits.extended else 256
        wanted = min(command.ne, limit, file.size - offset)
        if file.at < 0:
            data = ef_atr(self.traits)[offset : offset + wanted]
        else:
            data = self.files.read(file, offset, wanted)
        if not command.all_available and file.size - offset < command.ne:
            raise StatusError(0x6282, data)
        return data

    def _update_binary(self, command: Command) -> bytes:
        if not command.data:
            raise StatusError(0x6700)
        file, offset = self._addressed(command)
        if not self.files.allows(file, UPDATE):
            raise StatusError(0x6982)
        if offset > file.size:
            raise StatusError(0x6B00)
        if offset + len(command.data) > file.size:
            raise StatusError(0x6A84)
        self.files.update(file, offset, command.data)
        return b""

    def _create_file(self, command: Command) -> bytes:
        if command.p1p2:
            raise StatusError(0x6A86)
        outer = list(objects(command.data))
        if len(outer) != 1 or outer[0][0] != 0x62:
            raise StatusError(0x6A80)
        draft = file_from(outer[0][1], self._session.df)
        if not self.files.allows(self._session.df, CREATE_DF if draft.is_df else CREATE_EF):
            raise StatusError(0x6982)
        file = self.files.create(draft)
        if file.is_df:
            self._session.df, self._session.ef = file, None
        else:
            self._session.ef = file
        return b""

    def _delete_file(self, command: Command) -> bytes:
        file = self._target(command)
        parent = self.files.find_df(file.parent) or ROOT
        if not self.files.allows(file, DELETE_SELF) or not self.files.allows(parent, DELETE_CHILD):
            raise StatusError(0x6982)
        self.files.delete(file)
        self._session.df, self._session.ef = parent, None
        return b""

    def _activate_file(self, command: Command) -> bytes:
        file = self._target(command)
        if file.life_cycle == OPERATIONAL:
            raise StatusError(0x6985)
        if not self.files.allows(file, ACTIVATE):
            raise StatusError(0x6982)
        active = self.files.activate(file)
        if active.is_df:
            self._session.df = active
        else:
            self._session.ef = active
        return b""

    def _target(self, command: Command) -> File:
        """The file that a management command acts on: named as in SELECT, or the current one."""
        if command.p2:
            raise StatusError(0x6A86)
        file = self._find(command) if command.data else self._session.ef or self._session.df
        if file is ROOT or file.at < 0:
            raise StatusError(0x6985)
        return file

    def _get_data(self, command: Command) -> bytes:
        for tag, value in objects(ef_atr(self.traits)):
            if tag == command.p1p2:
                return tlv(tag, value)
        raise StatusError(0x6A88)
