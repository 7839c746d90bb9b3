"""The minutia as all finger minutiae records store it, and what a record of any kind says of one finger.

ISO/IEC 19794-2 (2005 and 2011) and ANSI/INCITS 378-2004 share the same five or six bytes: 2 bits type, 14
bits x; 2 bits reserved, 14 bits y; angle; and, in six bytes, quality. They differ in the unit of the angle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from services.abis.formats.fields import Layout, Reader

MAX_COORDINATE = (1 << 14) - 1
MAX_POSITION = 10
"""Highest finger position (left little finger); 0 is unknown."""
_WITH_QUALITY = Layout("minutiae", "x:H y:H angle:B quality:B")
_PLAIN = Layout("minutiae", "x:H y:H angle:B")


class MinutiaType(IntEnum):
    """Kind of a minutia as the record stores it."""

    OTHER = 0
    ENDING = 1
    BIFURCATION = 2


@dataclass(frozen=True)
class Minutia:
    """One minutia: pixels from the upper left corner, angle in the record's steps counter-clockwise from the
    right, quality from 1 to 100 (0: not reported).
    """

    x: int
    y: int
    angle: int
    type: MinutiaType
    quality: int = 0


@dataclass(frozen=True)
class FingerMinutiae:
    """One impression of one finger, whatever record it came from.

    position: 0 unknown, 1 right thumb … 10 left little finger; size in pixels, resolution in pixels per
    centimetre; angle_unit: degrees of one step of a minutia's angle.
    """

    position: int
    width: int
    height: int
    resolution_x: int
    resolution_y: int
    angle_unit: float
    minutiae: tuple[Minutia, ...]


def read_minutiae(
    reader: Reader, count: int, width: int, height: int, *, steps: int, most_quality: int | None = 100
) -> tuple[Minutia, ...]:
    """The next `count` minutiae, all within the image.

    steps: how many values an angle can have; most_quality: highest quality that may stand there, None in
    records of five bytes a minutia.
    """
    layout = _PLAIN if most_quality is None else _WITH_QUALITY
    found = []
    for _ in range(count):
        m = reader.take(layout)
        if m["x"] >> 14 == 3:
            raise reader.error("VALUE", m.at, "Minutia type 3 is reserved.")
        x, y = m["x"] & MAX_COORDINATE, m["y"] & MAX_COORDINATE
        if x >= width or y >= height:
            where = f"Minutia ({x}, {y}) lies outside of the image of {width}x{height} pixels."
            raise reader.error("VALUE", m.at, where)
        if m["angle"] >= steps:
            raise reader.error("VALUE", m.offset("angle"), f"There is no angle of {m['angle']} steps.")
        quality = 0
        if most_quality is not None:
            quality = m["quality"]
            if quality > most_quality:
                at = m.offset("quality")
                raise reader.error("VALUE", at, f"Minutia quality {quality} is above {most_quality}.")
        found.append(Minutia(x, y, m["angle"], MinutiaType(m["x"] >> 14), quality))
    return tuple(found)


def write_minutiae(minutiae: Sequence[Minutia], *, steps: int, most_quality: int | None = 100) -> bytes:
    """Minutiae as read_minutiae reads them; ValueError where a number does not fit."""
    out = bytearray()
    for m in minutiae:
        fits = 0 <= m.x <= MAX_COORDINATE and 0 <= m.y <= MAX_COORDINATE and 0 <= m.angle < steps
        if not fits or not 0 <= m.quality <= (most_quality or 0):
            raise ValueError(f"A minutia record cannot hold {m}.")
        layout = _PLAIN if most_quality is None else _WITH_QUALITY
        out += layout.pack(x=m.type << 14 | m.x, y=m.y, angle=m.angle, quality=m.quality)
    return bytes(out)


def read_position(reader: Reader, position: int, at: int) -> int:
    """A finger position, if it exists."""
    if position > MAX_POSITION:
        raise reader.error("VALUE", at, f"Finger position {position} does not exist.")
    return position
