"""Whether an image file is whole and of a sane size, before anything is stored."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from services.common.errors import InvalidArgument

#: What the ABIS and the card faces read; each is recognised by its first bytes, never by a name.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
#: Smallest side in pixels that can show a face, a finger or a signature at all.
MIN_SIDE = 32
#: Largest side in pixels: a whole hand at 1,000 dpi. More is a decompression bomb.
MAX_SIDE = 8192
MAX_PIXELS = 25_000_000


def require_whole(content: bytes, field: str) -> None:
    """Decodes the file and throws the pixels away.

    Args:
        content: The file.
        field: Name of the image in the submission, for the error.

    Raises:
        InvalidArgument: ``IMAGE_UNREADABLE``, ``IMAGE_DIMENSIONS`` or ``IMAGE_DAMAGED`` (truncated, wrong
            checksum).
    """
    with _opened(content, field) as image:
        width, height = image.size
        # Looked at before any pixel is decoded.
        if min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
            raise _dimensions(field, f"The image has {width} × {height} pixels.")
        try:
            image.verify()  # checksums, where the format has them; the image is of no use afterwards
        except Exception as error:  # Pillow's readers raise whatever damaged bytes lead them to
            raise _damaged(field) from error
    with _opened(content, field) as image:
        try:
            image.load()  # the pixels, to the last one
        except Exception as error:
            raise _damaged(field) from error


def _opened(content: bytes, field: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise InvalidArgument(
            "IMAGE_UNREADABLE",
            "The file is not an image of a known format, or ends within its header.",
            field=field,
            remedy=f"Send a whole file in one of: {', '.join(FORMATS)}.",
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _dimensions(field, "The image has far too many pixels.") from error
    except Exception as error:
        raise _damaged(field) from error


def _dimensions(field: str, message: str) -> InvalidArgument:
    return InvalidArgument(
        "IMAGE_DIMENSIONS",
        message,
        field=field,
        remedy=f"Send {MIN_SIDE} to {MAX_SIDE} pixels a side and at most {MAX_PIXELS:,} in all.",
    )


def _damaged(field: str) -> InvalidArgument:
    return InvalidArgument(
        "IMAGE_DAMAGED",
        "The image is truncated or damaged.",
        field=field,
        remedy="Read the file from the capture device again, and compare its size and SHA-256.",
    )
