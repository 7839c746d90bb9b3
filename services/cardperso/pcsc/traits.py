"""What a card can do, from its ATR and EF.ATR/INFO (ISO/IEC 7816-4:2020, clause 12)."""

from __future__ import annotations

from dataclasses import dataclass

from services.cardperso.tlv import TlvError, find

_SHORT_COMMAND = 261
_SHORT_RESPONSE = 258


@dataclass(frozen=True)
class CardTraits:
    """Abilities of a card; the longest APDUs count every byte from CLA to Le, and the status word."""

    chaining: bool = False
    extended: bool = False
    information_file: bool = False
    longest_command: int = _SHORT_COMMAND
    longest_response: int = _SHORT_RESPONSE

    @property
    def write_block(self) -> int:
        """Longest data field of one command: header, Lc and Le leave this much."""
        return self.longest_command - (9 if self.extended else 6)

    @property
    def read_block(self) -> int:
        """Longest data field of one response."""
        return self.longest_response - 2


def from_atr(atr: bytes) -> CardTraits:
    """Read the card capabilities out of the historical bytes; a card that says nothing can do nothing
    special.
    """
    history = historical_bytes(atr)
    if len(history) < 2 or history[0] not in (0x00, 0x80):
        return CardTraits()
    body = history[1:-3] if history[0] == 0x00 else history[1:]
    at = 0
    while at < len(body):
        tag, length = body[at] >> 4, body[at] & 0x0F
        value = body[at + 1 : at + 1 + length]
        at += 1 + length
        if tag == 7 and len(value) == 3:
            # Third software function table.
            return CardTraits(
                chaining=bool(value[2] & 0x80),
                extended=bool(value[2] & 0x40) and _more_than_t0(atr),
                information_file=bool(value[2] & 0x20),
            )
    return CardTraits()


def with_information(traits: CardTraits, ef_atr: bytes) -> CardTraits:
    """Add the extended length information (tag 7F66) of EF.ATR/INFO; without it one extended APDU is not
    trusted.

    A card that promises extended length but does not say how long is used with short APDUs, and so is one
    that speaks of lengths but never promised to take them, or cannot with its protocol.
    """
    try:
        information = find(ef_atr, 0x7F66)
        numbers = [] if information is None else _integers(information)
    except TlvError:
        numbers = []
    if not traits.extended or len(numbers) != 2 or min(numbers) < _SHORT_COMMAND:
        return CardTraits(chaining=traits.chaining, information_file=traits.information_file)
    return CardTraits(
        chaining=traits.chaining,
        extended=True,
        information_file=traits.information_file,
        longest_command=min(numbers[0], 65544),
        longest_response=min(numbers[1], 65538),
    )


def historical_bytes(atr: bytes) -> bytes:
    """The historical bytes of an ATR (ISO/IEC 7816-3:2006, 8.2); empty where it is cut short."""
    if len(atr) < 2:
        return b""
    at = _interface(atr)[1]
    return atr[at : at + (atr[1] & 0x0F)]


def _more_than_t0(atr: bytes) -> bool:
    """Whether the card offers a protocol that carries extended length fields: T=0 has one length byte."""
    return bool(_interface(atr)[0] - {0x00, 0x0F})


def _interface(atr: bytes) -> tuple[set[int], int]:
    """The protocols that the interface bytes offer, and where these end (8.2.3)."""
    present, at = atr[1] >> 4, 2
    protocols = set()
    while present:
        at += (present & 7).bit_count()
        if not present & 8 or at >= len(atr):
            break
        protocols.add(atr[at] & 0x0F)
        present = atr[at] >> 4
        at += 1
    return protocols, at


def _integers(information: bytes) -> list[int]:
    numbers = []
    at = 0
    while at + 2 <= len(information) and information[at] == 0x02:
        length = information[at + 1]
        numbers.append(int.from_bytes(information[at + 2 : at + 2 + length], "big"))
        at += 2 + length
    return numbers
