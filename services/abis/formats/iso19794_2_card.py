"""ISO/IEC 19794-2:2005 card formats (clause 8): minutiae for comparison on a card, without any header.

Lengths are in millimetres, so that a card needs no resolution. Normal: five bytes a minutia, steps of 0.01 mm
and 1.40625 degrees. Compact: three bytes, steps of 0.1 mm and 5.625 degrees; it reaches 25.5 mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from services.abis.formats.fields import Layout, Reader
from services.abis.formats.minutiae import MAX_COORDINATE, Minutia, MinutiaType

_NORMAL = Layout("minutiae", "x:H y:H angle:B")
_COMPACT = Layout("minutiae", "x:B y:B packed:B")


@dataclass(frozen=True)
class _Scale:
    size: int
    steps_per_mm: int
    angle_steps: int
    most: int


class CardFormat(Enum):
    """How a minutia is packed."""

    NORMAL = _Scale(_NORMAL.size, 100, 256, MAX_COORDINATE)
    COMPACT = _Scale(_COMPACT.size, 10, 64, 255)

    @property
    def size(self) -> int:
        """Bytes a minutia."""
        return self.value.size

    @property
    def steps_per_mm(self) -> int:
        """Steps of a coordinate in one millimetre."""
        return self.value.steps_per_mm

    @property
    def angle_unit(self) -> float:
        """Degrees of one step of an angle."""
        return 360.0 / self.value.angle_steps

    @property
    def most(self) -> int:
        """Largest coordinate."""
        return self.value.most


def write(minutiae: Sequence[Minutia], packing: CardFormat) -> bytes:
    """Encode minutiae whose x, y and angle are in the format's steps; their quality is not carried.

    ValueError where a number does not fit.
    """
    out = bytearray()
    for m in minutiae:
        fits = 0 <= m.x <= packing.most and 0 <= m.y <= packing.most
        if not fits or not 0 <= m.angle < packing.value.angle_steps:
            raise ValueError(f"The {packing.name.lower()} card format cannot hold {m}.")
        if packing is CardFormat.NORMAL:
            out += _NORMAL.pack(x=m.type << 14 | m.x, y=m.y, angle=m.angle)
        else:
            out += _COMPACT.pack(x=m.x, y=m.y, packed=m.type << 6 | m.angle)
    return bytes(out)


def read(data: bytes, packing: CardFormat, *, field: str = "record") -> tuple[Minutia, ...]:
    """Decode minutiae; x, y and angle are in the format's steps.

    Raises InvalidArgument: TEMPLATE_LENGTH where the last minutia is incomplete, TEMPLATE_VALUE for the
    reserved type.
    """
    reader = Reader(data, f"ISO/IEC 19794-2:2005 card format ({packing.name.lower()})", field)
    found = []
    while reader.left:
        if packing is CardFormat.NORMAL:
            m = reader.take(_NORMAL)
            kind, x, y, angle = m["x"] >> 14, m["x"] & MAX_COORDINATE, m["y"] & MAX_COORDINATE, m["angle"]
        else:
            m = reader.take(_COMPACT)
            kind, x, y, angle = m["packed"] >> 6, m["x"], m["y"], m["packed"] & 0x3F
        if kind == 3:
            raise reader.error("VALUE", m.at, "Minutia type 3 is reserved.")
        found.append(Minutia(x, y, angle, MinutiaType(kind)))
    return tuple(found)
