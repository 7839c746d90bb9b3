"""Text that fits its place.

The rules for a text that is too wide, one after the other until it fits:

1. break it at spaces into as many lines as the place has;
2. squeeze its letters, down to 74 % of their width;
3. shrink it, down to 82 % of its size; a place that has room for it then takes two lines;
4. cut it at the end, where three dots then stand. The chip holds the text uncut. What must not be lost, such
   as the date behind a long place of birth, is kept behind the dots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

NARROWEST = 0.74
SMALLEST = 0.82
ELLIPSIS = "…"
_FONTS = Path(__file__).parent / "fonts"
_OVERSAMPLING = 3
"""Text is drawn this much larger and reduced: smooth letters of any width and of fractional size."""


@dataclass(frozen=True)
class Style:
    """A way of writing: font file, size of an em in millimetres, colour, width of the letters (1 is the
    font's own).
    """

    font: str
    size: float
    colour: str
    width: float = 1.0


@dataclass(frozen=True)
class Fitted:
    """Lines that fit, and what was done for it: `width` and `size` are factors, `cut` says that letters
    are missing.
    """

    lines: tuple[str, ...]
    width: float
    size: float
    cut: bool


def fit(
    text: str, style: Style, room: float, lines: int = 1, *, shrunk_lines: int = 0, tail: str = ""
) -> Fitted:
    """Fit a text into `lines` lines of `room` millimetres.

    Args:
        text: what may be cut.
        style: how it is written.
        room: length of a line.
        lines: how many there may be.
        shrunk_lines: how many there may be once it is shrunk; 0 for no more than before.
        tail: what follows the text and is never cut.
    """
    shrunk_lines = shrunk_lines or lines
    for size, most in ((1.0, lines), (SMALLEST, shrunk_lines)):
        for width in (1.0, 0.92, 0.84, NARROWEST):
            limit = room / (style.size * size * style.width * width)
            broken = _break(text + tail, limit, style.font, most)
            if broken is not None:
                return Fitted(broken, width, size, cut=False)
    limit = room / (style.size * SMALLEST * style.width * NARROWEST)
    return Fitted(_cut(text, limit, style.font, shrunk_lines, tail), NARROWEST, SMALLEST, cut=True)


def draw(
    canvas: Image.Image,
    text: str,
    style: Style,
    place: tuple[float, float],
    scale: float,
    *,
    width: float = 1.0,
) -> None:
    """Write one line with its left end and baseline at `place` (pixels); `scale` is pixels a millimetre."""
    font = _font(style.font, round(style.size * scale * _OVERSAMPLING))
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    if right <= left:
        return
    mask = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(mask).text((1 - left, 1 - top), text, fill=255, font=font, anchor="ls")
    squeeze = style.width * width / _OVERSAMPLING
    size = (max(1, round(mask.width * squeeze)), max(1, round(mask.height / _OVERSAMPLING)))
    mask = mask.resize(size, Image.Resampling.LANCZOS)
    corner = (round(place[0] + (left - 1) * squeeze), round(place[1] + (top - 1) / _OVERSAMPLING))
    canvas.paste(style.colour, (corner[0], corner[1], corner[0] + size[0], corner[1] + size[1]), mask)


def length(text: str, style: Style, *, width: float = 1.0) -> float:
    """Length of a line in millimetres."""
    return _ems(text, style.font) * style.size * style.width * width


def _break(text: str, room: float, font: str, lines: int) -> tuple[str, ...] | None:
    """Lines of at most `room` ems broken at spaces, or None if there are too few."""
    done: list[str] = []
    rest = text.split()
    while rest:
        count = len(rest)
        while count and _ems(" ".join(rest[:count]), font) > room:
            count -= 1
        if not count or len(done) == lines:
            return None
        done.append(" ".join(rest[:count]))
        rest = rest[count:]
    return tuple(done) or ("",)


def _cut(text: str, room: float, font: str, lines: int, kept: str) -> tuple[str, ...]:
    done: list[str] = []
    rest = " ".join(text.split())
    for left in range(lines, 0, -1):
        tail = ELLIPSIS + kept if left == 1 else ""
        count = len(rest)
        while count and _ems(rest[:count].rstrip() + tail, font) > room:
            count -= 1
        space = rest.rfind(" ", 0, count + 1)
        if left > 1 and space > 0:
            count = space
        done.append(rest[:count].rstrip() + tail)
        rest = rest[count:].lstrip()
    return tuple(done)


def _ems(text: str, font: str) -> float:
    return float(_font(font, 1000).getlength(text)) / 1000


@lru_cache(maxsize=64)
def _font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / f"{name}.ttf", pixels, layout_engine=ImageFont.Layout.BASIC)
