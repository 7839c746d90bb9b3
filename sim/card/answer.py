"""What the card says of itself: historical bytes, ATR or ATS, EF.ATR/INFO (ISO/IEC 7816-4:2020, clause
12).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Literal

from sim.card.tlv import tlv

EF_ATR = 0x2F01
EF_ATR_SFI = 1


@dataclass(frozen=True)
class Traits:
    """Hardware of a card type.

    Args:
        buffer: longest command or response APDU in bytes; above 261 the card takes extended length fields.
        protocol: "T=CL" for a contactless card behind a PC/SC reader; "T=0" for a contact card that answers
            61xx and 6Cxx.
        chaining: whether a command may come in several parts (7816-4, 5.3.3).
    """

    buffer: int = 2048
    protocol: Literal["T=CL", "T=0"] = "T=CL"
    chaining: bool = True

    @property
    def extended(self) -> bool:
        """Whether extended Lc and Le are understood (never with T=0, which cannot carry them)."""
        return self.buffer > 261 and self.protocol != "T=0"

    @property
    def longest_data(self) -> int:
        """Longest data field of a command, and of a response."""
        return self.buffer - 9 if self.extended else 255


def historical_bytes(traits: Traits) -> bytes:
    """Category 80: card service data, card capabilities.

    Service: DFs by full and partial name, EF.ATR to be read with READ BINARY, an MF. Capabilities: selection
    by full name, partial name, path, identifier and short identifier; data units of one byte; chaining and
    extended length as the card has them.
    """
    capabilities = 0x80 * traits.chaining | 0x60 * traits.extended
    return bytes([0x80, 0x31, 0xD8, 0x73, 0xF4, 0x01, capabilities])


def atr(traits: Traits) -> bytes:
    """Answer to reset: of a contact card, or as a PC/SC part 3 reader makes it for a contactless card."""
    history = historical_bytes(traits)
    if traits.protocol == "T=0":
        return bytes([0x3B, len(history)]) + history
    body = bytes([0x80 | len(history), 0x80, 0x01]) + history
    return b"\x3b" + body + bytes([reduce(lambda a, b: a ^ b, body)])


def ef_atr(traits: Traits) -> bytes:
    """Content of EF.ATR/INFO: extended length information with the longest command and response APDU."""
    if not traits.extended:
        return tlv(0x43, b"\xd8")
    size = traits.buffer.to_bytes(2, "big")
    return tlv(0x43, b"\xd8") + tlv(0x7F66, tlv(0x02, size) + tlv(0x02, size))
