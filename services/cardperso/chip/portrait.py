"""Data groups 2 and 3: portrait and signature, squeezed into their budgets."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from services.cardperso.chip.refusal import ChipRefusal, over_budget
from services.cardperso.images import crop_to, open_image

SIGNATURE_WIDTHS = range(320, 159, -16)
"""Pixels; the height is two fifths of it at most."""
_INK = 160
"""Darker than this is ink."""


def portrait(face: bytes, budget: int, size: tuple[int, int]) -> bytes:
    """The face as JPEG 2000 codestream (ISO/IEC 15444-1) of `size` pixels and at most `budget` bytes.

    JPEG 2000 is given the size to reach, so the best picture for the bytes needs few attempts; at these sizes
    it keeps a face recognizable where JPEG breaks into blocks.

    Raises:
        ChipRefusal: no image.
    """
    image = crop_to(open_image(face, "face"), *size)
    raw = image.width * image.height * 3
    target = budget
    while True:
        file = io.BytesIO()
        image.save(
            file,
            "JPEG2000",
            no_jp2=True,
            irreversible=True,
            quality_mode="rates",
            quality_layers=[raw / target],
        )
        if file.tell() <= budget:
            return file.getvalue()
        target -= max(16, file.tell() - budget)
        if target < budget // 2:
            raise over_budget("face", file.tell(), budget, "Capture the face before a plain background.")


def signature(image: bytes, budget: int) -> bytes:
    """The signature's ink in black and white, TIFF with ITU-T T.6 coding, of at most `budget` bytes and as
    large as fits. Pen lines take half of the bytes that they would take as PNG.

    Raises:
        ChipRefusal: no image, no ink, or too many bytes even at the smallest size.
    """
    grey = open_image(image, "signature").convert("L")
    ink = ImageOps.invert(grey).point(lambda level: 255 if level > 255 - _INK else 0).getbbox()
    if ink is None:
        raise ChipRefusal(
            "SIGNATURE_EMPTY",
            "The signature image has no ink.",
            field="signature",
            size=len(image),
            remedy="Capture the signature again.",
        )
    trimmed = grey.crop(ink)
    content = b""
    for width in SIGNATURE_WIDTHS:
        fitted = ImageOps.contain(trimmed, (width, width * 2 // 5), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        fitted.point(lambda level: 255 if level > _INK else 0).convert("1", dither=Image.Dither.NONE).save(
            file, "TIFF", compression="group4"
        )
        content = file.getvalue()
        if len(content) <= budget:
            return content
    raise over_budget("signature", len(content), budget, "Capture the signature without background.")
