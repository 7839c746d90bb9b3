"""Draw a card's faces from a template."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import segno
from PIL import Image, ImageChops, ImageDraw

from services.cardperso.face import guilloche, text
from services.cardperso.face.fields import qr_text, texts
from services.cardperso.face.template import DEFAULT, Background, Band, Element, Mark, Picture, Qr, Text, load
from services.cardperso.holder import Holder
from services.cardperso.images import crop_to, open_image

DPI = 300
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
    texts: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    qr: str = ""
    mark: str = ""
    scale: float = DPI / _MM_PER_INCH


def render(holder: Holder, chip_uid: str, hashes: bytes, *, mark: str, template: Path = DEFAULT) -> Faces:
    """Both faces at 300 dpi. `hashes` is the chip's file of hashes; `mark` is written across the card if not
    empty.

    Raises:
        ChipRefusal: the face or the signature is not a readable image.
    """
    design = load(template)
    content = texts(holder, chip_uid)
    pictures = {
        "face": open_image(holder.face, "face"),
        "signature": open_image(holder.signature, "signature"),
    }
    code = qr_text(holder, chip_uid, hashes)
    sides = []
    for side in ("front", "back"):
        sheet = _Sheet(_common(template, side, mark).copy(), design.styles, content, pictures, code)
        for element in design.sides[side]:
            if not element.is_common:
                _draw(sheet, element)
        sides.append(_png(sheet.canvas))
    return Faces(*sides)


@lru_cache(maxsize=8)
def _common(template: Path, side: str, mark: str) -> Image.Image:
    """What is the same on every card, drawn once; what differs is drawn above it."""
    design = load(template)
    size = (round(design.width * DPI / _MM_PER_INCH), round(design.height * DPI / _MM_PER_INCH))
    sheet = _Sheet(Image.new("RGB", size, "white"), design.styles, mark=mark)
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
    fitted = text.fit(element.text.format_map(sheet.texts), style, element.width, element.lines)
    style = replace(style, size=style.size * fitted.size)
    for number, line in enumerate(fitted.lines):
        free = element.width - text.length(line, style, width=fitted.width)
        indent = {"left": 0.0, "centre": free / 2, "right": free}[element.align]
        place = ((element.x + indent) * sheet.scale, (element.y + number * element.pitch) * sheet.scale)
        text.draw(sheet.canvas, line, style, place, sheet.scale, width=fitted.width)


def _picture(sheet: _Sheet, element: Picture) -> None:
    box = _box(sheet, element)
    width, height = box[2] - box[0], box[3] - box[1]
    source = sheet.pictures[element.source]
    ground = sheet.canvas.crop(box)
    if element.source == "signature":
        # Ink darkens the paper, whatever colour the paper of the capture had.
        ink = source.convert("L").point(lambda level: min(255, level * 255 // 200)).convert("RGB")
        ink.thumbnail((width, height), Image.Resampling.LANCZOS)
        sheet_of_ink = Image.new("RGB", (width, height), "white")
        sheet_of_ink.paste(ink, ((width - ink.width) // 2, (height - ink.height) // 2))
        drawn = ImageChops.multiply(ground, sheet_of_ink)
    else:
        drawn = crop_to(source, width, height)
    sheet.canvas.paste(Image.blend(ground, drawn, element.opacity), box)


def _qr(sheet: _Sheet, element: Qr) -> None:
    code = segno.make(sheet.qr, error="m", micro=False)
    file = io.BytesIO()
    code.save(file, kind="png", scale=8, border=3)
    size = round(element.size * sheet.scale)
    image = Image.open(file).convert("L").resize((size, size), Image.Resampling.BOX)
    sheet.canvas.paste(image.convert("RGB"), (round(element.x * sheet.scale), round(element.y * sheet.scale)))


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


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", dpi=(DPI, DPI), compress_level=3)
    return file.getvalue()
