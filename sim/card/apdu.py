"""Command and response APDUs as the card sees them (ISO/IEC 7816-3:2006, 12.1 and ISO/IEC 7816-4:2020,
5.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SHORT_NE = 256
EXTENDED_NE = 65536


class MalformedError(ValueError):
    """The bytes are no command APDU of any of the seven cases; the card answers 6700."""


class StatusError(Exception):
    """Processing ended with a status word other than 9000.

    `data` is what the card returns all the same (a warning such as 6282 comes with data).
    """

    def __init__(self, sw: int, data: bytes = b"") -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw
        self.data = data


@dataclass(frozen=True)
class Command:
    """A decoded command: `ne` is the number of bytes asked for, 0 without Le field.

    `all_available` says that Le held zeros only: "as much as there is, up to `ne`".
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    ne: int = 0
    extended: bool = False
    all_available: bool = False

    @property
    def p1p2(self) -> int:
        """P1 and P2 as one big-endian number."""
        return self.p1 << 8 | self.p2


def parse(raw: bytes) -> Command:
    """Decode a command APDU of any case, short or extended."""
    if len(raw) < 4:
        raise MalformedError("shorter than a header")
    header = (raw[0], raw[1], raw[2], raw[3])
    body = raw[4:]
    if not body:
        return Command(*header)
    if len(body) == 1:
        return Command(*header, ne=body[0] or SHORT_NE, all_available=body[0] == 0)
    if body[0] != 0:
        lc, rest = body[0], body[1:]
        if len(rest) == lc:
            return Command(*header, data=rest)
        if len(rest) == lc + 1:
            return Command(*header, data=rest[:lc], ne=rest[lc] or SHORT_NE, all_available=rest[lc] == 0)
        raise MalformedError("Lc and length disagree")
    if len(body) < 3:
        raise MalformedError("extended length field cut short")
    number, rest = int.from_bytes(body[1:3], "big"), body[3:]
    if not rest:
        return Command(*header, ne=number or EXTENDED_NE, extended=True, all_available=number == 0)
    if number == 0:
        raise MalformedError("extended Lc of zero")
    if len(rest) == number:
        return Command(*header, data=rest, extended=True)
    if len(rest) == number + 2:
        ne = int.from_bytes(rest[number:], "big")
        return Command(
            *header, data=rest[:number], ne=ne or EXTENDED_NE, extended=True, all_available=ne == 0
        )
    raise MalformedError("extended Lc and length disagree")


def parse_t0(raw: bytes) -> Command:
    """Decode a command as T=0 carries it (ISO/IEC 7816-3:2006, 12.2): the one length byte is Lc or Le, and a
    card that is sent data may have data to give.
    """
    command = parse(raw)
    if command.extended or (command.data and command.ne):
        raise MalformedError("T=0 has one length byte only")
    return replace(command, ne=SHORT_NE, all_available=True) if command.data else command


def response(data: bytes, sw: int = 0x9000) -> bytes:
    """A response APDU: data, then the status word."""
    return data + sw.to_bytes(2, "big")
