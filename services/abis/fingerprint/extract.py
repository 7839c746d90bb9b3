"""From an image to a template: the whole recipe, one named step a line."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.abis.fingerprint import (
    enhance,
    frame,
    frequency,
    image,
    mask,
    minutiae,
    orientation,
    texture,
    thinning,
)
from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.template import CELL, FREQUENCY_UNIT, Template, cells, quantised
from services.abis.kernels import F32, U8
from services.common.errors import InvalidArgument

Trace = dict[str, NDArray[Any]]


def extract(data: bytes, dpi: float | None = None, *, field: str = "image") -> Template:
    """Template of an encoded image of one finger (PNG, TIFF, BMP, JPEG).

    Raises InvalidArgument as `image.decode` does, and IMAGE_NO_RIDGES where no ridge area is found.
    """
    return extract_pixels(image.decode(data, dpi, field=field), field=field)


def extract_pixels(pixels: U8, *, field: str = "image", trace: Trace | None = None) -> Template:
    """Template of grey values at 500 dpi, ridges dark, shape (height, width).

    trace: receives the intermediates by name, for whoever wants to look inside: level, enhanced and skeleton
    (height, width); area, orientation (c, s), wave and power, one a block.
    """
    valid, mean, contrast = frame.fill(pixels)
    level = frame.level(pixels, valid, mean, contrast)
    area = mask.candidates(contrast)
    c, s = orientation.estimate(level, np.ones_like(contrast), orientation.COARSE)
    wave = frequency.estimate(level, orientation.angles(c, s), area)
    enhanced, power = enhance.gabor(level, c, s, wave, area)
    # The first pass shows where the ridges are; the second takes their orientation from the enhanced image.
    area = mask.ridges(power, contrast)
    _require_ridges(area, field)
    c, s = orientation.estimate(enhanced, area.astype(np.float32), orientation.FINE)
    wave = frequency.estimate(level, orientation.angles(c, s), area)
    enhanced, power = enhance.gabor(level, c, s, wave, area)
    skeleton = thinning.skeleton(enhanced, area)
    found = minutiae.detect(skeleton, enhanced, c, s, power, area)
    found = minutiae.best(found, p.MAX_MINUTIAE)
    signs = texture.encode(enhanced, area)
    if trace is not None:
        trace.update(level=level, area=area, c=c, s=s, wave=wave, power=power)
        trace.update(enhanced=enhanced, skeleton=skeleton)
    return _template(pixels, found, c, s, wave, area, signs)


def _require_ridges(area: mask.Mask, field: str) -> None:
    if int(area.sum()) < p.MIN_MASK_BLOCKS:
        raise InvalidArgument(
            "IMAGE_NO_RIDGES",
            "No area with ridges was found in the image.",
            field=field,
            remedy="Clean the finger and the scanner, press a little more, and capture again.",
        )


def _template(
    pixels: U8, found: minutiae.Minutiae, c: F32, s: F32, wave: F32, area: mask.Mask, signs: U8
) -> Template:
    height, width = pixels.shape
    rows, columns = cells(height), cells(width)
    y, x = ((np.mgrid[:rows, :columns] + 0.5) * CELL - 0.5).astype(np.float32)
    shape = (rows, columns)

    def coarse(values: F32) -> F32:
        return minutiae.read_grid(x.ravel(), y.ravel(), values).reshape(shape)

    theta = orientation.angles(coarse(c), coarse(s))
    inside = coarse(area.astype(np.float32)) >= 0.5
    steps = np.clip(np.round(coarse(wave) / FREQUENCY_UNIT), 1, 255)
    points = np.column_stack([found.x, found.y, found.angle, found.quality]).astype(np.float32)
    return quantised(
        Template(
            width,
            height,
            points,
            found.kind.copy(),
            (np.round(theta * (256 / np.pi)).astype(np.int64) % 256).astype(np.uint8),
            np.where(inside, steps, 0).astype(np.uint8),
            signs,
            from_image=True,
        )
    )
