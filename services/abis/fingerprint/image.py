"""Decoding a picture of one finger into grey values at 500 dpi."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from typing import SupportsFloat

import numpy as np
from PIL import Image, UnidentifiedImageError

from services.abis.fingerprint import parameters as p
from services.abis.formats import wsq_file
from services.abis.formats.finger_image import PackedImage
from services.abis.formats.image_container import only, unpack
from services.abis.kernels import U8
from services.common.errors import InvalidArgument

FORMATS = ("PNG", "TIFF", "BMP", "JPEG", "JPEG2000")
"""Encodings that Pillow decodes, by its names; WSQ and the containers are recognized by their first bytes."""
_MOST_PIXELS_A_SIDE = p.MAX_SIDE * p.MAX_DPI // p.DPI
_MOST_PIXELS = 10_000_000
"""A slap at 1,000 dpi, or a fingertip at 2,000; a few kilobytes can declare any size."""
_SIZ = re.compile(rb"\xff\x4f\xff\x51.{20}(.{4})(.{4})", re.DOTALL)
"""Start of a JPEG 2000 codestream, and its SIZ marker up to the size of a tile."""
_MOST_SCANS = 64
"""Scans of a JPEG file, each of which passes over the whole image: encoders write ten at most."""
_MOST_TILES = 4096
"""Tiles of a JPEG 2000 file, each of which takes some kilobytes of memory though it may have no bytes."""
_AGREEMENT = 0.05
"""Two declarations of one resolution that differ by more contradict each other."""


def decode(data: bytes, dpi: float | None = None, *, field: str = "image") -> U8:
    """Decode an image file and resample it to 500 dpi.

    Parameters
    ----------
    data: PNG, TIFF, BMP, JPEG, JPEG 2000 or WSQ; or one of them, or plain grey values, as the only image of
        an ISO/IEC 19794-4 record or an ANSI/NIST-ITL file (type 4 or 14).
    dpi: its resolution. Without it the file's own declaration counts (PNG pHYs, TIFF and BMP resolution, JFIF
        density or EXIF, the JPEG 2000 capture resolution, the PPI of a WSQ comment, the header of a record),
        and 500 where there is none. No two of them may contradict each other.
    field: dotted path of the request field that carries the image, for errors.

    Returns
    -------
    Grey values, shape (height, width), ridges dark.

    Raises
    ------
    InvalidArgument: IMAGE_EMPTY, IMAGE_TOO_LARGE, IMAGE_UNREADABLE, IMAGE_TRUNCATED, IMAGE_TOO_SMALL,
        IMAGE_RESOLUTION, IMAGE_RESOLUTION_CONTRADICTED, IMAGE_BLANK, IMAGE_COUNT and, for containers and WSQ,
        IMAGE_HEADER, IMAGE_LENGTH and IMAGE_VALUE; each with the remedy.
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
    packed = unpack(data, field=field)
    if packed is not None:
        return decode_packed(only(packed, field=field), dpi, field=field)
    pixels, declared = _pixels(data, field)
    return resample(pixels, _resolution(dpi, declared, field), field=field)


def decode_packed(packed: PackedImage, dpi: float | None = None, *, field: str = "image") -> U8:
    """Decode one image of a container and resample it to 500 dpi; as `decode`."""
    pixels, declared = _contained(packed, field)
    if packed.box is not None:
        left, top, right, bottom = packed.box
        pixels = pixels[top:bottom, left:right]
    return resample(pixels, _resolution(dpi, declared, field), field=field)


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


def _resolution(requested: float | None, declared: float | None, field: str) -> float:
    """The resolution that counts: the request's, else the file's, else that of nearly every scanner."""
    return _agreed(("request", requested), ("file", declared), field) or float(p.DPI)


def _agreed(first: tuple[str, float | None], second: tuple[str, float | None], field: str) -> float | None:
    """The first of two declarations (by whom, dpi) that says anything; the two must not contradict each
    other.
    """
    (one, x), (other, y) = first, second
    if x and y and abs(y / x - 1.0) > _AGREEMENT:
        raise InvalidArgument(
            "IMAGE_RESOLUTION_CONTRADICTED",
            f"The {other} declares {y:g} dpi, the {one} {x:g}.",
            field=field,
            remedy="Find out the scanner's true resolution and declare that one.",
        )
    return x or y


