"""The intermediates of one extraction, by the names under which the extractor's recipe reports them."""

from __future__ import annotations

from dataclasses import dataclass

from services.abis.fingerprint import extract, image
from services.abis.fingerprint.mask import Mask
from services.abis.fingerprint.template import Template
from services.abis.kernels import F32, U8


@dataclass(frozen=True, eq=False)
class Steps:
    """What the extractor saw of one finger.

    pixels: (height, width) at 500 dpi. area, clarity, wave: grids of 8 px blocks: ridge area, clarity of
    its ridges from 0 to 1, ridge frequency in cycles per pixel. enhanced: (height, width), ridges negative,
    RMS 1. skeleton: (height, width), non-zero on ridges, None where the detector works without one.
    """

    pixels: U8
    area: Mask
    clarity: F32
    wave: F32
    enhanced: F32
    skeleton: U8 | None
    template: Template


def trace(data: bytes, dpi: float | None = None, *, field: str = "image") -> Steps:
    """Extract an encoded image of one finger and keep the intermediates; errors as `extract.extract`."""
    pixels = image.decode(data, dpi, field=field)
    seen: extract.Trace = {}
    template = extract.extract_pixels(pixels, field=field, trace=seen)
    return Steps(
        pixels, seen["area"], seen["quality"], seen["wave"], seen["enhanced"], seen.get("skeleton"), template
    )
