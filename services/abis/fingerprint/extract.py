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
    quality,
    texture,
    thinning,
)
from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.template import CELL, FREQUENCY_UNIT, Template, cells, quantised
from services.abis.kernels import F32, U8
from services.common.errors import InvalidArgument

Trace = dict[str, NDArray[Any]]


def extract(data: bytes, dpi: float | None = None, *, field: str = "image") -> Template:
    """Template of an encoded image of one finger (see `image.decode`).

    Raises InvalidArgument as `image.decode` does; IMAGE_NO_RIDGES where no ridge area, or no clear one, is
    found, and IMAGE_SATURATED where that is because most of it is black.
    """
    return extract_pixels(image.decode(data, dpi, field=field), field=field)


def extract_pixels(pixels: U8, *, field: str = "image", trace: Trace | None = None) -> Template:
    """Template of grey values at 500 dpi, ridges dark, shape (height, width).

    trace: receives the intermediates by name, for whoever wants to look inside: level, enhanced and skeleton
    (height, width); area, orientation (c, s), wave, power and quality, one a block.
    """
    grey = frame.stretch(pixels)
    valid, mean, contrast, share = frame.fill(grey)
    level = frame.level(grey, valid, mean, contrast)
    area = mask.candidates(contrast)
    c, s = orientation.estimate(level, np.ones_like(contrast), orientation.COARSE)
    wave = frequency.estimate(level, orientation.angles(c, s), area)
    enhanced, power = enhance.gabor(level, c, s, wave, area)
    # The first pass shows where the ridges are; the second takes their orientation from the enhanced image.
    area = mask.ridges(power, contrast, share)
    _require_ridges(area, pixels, field)
    c, s = orientation.estimate(enhanced, area.astype(np.float32), orientation.FINE)
    wave = frequency.estimate(level, orientation.angles(c, s), area)
    enhanced, power = enhance.gabor(level, c, s, wave, area)
    skeleton = thinning.skeleton(enhanced, area)
    found = minutiae.detect(skeleton, enhanced, c, s, power, area)
    found = minutiae.best(found, p.MAX_MINUTIAE)
    clear = quality.clarity(power / share, c, s, area)
    _require_clarity(clear, area, field)
    clear *= share
    grade = quality.score(clear, wave, area, found)
    signs = texture.encode(enhanced, area)
    if trace is not None:
        trace.update(level=level, area=area, c=c, s=s, wave=wave, power=power, quality=clear)
        trace.update(enhanced=enhanced, skeleton=skeleton)
    return _template(pixels, found, c, s, wave, area, signs, grade)


def _require_ridges(area: mask.Mask, pixels: U8, field: str) -> None:
    if int(area.sum()) < p.MIN_MASK_BLOCKS:
        if float(np.mean(pixels < p.BLACK)) > p.MOST_BLACK:
            raise InvalidArgument(
                "IMAGE_SATURATED",
                "Most of the image is black: no ridge can be told from its neighbour.",
                field=field,
                remedy="Dry finger and scanner, press less, keep the sun off it, and capture again.",
            )
        raise _no_ridges("No area with ridges was found in the image", field)


def _require_clarity(clear: F32, area: mask.Mask, field: str) -> None:
    """Refuse what the filters take for ridges though it is nowhere like them: lines of text, noise."""
    if clear.max() < p.CLEAR and clear[area].mean() < p.MIN_CLARITY:
        raise _no_ridges("What could be ridges is nowhere clear", field)


def _no_ridges(what: str, field: str) -> InvalidArgument:
    return InvalidArgument(
        "IMAGE_NO_RIDGES",
        f"{what}.",
        field=field,
        remedy="Clean the finger and the scanner, press a little more, and capture again.",
    )


def _template(
    pixels: U8, found: minutiae.Minutiae, c: F32, s: F32, wave: F32, area: mask.Mask, signs: U8, grade: int
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
            quality=grade,
        )
    )
