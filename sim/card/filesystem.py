"""The card's file system in EEPROM: one MF, DFs under it, transparent EFs (ISO/IEC 7816-4:2020, 7.2 and 7.4).

Each file is a 32-byte header followed by its body; files lie one behind the other, so creating is cheap and
deleting the last files gives their room back. The header is written before the file counts: its first byte,
programmed last, makes it valid, so a card torn while creating a file has no half file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sim.card.apdu import StatusError
from sim.card.memory import CardMemory

HEADER = 32
MF = 0x3F00
CURRENT_DF = 0x3FFF

CREATION = 0x01
INITIALISATION = 0x03
OPERATIONAL = 0x05

ALWAYS = 0x00
NEVER = 0xFF

# Bits of the access mode byte in compact format (ISO/IEC 7816-4:2020, tables for DFs and EFs).
DELETE_SELF = 0x40
ACTIVATE = 0x10
CREATE_DF = 0x04
CREATE_EF = 0x02
DELETE_CHILD = 0x01
UPDATE = 0x02
READ = 0x01

_VALID = 0xA5
_FREE = 0x00
_DELETED = 0x5A
# valid, descriptor, fid, parent fid, size, SFI, life cycle, AM byte, refusal mask, length of name, name
_LAYOUT = struct.Struct(">BBHHHBBBBB16s")


@dataclass(frozen=True)
class File:
    """A file: `at` is the place of its header, `never` the access modes that its security attributes shut."""

    at: int
    descriptor: int
    fid: int
    parent: int
    size: int = 0
    sfi: int = 0
    life_cycle: int = CREATION
    access: int = 0
    never: int = 0
    name: bytes = b""

    @property
    def is_df(self) -> bool:
        """Whether it is a dedicated file."""
        return self.descriptor & 0x38 == 0x38

    @property
    def body(self) -> int:
        """Place of its first byte."""
        return self.at + HEADER

    @property
    def end(self) -> int:
        """Place behind its last byte."""
        return self.body + self.size


ROOT = File(at=-HEADER, descriptor=0x38, fid=MF, parent=MF, life_cycle=OPERATIONAL)
"""The master file; it has no header, the operating system knows it."""


class FileSystem:
    """Files in `memory`. Errors are status words."""

    def __init__(self, memory: CardMemory) -> None:
        self.memory = memory

    def files(self) -> Iterator[File]:
        """All valid files, in the order of their creation."""
        for state, file in self._headers():
            if state == _VALID:
                yield file

    def free(self) -> int:
        """Bytes of EEPROM behind the last file."""
        return self.memory.capacity - self._end()

    def find(self, fid: int, parent: int) -> File | None:
        """The child of DF `parent` with identifier `fid`."""
        return next((f for f in self.files() if f.fid == fid and f.parent == parent), None)

    def find_df(self, fid: int) -> File | None:
        """The DF with identifier `fid`, the MF included."""
        if fid == MF:
            return ROOT
        return next((f for f in self.files() if f.fid == fid and f.is_df), None)

    def find_name(self, name: bytes) -> File | None:
        """The first DF whose name begins with `name`."""
        return next((f for f in self.files() if f.is_df and name and f.name.startswith(name)), None)

    def find_sfi(self, sfi: int, parent: int) -> File | None:
        """The EF of DF `parent` with short identifier `sfi`."""
        return next((f for f in self.files() if f.sfi == sfi and f.parent == parent and not f.is_df), None)

    def create(self, file: File) -> File:
        """Place a new file behind the last one: 6A89 if it exists, 6A84 if there is no room."""
        if self.find(file.fid, file.parent) is not None or file.fid in (MF, CURRENT_DF, 0xFFFF):
            raise StatusError(0x6A89)
        if file.name and any(f.name == file.name for f in self.files()):
            raise StatusError(0x6A8A)
        at = self._end()
        if at + HEADER + file.size > self.memory.capacity:
            raise StatusError(0x6A84)
        placed = replace(file, at=at)
        self.memory.write(placed.body, bytes(placed.size))
        if placed.end < self.memory.capacity:
            self.memory.write(placed.end, bytes([_FREE]))
        header = _pack(placed)
        self.memory.write(at + 1, header[1:])
        self.memory.write(at, header[:1])
        return placed

    def activate(self, file: File) -> File:
        """Bring a file into its operational state, in which its security attributes hold."""
        active = replace(file, life_cycle=OPERATIONAL)
        self.memory.write(file.at, _pack(active))
        return active

    def delete(self, file: File) -> None:
        """Delete a file and, for a DF, all that it holds; room at the end of the memory is free again."""
        doomed = [f for f in self.files() if f.at == file.at or (file.is_df and f.parent == file.fid)]
        for victim in reversed(doomed):
            self.memory.write(victim.at, bytes([_DELETED]))
        kept = max((f.end for f in self.files()), default=0)
        for _, header in reversed([h for h in self._headers() if h[1].at >= kept]):
            self.memory.write(header.at, bytes([_FREE]))

    def read(self, file: File, offset: int, length: int) -> bytes:
        """Part of a file's body."""
        return self.memory.read(file.body + offset, length)

    def update(self, file: File, offset: int, data: bytes) -> None:
        """Overwrite part of a file's body."""
        self.memory.write(file.body + offset, data)

    def allows(self, file: File, mode: int) -> bool:
        """Whether security attributes permit `mode`.

        They come into force when the file, or the DF that holds it, has been activated: before that the card
        is in the hands of the issuer.
        """
        parent = self.find_df(file.parent)
        if parent is ROOT:
            parent = None
        operational = file.life_cycle == OPERATIONAL or (
            parent is not None and parent.life_cycle == OPERATIONAL
        )
        return not operational or not file.never & mode

    def _headers(self) -> Iterator[tuple[int, File]]:
        at = 0
        while at + HEADER <= self.memory.capacity:
            fields = _LAYOUT.unpack(self.memory.read(at, _LAYOUT.size))
            state, descriptor, fid, parent, size, sfi, cycle, access, never, length, name = fields
            if state not in (_VALID, _DELETED):
                return
            yield (
                state,
                File(at, descriptor, fid, parent, size, sfi, cycle, access, never, name[:length]),
            )
            at += HEADER + size

    def _end(self) -> int:
        return max((header.end for _, header in self._headers()), default=0)


def _pack(file: File) -> bytes:
    packed = _LAYOUT.pack(
        _VALID,
        file.descriptor,
        file.fid,
        file.parent,
        file.size,
        file.sfi,
        file.life_cycle,
        file.access,
        file.never,
        len(file.name),
        file.name,
    )
    return packed.ljust(HEADER, b"\0")
