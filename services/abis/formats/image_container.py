"""Which container a finger image comes in, and the one image in it."""

from __future__ import annotations

import re

from services.abis.formats import iso19794_4, nist_itl
from services.abis.formats.finger_image import PackedImage
from services.common.errors import InvalidArgument


def unpack(data: bytes, *, field: str) -> PackedImage | None:
    """The one finger image of an ISO/IEC 19794-4 record or an ANSI/NIST-ITL file; None where `data` is
    neither.

    Raises InvalidArgument: IMAGE_HEADER, IMAGE_LENGTH, IMAGE_VALUE with the offset of what is wrong, and
    IMAGE_COUNT where there is not exactly one finger image.
    """
    if data[:4] == iso19794_4.MAGIC:
        images = iso19794_4.read(data, field=field)
    elif re.match(rb"1\.0*1:", data[:16]):
        images = nist_itl.read(data, field=field)
    else:
        return None
    if len(images) != 1:
        raise InvalidArgument(
            "IMAGE_COUNT",
            f"The file has {len(images)} finger images; exactly one is expected.",
            field=field,
            remedy="Send one finger a sample.",
        )
    return images[0]
