"""Arrays as pictures: each returns a `data:` address that an HTML page or an SVG drawing can show."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from services.abis.kernels import F32, U8

# A perceptually even scale from dark blue over green to yellow (viridis, CC0), sampled at nine places.
_SCALE = np.array(
    [
        (68, 1, 84),
        (71, 44, 122),
        (59, 81, 139),
        (44, 113, 142),
        (33, 144, 141),
        (39, 173, 129),
        (92, 200, 99),
        (170, 220, 50),
        (253, 231, 37),
    ],
    dtype=np.float64,
)


def grey(values: U8) -> str:
    """Grey values, shape (height, width)."""
    return _address(Image.fromarray(values, "L"))


def enhanced(values: F32) -> str:
    """An enhanced image: ridges (negative) dark, mean grey where nothing is known."""
    return grey(np.clip(128.0 + 60.0 * values, 0, 255).astype(np.uint8))


def black_on_white(lines: U8) -> str:
    """A binary image, non-zero drawn black."""
    return grey(np.where(lines != 0, 0, 255).astype(np.uint8))


def heat(values: F32, least: float, most: float) -> str:
    """A grid on the colour scale, one pixel a sample; values outside [least, most] take an end colour."""
    share = np.clip((values.astype(np.float64) - least) / (most - least), 0.0, 1.0) * (len(_SCALE) - 1)
    places = np.arange(len(_SCALE))
    colours = np.stack([np.interp(share, places, _SCALE[:, k]) for k in range(3)], axis=-1)
    return _address(Image.fromarray(np.round(colours).astype(np.uint8), "RGB"))


def scale_colour(share: float) -> str:
    """Colour of a share in [0, 1] on the same scale, as CSS."""
    places = np.linspace(0.0, 1.0, len(_SCALE))
    red, green, blue = (round(float(np.interp(share, places, _SCALE[:, k]))) for k in range(3))
    return f"rgb({red},{green},{blue})"


def two_colours(first: U8, second: U8, known: U8 | None = None) -> str:
    """Two binary images of one shape: the first orange, the second blue, both together dark.

    The rest is white, and grey where `known` is zero.
    """
    out = np.full((*first.shape, 3), 255, np.uint8)
    if known is not None:
        out[known == 0] = (222, 222, 222)
    out[(first != 0) & (second == 0)] = (246, 190, 130)
    out[(first == 0) & (second != 0)] = (140, 188, 236)
    out[(first != 0) & (second != 0)] = (96, 92, 104)
    return _address(Image.fromarray(out, "RGB"))


def _address(image: Image.Image) -> str:
    encoded = io.BytesIO()
    image.save(encoded, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(encoded.getvalue()).decode()
