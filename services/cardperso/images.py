"""Captured images, opened with care: they come from outside."""

from __future__ import annotations

import io
import warnings

from PIL import Image

from services.cardperso.chip.refusal import ChipRefusal

MAX_PIXELS = 25_000_000
_FORMATS = ("PNG", "JPEG", "JPEG2000", "TIFF", "BMP")


def open_image(content: bytes, field: str) -> Image.Image:
    """The picture as RGB on white.

    Raises:
        ChipRefusal: not an image, cut short, or of more than 25 million pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images; they are refused here
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} × {image.height} pixels are too many")
            image.load()
            layered = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ChipRefusal(
            "IMAGE_UNREADABLE",
            f"The {field} image cannot be read: {error}.",
            field=field,
            size=len(content),
            remedy="Capture it again as PNG or JPEG.",
        ) from None
    paper = Image.new("RGBA", layered.size, "white")
    paper.alpha_composite(layered)
    return paper.convert("RGB")


def crop_to(image: Image.Image, width: int, height: int) -> Image.Image:
    """The largest part of the middle with the ratio of `width` to `height`, resized to it."""
    scale = max(width / image.width, height / image.height)
    across, down = width / scale, height / scale
    left, top = (image.width - across) / 2, (image.height - down) / 2
    return image.resize((width, height), Image.Resampling.LANCZOS, (left, top, left + across, top + down))
