"""A finger on the chip: minutiae in the compact card format with a header that says what they are.

The data group is a biometric information template (ISO/IEC 7816-11:2017, 6.3; 19794-2:2005, 9): header A1
with biometric type, subtype, owner and type of the format, then the biometric data 7F2E. So a reader, or a
card that compares by itself, finds all that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.cardperso import tlv
from services.cardperso.chip import minutiae
from services.cardperso.chip.minutiae import MINUTIA_BYTES, Minutia, MinutiaeError
from services.cardperso.chip.refusal import ChipRefusal, MissingRefusal
from services.cardperso.holder import Finger, Holder

FEWEST = 12
"""Minutiae below which a comparison says nothing; twelve are the classic rule of dactyloscopy."""
_TEMPLATE, _HEADER, _DATA, _STANDARD_DATA = 0x7F60, 0xA1, 0x7F2E, 0x81
_FINGER = b"\x08"
_SC37, _COMPACT = b"\x01\x01", b"\x00\x05"
_SUBTYPES = (0x00, 0x05, 0x09, 0x0D, 0x11, 0x15, 0x06, 0x0A, 0x0E, 0x12, 0x16)
"""Biometric subtype by the position code of 19794-2: unknown, right thumb … right little, left thumb …"""


@dataclass(frozen=True)
class StoredFinger:
    """What a chip says of a finger."""

    position: int
    minutiae: tuple[Minutia, ...]


def finger(holder: Holder, rank: int, budget: int) -> bytes:
    """Content of a data group: the finger of the `rank`th best quality (from 1), in at most `budget` bytes.

    Raises:
        MissingRefusal: the record has fewer fingers.
        ChipRefusal: the record is unreadable, or holds too few minutiae.
    """
    order = sorted(range(len(holder.fingers)), key=lambda n: -holder.fingers[n].quality)
    if len(order) < rank:
        raise MissingRefusal(
            "FINGER_MISSING",
            f"The record has {len(order) or 'no'} finger{'s' * (len(order) > 1)}; the chip wants {rank}.",
            field="fingers",
            remedy="Capture a finger of usable quality.",
        )
    index = order[rank - 1]
    given, field = holder.fingers[index], f"fingers[{index}]"
    try:
        found = minutiae.from_record(given.template)
    except MinutiaeError as error:
        raise _refusal("FINGER_UNREADABLE", f"{field} cannot be read: {error}.", field, given) from None
    room = (budget - len(encode(StoredFinger(given.position, ())))) // MINUTIA_BYTES
    # Longer lengths take a byte or two more.
    chosen = minutiae.best(found, room - 2)
    if len(chosen) < FEWEST:
        message = f"{field} has {len(chosen)} minutiae; a comparison needs {FEWEST}."
        raise _refusal("FINGER_TOO_FEW_MINUTIAE", message, field, given)
    return encode(StoredFinger(given.position, chosen))


def encode(stored: StoredFinger) -> bytes:
    """The biometric information template of a finger."""
    subtype = bytes([_SUBTYPES[stored.position]])
    fields = ((0x81, _FINGER), (0x82, subtype), (0x87, _SC37), (0x88, _COMPACT))
    header = tlv.encode(_HEADER, b"".join(tlv.encode(tag, value) for tag, value in fields))
    data = tlv.encode(_STANDARD_DATA, minutiae.to_card(stored.minutiae))
    return tlv.encode(_TEMPLATE, header + tlv.encode(_DATA, data))


def decode(content: bytes) -> StoredFinger:
    """The finger of a data group.

    Raises:
        TlvError, MinutiaeError: the bytes are none.
    """
    template = tlv.find(content, _TEMPLATE) or b""
    header = dict(tlv.decode(tlv.find(template, _HEADER) or b""))
    data = tlv.find(tlv.find(template, _DATA) or b"", _STANDARD_DATA)
    subtype = header.get(0x82, b"")
    if data is None or header.get(0x88) != _COMPACT or len(subtype) != 1 or subtype[0] not in _SUBTYPES:
        raise MinutiaeError("no finger in the compact card format")
    return StoredFinger(_SUBTYPES.index(subtype[0]), minutiae.from_card(data))


def _refusal(reason: str, message: str, field: str, given: Finger) -> ChipRefusal:
    return ChipRefusal(
        reason,
        message,
        field=field,
        size=len(given.template),
        remedy="Capture the finger again, or send the record that the ABIS made.",
    )
