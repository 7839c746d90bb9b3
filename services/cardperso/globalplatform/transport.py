"""The line to a card: command bytes in, data and status word out."""

from __future__ import annotations

from typing import Protocol

from services.cardperso.pcsc.apdu import MAX_EXTENDED_RESPONSE, MAX_SHORT_RESPONSE, CommandApdu
from services.cardperso.pcsc.session import CardSession

_NAMES = {
    0x50: "INITIALIZE UPDATE",
    0x82: "EXTERNAL AUTHENTICATE",
    0xA4: "SELECT",
    0xCA: "GET DATA",
    0xD8: "PUT KEY",
    0xE2: "STORE DATA",
    0xE4: "DELETE",
    0xE6: "INSTALL",
    0xE8: "LOAD",
    0xF0: "SET STATUS",
    0xF2: "GET STATUS",
}
"""Instructions as GlobalPlatform calls them."""


class Transport(Protocol):
    """A card on some reader. Faults of the line are raised, status words are returned."""

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        """Send one command APDU; data and status word of the response."""


class PcscTransport:
    """The card of a PC/SC session, which fetches long responses and repeats what the card wants again."""

    def __init__(self, session: CardSession) -> None:
        self._session = session

    def transmit(self, apdu: bytes) -> tuple[bytes, int]:
        """Send one command APDU; data and status word of the whole response.

        Raises:
            PcscFault: the card, the reader or the PC/SC service failed.
        """
        response = self._session.transmit(parse(apdu, _NAMES.get(apdu[1], "command")))
        return response.data, response.sw


def parse(apdu: bytes, name: str = "command") -> CommandApdu:
    """A command from its bytes (ISO/IEC 7816-3:2006, 12.1.3: the seven cases).

    Raises:
        ValueError: the bytes are none of them.
    """
    if len(apdu) < 4:
        raise ValueError("a command has a header of four bytes")
    cla, ins, p1, p2 = apdu[:4]
    body = apdu[4:]
    if len(body) > 2 and body[0] == 0:
        return CommandApdu(name, cla, ins, p1, p2, *_body(body[1:], 2, MAX_EXTENDED_RESPONSE))
    return CommandApdu(name, cla, ins, p1, p2, *_body(body, 1, MAX_SHORT_RESPONSE))


def _body(body: bytes, width: int, longest: int) -> tuple[bytes, int]:
    """Data and Ne of a body whose length fields have `width` bytes."""
    if not body:
        return b"", 0
    number = int.from_bytes(body[:width], "big")
    if len(body) == width:
        return b"", number or longest
    data, le = body[width : width + number], body[width + number :]
    if number and len(data) == number and len(le) in (0, width):
        return data, (int.from_bytes(le, "big") or longest) if le else 0
    raise ValueError("Lc does not agree with the length of the command")
