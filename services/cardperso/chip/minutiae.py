"""Finger minutiae: from the record that the ABIS makes to the compact card format (ISO/IEC 19794-2:2005).

A card format has no header. Coordinates are steps of 0.1 mm in one byte each, angles steps of 5.625 degrees:
three bytes a minutia. What reaches beyond 25.5 mm cannot be said; the picture is moved so that as little as
possible does.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = b"FMR\0 20\0"
MINUTIA_BYTES = 3
_HEADER = struct.Struct(">8sIHHHHHBB")
_VIEW = struct.Struct(">BBBB")
_MINUTIA = struct.Struct(">HHBB")
_COORDINATE = 0x3FFF
_STEPS_PER_CM = 100
_MOST = 255


class MinutiaeError(ValueError):
    """The bytes are no finger minutiae record, or no card format; the message says why."""


@dataclass(frozen=True)
class Minutia:
    """Place in steps of 0.1 mm, angle in steps of 360/64 degrees, type as the standard numbers it, quality
    1–100 (0 unknown).
    """

    x: int
    y: int
    angle: int
    kind: int
    quality: int = 0


def from_record(record: bytes) -> tuple[Minutia, ...]:
    """Minutiae of the first finger view of a record (clause 7).

    Raises:
        MinutiaeError: no such record, or cut short.
    """
    try:
        head = _HEADER.unpack_from(record)
        at = _HEADER.size
        _, _, _, count = _VIEW.unpack_from(record, at)
        at += _VIEW.size
        rows = [_MINUTIA.unpack_from(record, at + n * _MINUTIA.size) for n in range(count)]
    except struct.error:
        raise MinutiaeError("the record is cut short") from None
    magic, size, across, down = head[0], head[1], head[5], head[6]
    if magic != MAGIC or size != len(record):
        raise MinutiaeError("it is no ISO/IEC 19794-2:2005 finger minutiae record")
    if not across or not down:
        raise MinutiaeError("the record says no resolution")
    return tuple(
        Minutia(
            x=round((x & _COORDINATE) * _STEPS_PER_CM / across),
            y=round((y & _COORDINATE) * _STEPS_PER_CM / down),
            angle=round(angle / 4) % 64,
            kind=x >> 14,
            quality=quality,
        )
        for x, y, angle, quality in rows
    )


def best(minutiae: tuple[Minutia, ...], most: int) -> tuple[Minutia, ...]:
    """At most this many minutiae that fit the card format: the worst go first, the rest keep their order.

    Where the finger is larger than the format can say, it is moved to its beginning and what still sticks out
    is left out.
    """
    left = min((m.x for m in minutiae), default=0)
    top = min((m.y for m in minutiae), default=0)
    dx = left if max((m.x for m in minutiae), default=0) > _MOST else 0
    dy = top if max((m.y for m in minutiae), default=0) > _MOST else 0
    moved = [Minutia(m.x - dx, m.y - dy, m.angle, m.kind, m.quality) for m in minutiae]
    inside = [m for m in moved if m.x <= _MOST and m.y <= _MOST]
    # Python's sort is stable: of equal qualities the first ones stay.
    chosen = sorted(range(len(inside)), key=lambda n: -inside[n].quality)[:most]
    return tuple(inside[n] for n in sorted(chosen))


def to_card(minutiae: tuple[Minutia, ...]) -> bytes:
    """The compact card format (clause 8)."""
    return b"".join(bytes([m.x, m.y, m.kind << 6 | m.angle]) for m in minutiae)


def from_card(content: bytes) -> tuple[Minutia, ...]:
    """Minutiae in the compact card format; it carries no qualities.

    Raises:
        MinutiaeError: the last one is incomplete.
    """
    if len(content) % MINUTIA_BYTES:
        raise MinutiaeError("the last minutia is incomplete")
    rows = (content[at : at + MINUTIA_BYTES] for at in range(0, len(content), MINUTIA_BYTES))
    return tuple(Minutia(x, y, packed & 0x3F, packed >> 6) for x, y, packed in rows)
