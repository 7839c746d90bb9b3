"""Command and response APDUs as the host sends and receives them (ISO/IEC 7816-3:2006, 12.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

MAX_SHORT_DATA = 255
MAX_SHORT_RESPONSE = 256
MAX_EXTENDED_RESPONSE = 65536
CHAINING = 0x10
"""Bit of the class byte: more commands of the chain follow (7816-4, 5.4.1)."""


@dataclass(frozen=True)
class CommandApdu:
    """A command: `ne` is the number of bytes expected at most, 0 for none, `name` what the standard calls
    it.
    """

    name: str
    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    ne: int = 0

    @property
    def is_short(self) -> bool:
        """Whether it fits short length fields."""
        return len(self.data) <= MAX_SHORT_DATA and self.ne <= MAX_SHORT_RESPONSE

    def encode(self) -> bytes:
        """Bytes to send: length fields are short where they can be."""
        header = bytes([self.cla, self.ins, self.p1, self.p2])
        lc, le = b"", b""
        if self.is_short:
            if self.data:
                lc = bytes([len(self.data)])
            if self.ne:
                le = bytes([self.ne & 0xFF])
        else:
            if self.data:
                lc = b"\0" + len(self.data).to_bytes(2, "big")
            if self.ne:
                le = (b"" if self.data else b"\0") + (self.ne & 0xFFFF).to_bytes(2, "big")
        return header + lc + self.data + le

    def chain(self, block: int) -> list[CommandApdu]:
        """The same command as a chain of commands with at most `block` bytes of data each."""
        parts = [self.data[at : at + block] for at in range(0, len(self.data), block)] or [b""]
        links = [replace(self, cla=self.cla | CHAINING, data=part, ne=0) for part in parts[:-1]]
        return [*links, replace(self, data=parts[-1], ne=min(self.ne, MAX_SHORT_RESPONSE))]


@dataclass(frozen=True)
class ResponseApdu:
    """A response: data and status word."""

    data: bytes
    sw: int

    @classmethod
    def decode(cls, raw: bytes) -> ResponseApdu:
        """From the bytes received, at least two."""
        return cls(raw[:-2], int.from_bytes(raw[-2:], "big"))


def for_t0(command: bytes) -> bytes:
    """A short command as T=0 carries it (ISO/IEC 7816-3:2006, 12.2): one byte after the header is Lc or Le,
    never both. A command with data goes without Le (the card says 61xx and how much there is), one with
    neither data nor Le with a zero. What is no short command is left as it is.
    """
    if len(command) == 4:
        return command + b"\0"
    has_data = len(command) > 5 and command[4] > 0
    return command[: 5 + command[4]] if has_data else command
