"""Which container finger images come in, and the images in it."""

from __future__ import annotations

import re

from services.abis.formats import iso19794_4, nist_itl
from services.abis.formats.finger_image import PackedImage
from services.common.errors import InvalidArgument

MOST_IMAGES = 40
"""Images in one file: rolled and plain prints of ten fingers, twice. A few bytes can be an image that takes
long to look at.
"""


def unpack(data: bytes, *, field: str) -> tuple[PackedImage, ...] | None:
    """The finger images of an ISO/IEC 19794-4 record or an ANSI/NIST-ITL file; None where `data` is neither.

    Raises InvalidArgument: IMAGE_HEADER, IMAGE_LENGTH, IMAGE_VALUE with the offset of what is wrong, and
    IMAGE_COUNT where there is no finger image, or are absurdly many.
    """
    if data[:4] == iso19794_4.MAGIC:
        images = iso19794_4.read(data, field=field)
    elif re.match(rb"1\.0*1:", data[:16]) or nist_itl.is_xml(data):
        images = nist_itl.read(data, field=field)
    else:
        return None
    if not 1 <= len(images) <= MOST_IMAGES:
        raise InvalidArgument(
            "IMAGE_COUNT",
            f"The file has {len(images)} finger images; 1 to {MOST_IMAGES} are accepted.",
            field=field,
            remedy="Send the images of one person, and at least one.",
        )
    return images


def only(images: tuple[PackedImage, ...], *, field: str) -> PackedImage:
    """The one image of a file that must have one; InvalidArgument IMAGE_COUNT where there are several."""
    if len(images) != 1:
        raise InvalidArgument(
            "IMAGE_COUNT",
            f"The file has {len(images)} finger images where exactly one is expected.",
            field=field,
            remedy="Send one finger here.",
        )
    return images[0]
