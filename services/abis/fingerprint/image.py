"""Decoding a picture of one finger into grey values at 500 dpi."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, UnidentifiedImageError

from services.abis.fingerprint import parameters as p
from services.abis.kernels import U8
from services.common.errors import InvalidArgument

FORMATS = ("PNG", "TIFF", "BMP", "JPEG")
"""Encodings accepted, by Pillow's names."""


def decode(data: bytes, dpi: float | None = None, *, field: str = "image") -> U8:
    """Decode a PNG, TIFF, BMP or JPEG image and resample it to 500 dpi.

    Parameters
    ----------
    data: the encoded image.
    dpi: its resolution; without it the file's own declaration counts, and 500 where there is none.
    field: dotted path of the request field that carries the image, for errors.

    Returns
    -------
    Grey values, shape (height, width), ridges dark.

    Raises
    ------
    InvalidArgument: IMAGE_EMPTY, IMAGE_TOO_LARGE, IMAGE_UNREADABLE, IMAGE_TRUNCATED, IMAGE_TOO_SMALL,
        IMAGE_RESOLUTION, IMAGE_BLANK, each with the remedy.
    """
    if not data:
        raise InvalidArgument("IMAGE_EMPTY", "The image has no bytes.", field=field, remedy="Send the image.")
    if len(data) > p.MAX_IMAGE_BYTES:
        raise InvalidArgument(
            "IMAGE_TOO_LARGE",
            f"The image has {len(data)} bytes; at most {p.MAX_IMAGE_BYTES} are accepted.",
            field=field,
            remedy="Send one finger per image, compressed as PNG.",
        )
    pixels, declared = _pixels(data, field)
    return resample(pixels, dpi or declared or float(p.DPI), field=field)


def scale(dpi: float) -> float:
    """Factor from an image's resolution to 500 dpi.

    Resolutions within 2 % of 500 dpi are left alone: resampling would blur more than it corrects.
    """
    return 1.0 if abs(p.DPI / dpi - 1.0) <= 0.02 else p.DPI / dpi


def resample(pixels: U8, dpi: float, *, field: str = "image") -> U8:
    """Bring grey values to 500 dpi and refuse what cannot be a finger (sizes, blank)."""
    if not p.MIN_DPI <= dpi <= p.MAX_DPI:
        raise InvalidArgument(
            "IMAGE_RESOLUTION",
            f"A resolution of {dpi:g} dpi is not that of a finger scanner ({p.MIN_DPI} to {p.MAX_DPI}).",
            field=field,
            remedy="Declare the scanner's true resolution in dots per inch.",
        )
    height, width = (round(side * scale(dpi)) for side in pixels.shape)
    if min(height, width) < p.MIN_SIDE:
        raise InvalidArgument(
            "IMAGE_TOO_SMALL",
            f"The image is {width}x{height} pixels at 500 dpi; a finger needs {p.MIN_SIDE} on each side.",
            field=field,
            remedy="Capture the whole fingertip, or correct the declared resolution.",
        )
    if max(height, width) > p.MAX_SIDE:
        raise InvalidArgument(
            "IMAGE_TOO_LARGE",
            f"The image is {width}x{height} pixels at 500 dpi; one finger has at most {p.MAX_SIDE}.",
            field=field,
            remedy="Send one finger per image, or correct the declared resolution.",
        )
    if (height, width) != pixels.shape:
        resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
        pixels = np.asarray(resized, dtype=np.uint8)
    if int(pixels.max()) - int(pixels.min()) < 8:
        raise InvalidArgument(
            "IMAGE_BLANK",
            "The image has no contrast: nothing touched the sensor, or all of it is saturated.",
            field=field,
            remedy="Capture the finger again.",
        )
    return np.array(pixels, dtype=np.uint8, order="C")  # writable, owned


def _pixels(data: bytes, field: str) -> tuple[U8, float | None]:
    """Decode to 8-bit grey; also the resolution that the file declares, if a plausible one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if max(image.size) > p.MAX_SIDE * p.MAX_DPI // p.DPI:
                    raise InvalidArgument(
                        "IMAGE_TOO_LARGE",
                        f"The image is {image.width}x{image.height} pixels: not one finger.",
                        field=field,
                        remedy="Send one finger per image.",
                    )
                declared = image.info.get("dpi", (None,))[0]
                pixels = _grey(image)
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidArgument(
            "IMAGE_UNREADABLE",
            f"The bytes are no image in a known encoding ({', '.join(FORMATS)}).",
            field=field,
            remedy="Send the image as 8-bit grey PNG.",
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError) as error:
        raise InvalidArgument(
            "IMAGE_TRUNCATED",
            "The image ends early or its content is damaged.",
            field=field,
            remedy="Send the complete file as the scanner wrote it.",
        ) from error
    # Cameras and editors write 72 or 96 for "unknown": only a scanner's resolution is believed.
    plausible = isinstance(declared, (int, float)) and p.MIN_DPI <= float(declared) <= p.MAX_DPI
    return pixels, float(declared) if plausible else None


def _grey(image: Image.Image) -> U8:
    """8-bit grey values of an image of any mode; 16-bit values are scaled by their own range."""
    if image.mode.startswith(("I", "F")):
        wide = np.asarray(image, dtype=np.float64)
        low, high = float(wide.min()), float(wide.max())
        scaled = (wide - low) * (255.0 / (high - low)) if high > low else wide * 0.0
        return np.ascontiguousarray(np.rint(scaled).astype(np.uint8))
    if image.mode in ("LA", "RGBA", "PA"):
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return np.asarray(opaque.convert("L"), dtype=np.uint8)
    return np.asarray(image.convert("L"), dtype=np.uint8)
