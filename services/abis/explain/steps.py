"""The intermediates of one extraction, by the names under which the extractor's recipe reports them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.abis.fingerprint import extract, image, interchange
from services.abis.fingerprint.mask import Mask
from services.abis.fingerprint.parameters import BLOCK
from services.abis.fingerprint.template import CELL, Template
from services.abis.formats import finger_record
from services.abis.kernels import F32, U8
from services.common.errors import InvalidArgument


@dataclass(frozen=True, eq=False)
class Steps:
    """What the extractor saw of one finger.

    pixels: (height, width) at 500 dpi. area, clarity, wave: grids of 8 px blocks: ridge area, clarity of
    its ridges from 0 to 1, ridge frequency in cycles per pixel. enhanced: (height, width), ridges negative,
    RMS 1. skeleton: (height, width), non-zero on ridges, None where the detector works without one. Of a
    finger of which only minutiae are known (`template.from_image`) the picture is white, and area what they
    span.
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


def recorded(data: bytes, *, field: str = "record") -> Steps:
    """What is known of a finger from a minutiae record of one finger view; errors as `finger_record.read`,
    and TEMPLATE_VIEWS where there is not exactly one.
    """
    fingers = finger_record.read(data, field=field)
    if len(fingers) != 1:
        raise InvalidArgument(
            "TEMPLATE_VIEWS",
            f"The record has {len(fingers)} finger views; exactly one can be shown.",
            field=field,
            remedy="Give a record of one finger.",
        )
    template = interchange.from_record(fingers[0], field=field)
    shape = -(-template.height // BLOCK), -(-template.width // BLOCK)
    area = np.repeat(np.repeat(template.frequency != 0, CELL // BLOCK, 0), CELL // BLOCK, 1)
    nothing = np.zeros(shape, np.float32)
    white = np.full((template.height, template.width), 255, np.uint8)
    enhanced = np.zeros(white.shape, np.float32)
    return Steps(white, area[: shape[0], : shape[1]], nothing, nothing, enhanced, None, template)


def look(data: bytes, dpi: float | None = None, *, field: str = "finger") -> Steps:
    """`trace` of an image, `recorded` of a minutiae record."""
    if data.startswith(finger_record.MAGIC):
        return recorded(data, field=field)
    return trace(data, dpi, field=field)
