"""Draw a card's faces from a template."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import segno
from PIL import Image, ImageChops, ImageDraw, ImageOps

from services.cardperso.face import guilloche, text
from services.cardperso.face.fields import texts, zone
from services.cardperso.face.template import DEFAULT, Background, Band, Element, Mark, Picture, Qr, Text, load
from services.cardperso.holder import Holder
from services.cardperso.images import crop_to, open_image

DPI = 300
_MASK = 3
"""Pattern of the code. Trying all eight takes longer than drawing the rest of the side, and signed content is
so even that none of them is better than another.
"""
_QUIET = 4
"""Modules of white around a QR code (ISO/IEC 18004, 9.1)."""
_MM_PER_INCH = 25.4


@dataclass(frozen=True)
class Faces:
    """Front and back as PNG files."""

    front: bytes
    back: bytes


@dataclass(frozen=True)
class _Sheet:
    """The side being drawn and all that elements may ask for."""

    canvas: Image.Image
    styles: Mapping[str, text.Style]
    scale: float
    texts: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    qr: str = ""
    mark: str = ""


def draw(
    holder: Holder, chip_uid: str, token: str, *, mark: str, template: Path = DEFAULT, dpi: int = DPI
) -> Faces:
    """Both faces of a card.

    Args:
        holder: whose card it is.
        chip_uid: of its chip.
        token: content of the QR code.
        mark: word across the card; empty for none.
        template: what stands where.
        dpi: dots per inch; card printers have 300 or 600.

    Raises:
        ChipRefusal: the face or the signature is not a readable image, or the name cannot be written in a
            machine readable zone that the template has.
    """
    design = load(template)
    content = texts(holder, chip_uid)
    if design.has_zone:
        content |= zone(holder)
    pictures = {
        "face": open_image(holder.face, "face"),
        "signature": open_image(holder.signature, "signature"),
    }
    sides = []
    for side in ("front", "back"):
        common = _common(template, side, mark, dpi)
        sheet = _Sheet(common.copy(), design.styles, dpi / _MM_PER_INCH, content, pictures, token)
        for element in design.sides[side]:
            if not element.is_common:
                _draw(sheet, element)
        sides.append(_png(sheet.canvas, dpi))
    return Faces(*sides)


@lru_cache(maxsize=8)
def _common(template: Path, side: str, mark: str, dpi: int) -> Image.Image:
    """What is the same on every card, drawn once; what differs is drawn above it."""
    design = load(template)
    scale = dpi / _MM_PER_INCH
    size = (round(design.width * scale), round(design.height * scale))
    sheet = _Sheet(Image.new("RGB", size, "white"), design.styles, scale, mark=mark)
    for element in design.sides[side]:
        if element.is_common:
            _draw(sheet, element)
    return sheet.canvas


def _draw(sheet: _Sheet, element: Element) -> None:
    match element:
        case Background():
            guilloche.draw(sheet.canvas, element.colours, element.lines, element.centre)
        case Band():
            ImageDraw.Draw(sheet.canvas).rectangle(_box(sheet, element), fill=element.colour)
        case Text():
            _text(sheet, element)
        case Picture():
            _picture(sheet, element)
        case Qr():
            _qr(sheet, element)
        case Mark():
            _mark(sheet, element)


def _text(sheet: _Sheet, element: Text) -> None:
    style = sheet.styles[element.style]
    fitted = text.fit(
        element.text.format_map(sheet.texts),
        style,
        element.width,
        element.lines,
        shrunk_lines=2 if element.tight else 0,
        tail=element.tail.format_map(sheet.texts),
    )
    style = replace(style, size=style.size * fitted.size)
    first, pitch = element.y, element.pitch
    if element.tight and len(fitted.lines) > 1:
        first, pitch = element.y - element.above, element.tight
    for number, line in enumerate(fitted.lines):
        free = element.width - text.length(line, style, width=fitted.width)
        indent = {"left": 0.0, "centre": free / 2, "right": free}[element.align]
        place = ((element.x + indent) * sheet.scale, (first + number * pitch) * sheet.scale)
        text.draw(sheet.canvas, line, style, place, sheet.scale, width=fitted.width)


def _picture(sheet: _Sheet, element: Picture) -> None:
    box = _box(sheet, element)
    width, height = box[2] - box[0], box[3] - box[1]
    source = sheet.pictures[element.source]
    ground = sheet.canvas.crop(box)
    if element.source == "signature":
        # Ink darkens the paper, whatever colour the paper of the capture had.
        grey = source.convert("L").point(lambda level: min(255, level * 255 // 200))
        written = grey.crop(ImageChops.invert(grey).getbbox())
        ink = ImageOps.contain(written.convert("RGB"), (width, height), Image.Resampling.LANCZOS)
        sheet_of_ink = Image.new("RGB", (width, height), "white")
        sheet_of_ink.paste(ink, ((width - ink.width) // 2, (height - ink.height) // 2))
        drawn = ImageChops.multiply(ground, sheet_of_ink)
    else:
        drawn = crop_to(source, width, height)
    sheet.canvas.paste(Image.blend(ground, drawn, element.opacity), box)


def _qr(sheet: _Sheet, element: Qr) -> None:
    """The code in modules of whole pixels, as large as they get within the element, on white."""
    code = segno.make(sheet.qr, error="m", micro=False, mask=_MASK)
    size = round(element.size * sheet.scale)
    modules = code.symbol_size(scale=1, border=_QUIET)[0]
    file = io.BytesIO()
    code.save(file, kind="png", scale=max(1, size // modules), border=_QUIET)
    image = Image.open(file).convert("RGB")
    free = (size - image.width) // 2
    sheet.canvas.paste(image, (round(element.x * sheet.scale) + free, round(element.y * sheet.scale) + free))


def _mark(sheet: _Sheet, element: Mark) -> None:
    if not sheet.mark:
        return
    style = sheet.styles[element.style]
    layer = Image.new("L", sheet.canvas.size)
    white = replace(style, colour="white")
    half = text.length(sheet.mark, style) / 2
    paper = Image.new("RGB", sheet.canvas.size)
    text.draw(
        paper, sheet.mark, white, ((element.x - half) * sheet.scale, element.y * sheet.scale), sheet.scale
    )
    layer = paper.convert("L").rotate(
        element.angle,
        Image.Resampling.BICUBIC,
        center=(element.x * sheet.scale, (element.y - style.size / 3) * sheet.scale),
    )
    sheet.canvas.paste(style.colour, None, layer.point(lambda level: int(level * element.opacity)))


def _box(sheet: _Sheet, element: Band | Picture) -> tuple[int, int, int, int]:
    return (
        round(element.x * sheet.scale),
        round(element.y * sheet.scale),
        round((element.x + element.width) * sheet.scale),
        round((element.y + element.height) * sheet.scale),
    )


def _png(image: Image.Image, dpi: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", dpi=(dpi, dpi), compress_level=3)
    return file.getvalue()