def _contained(packed: PackedImage, field: str) -> tuple[U8, float | None]:
    """Grey values of an image in a container, and the resolution that both declare or one of them."""
    _require_size(packed.width, packed.height, field)
    if packed.raw:
        if len(packed.content) != packed.width * packed.height:
            raise InvalidArgument(
                "IMAGE_TRUNCATED",
                f"{packed.width}x{packed.height} pixels are not {len(packed.content)} bytes.",
                field=field,
                remedy="Send the complete file as the scanner wrote it.",
            )
        pixels: U8 = np.frombuffer(packed.content, np.uint8).reshape(packed.height, packed.width)
        inner = None
    else:
        pixels, inner = _pixels(packed.content, field)
        if pixels.shape != (packed.height, packed.width):
            raise InvalidArgument(
                "IMAGE_VALUE",
                f"The image has {pixels.shape[1]}x{pixels.shape[0]} pixels, its header says "
                f"{packed.width}x{packed.height}.",
                field=field,
                remedy="Send the complete file as the scanner wrote it.",
            )
    declared = _declared(packed.dpi, field)
    if declared is None and min(packed.dpi) > 0:
        # Nobody writes a biometric record by accident: what it declares is meant, and refused later.
        declared = packed.dpi[0]
    return pixels, _agreed(("record", declared), ("image in it", inner), field)


def _pixels(data: bytes, field: str) -> tuple[U8, float | None]:
    """Decode an image file to 8-bit grey; also the resolution that it declares, if a plausible one."""
    try:
        if data.startswith(wsq_file.MAGIC):
            wsq = wsq_file.read(data, field=field)
            _require_size(*wsq.size, field)
            return wsq_file.decode(wsq, field=field), _declared((wsq.dpi, wsq.dpi), field)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # of metadata that nobody needs
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _require_size(image.width, image.height, field)
                _require_plain(data, image, field)
                declared = image.info.get("dpi", (0, 0))
                return _grey(image), _declared(declared, field)
    except InvalidArgument:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large("The image declares an absurd size", field) from error
    except UnidentifiedImageError as error:
        raise InvalidArgument(
            "IMAGE_UNREADABLE",
            f"The bytes are no image in a known encoding ({', '.join((*FORMATS, 'WSQ'))}).",
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


def _require_size(width: int, height: int, field: str) -> None:
    """Refuse what is not one finger before room for its pixels is taken."""
    if max(width, height) > _MOST_PIXELS_A_SIDE or width * height > _MOST_PIXELS:
        raise _too_large(f"The image is {width}x{height} pixels", field)


def _require_plain(data: bytes, image: Image.Image, field: str) -> None:
    """Refuse JPEG and JPEG 2000 files that are built to take long, or much memory, to decode."""
    if data.startswith(b"\xff\xd8"):
        parts, most = data.count(b"\xff\xda"), _MOST_SCANS
    elif image.format == "JPEG2000":
        # Whatever looks like the start of a codestream: nobody can hide the real one behind another.
        tiles = [
            [int.from_bytes(side, "big") or 1 for side in found.groups()] for found in _SIZ.finditer(data)
        ]
        parts = max((-(-image.width // x) * -(-image.height // y) for x, y in tiles), default=0)
        most = _MOST_TILES
    else:
        return
    if parts > most:
        raise InvalidArgument(
            "IMAGE_VALUE",
            f"The {image.format} file has {parts} scans or tiles: no scanner writes so many.",
            field=field,
            remedy="Send the image as 8-bit grey PNG.",
        )


def _too_large(what: str, field: str) -> InvalidArgument:
    return InvalidArgument(
        "IMAGE_TOO_LARGE", f"{what}: not one finger.", field=field, remedy="Send one finger per image."
    )


def _declared(dpi: Sequence[SupportsFloat], field: str) -> float | None:
    """The resolution that a file declares, or None: cameras and editors write 72 or 96 for "unknown", so that
    only a scanner's resolution is believed.
    """
    try:
        x, y = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (p.MIN_DPI <= x <= p.MAX_DPI and p.MIN_DPI <= y <= p.MAX_DPI):
        return None
    if abs(x / y - 1.0) > _AGREEMENT:
        raise InvalidArgument(
            "IMAGE_RESOLUTION",
            f"The file declares {x:g} dpi across and {y:g} down; pixels must be square.",
            field=field,
            remedy="Resample the image to one resolution.",
        )
    return x


def _grey(image: Image.Image) -> U8:
    """8-bit grey values of an image of any mode; 16-bit values are scaled by their own range."""
    if image.mode.startswith(("I", "F")):
        wide = np.asarray(image, dtype=np.float32)
        low, high = float(wide.min()), float(wide.max())
        scaled = (wide - low) * (255.0 / (high - low)) if high > low else wide * 0.0
        return np.ascontiguousarray(np.rint(scaled).astype(np.uint8))
    if image.mode in ("LA", "RGBA", "PA"):
        opaque = Image.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return np.asarray(opaque.convert("L"), dtype=np.uint8)
    return np.asarray(image.convert("L"), dtype=np.uint8)
