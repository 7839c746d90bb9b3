"""Records of big-endian integers, declared field by field; whatever is wrong is refused with its place."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from services.common.errors import InvalidArgument

_COMPLETE = "Send the record exactly as its maker wrote it, complete and unchanged."


class Layout:
    """A run of unsigned integers under one name, such as a header.

    fields: "name:code" separated by spaces, in the order of the record; the codes are those of struct (B one
    byte, H two, I four).
    """

    def __init__(self, name: str, fields: str) -> None:
        pairs = [field.split(":") for field in fields.split()]
        self.name = name
        self.names = [name for name, _ in pairs]
        self._struct = struct.Struct(">" + "".join(code for _, code in pairs))
        ends = [struct.calcsize(">" + "".join(code for _, code in pairs[:k])) for k in range(len(pairs))]
        self._offsets = dict(zip(self.names, ends, strict=True))

    @property
    def size(self) -> int:
        """Bytes that the fields take."""
        return self._struct.size

    def offset(self, name: str) -> int:
        """Where a field begins, in bytes from the first one."""
        return self._offsets[name]

    def unpack(self, data: bytes, at: int) -> dict[str, int]:
        """Values of the fields by name."""
        return dict(zip(self.names, self._struct.unpack_from(data, at), strict=True))

    def pack(self, **values: int) -> bytes:
        """Bytes of the fields, all of which must be given; ValueError names what does not fit."""
        try:
            return self._struct.pack(*(values[name] for name in self.names))
        except struct.error as error:
            raise ValueError(f"The {self.name} cannot hold {values}: {error}") from error


@dataclass(frozen=True)
class Taken:
    """Fields that a Reader took, and where they stood."""

    layout: Layout
    at: int
    values: Mapping[str, int]

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def offset(self, name: str) -> int:
        """Where a field stands in the record."""
        return self.at + self.layout.offset(name)


class Reader:
    """Reads a record from front to back and never beyond its end.

    standard: its name, for the reader of an error; field: dotted path of the request field that carries it.
    Reasons of the InvalidArgument errors begin with `prefix`; metadata["offset"] is the byte.
    """

    def __init__(self, data: bytes, standard: str, field: str, *, prefix: str = "TEMPLATE") -> None:
        self.data = data
        self.offset = 0
        self._standard = standard
        self._field = field
        self._prefix = prefix

    @property
    def left(self) -> int:
        """Bytes that are not yet read."""
        return len(self.data) - self.offset

    def take(self, layout: Layout) -> Taken:
        """The next fields."""
        at = self.offset
        if layout.size > self.left:
            raise self.error("LENGTH", at, f"The record ends within the {layout.name}.")
        self.offset += layout.size
        return Taken(layout, at, layout.unpack(self.data, at))

    def raw(self, count: int, what: str) -> bytes:
        """The next bytes as they are."""
        if count > self.left:
            raise self.error("LENGTH", self.offset, f"The record ends within the {what}.")
        self.offset += count
        return self.data[self.offset - count : self.offset]

    def constant(self, expected: bytes, what: str) -> None:
        """Bytes that must be there; HEADER if others are."""
        at = self.offset
        found = self.raw(len(expected), what)
        if found != expected:
            raise self.error("HEADER", at, f"The {what} is {found!r}, not {expected!r}.")

    def declared(self, length: int, at: int) -> None:
        """The length that the record gives of itself must be that of the bytes."""
        if length != len(self.data):
            raise self.error("LENGTH", at, f"The header declares {length} bytes; there are {len(self.data)}.")

    def end(self) -> None:
        """Nothing may follow."""
        if self.left:
            raise self.error("LENGTH", self.offset, f"{self.left} bytes follow the last view.")

    def error(self, reason: str, offset: int, message: str, *, remedy: str = _COMPLETE) -> InvalidArgument:
        """The error of a fault at a byte; reason: LENGTH, HEADER or VALUE."""
        return InvalidArgument(
            f"{self._prefix}_{reason}",
            f"Not a valid {self._standard} record, at byte {offset}: {message}",
            field=self._field,
            remedy=remedy,
            metadata={"offset": str(offset)},
        )
