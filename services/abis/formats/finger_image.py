"""One finger image inside a container."""

from __future__ import annotations

from dataclasses import dataclass

from services.abis.formats.fields import Reader

Box = tuple[int, int, int, int]
"""Left, upper, right and lower edge in pixels; the right and lower ones are outside."""
_PLAIN_THUMBS = {11: 1, 12: 6}
_MOST_FINGER = 10
_SLAPS = frozenset({13, 14, 15, *range(40, 51)})
"""Codes of both thumbs, of the four fingers of a hand, and of two or three neighbours (ANSI/NIST-ITL)."""


@dataclass(frozen=True)
class PackedImage:
    """What a container says of one finger image.

    content: an image file, or where `raw` the grey values row by row, one byte each; dpi: horizontal and
    vertical resolution, 0 where the container has none; position: finger code of ISO/IEC 19794, 0 unknown;
    box: the part of it that shows the finger, None for all of it.
    """

    content: bytes
    raw: bool
    width: int
    height: int
    dpi: tuple[float, float]
    position: int = 0
    box: Box | None = None


def finger(reader: Reader, position: int, at: int) -> int:
    """Code of one finger from the position code of an image; plain thumbs (11, 12) are thumbs.

    Refuses what shows several fingers at once (IMAGE_VALUE); palms, and whatever else is no finger, count as
    unknown and fail for what they show.
    """
    if position in _SLAPS:
        raise reader.error(
            "VALUE",
            at,
            f"The image of position {position} shows several fingers without the place of each.",
            remedy="Cut it into one image a finger, or give their places (ANSI/NIST-ITL field 14.021).",
        )
    return _PLAIN_THUMBS.get(position, position if position <= _MOST_FINGER else 0)
