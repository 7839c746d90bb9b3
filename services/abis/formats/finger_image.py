"""One finger image inside a container."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PackedImage:
    """What a container says of one finger image.

    content: an image file, or where `raw` the grey values row by row, one byte each; dpi: horizontal and
    vertical resolution, 0 where the container has none; position: finger code of ISO/IEC 19794, 0 unknown.
    """

    content: bytes
    raw: bool
    width: int
    height: int
    dpi: tuple[float, float]
    position: int = 0
