"""Background of fine lines, as on securities: bands of waves and a rosette, all from sines. Our own
design.
"""

from __future__ import annotations

from math import cos, pi, sin, tau

from PIL import Image, ImageDraw

_OVERSAMPLING = 2
_FINE_WIDTH = 1000
"""Pixels across a card for each pixel of a line's thickness."""


def draw(
    canvas: Image.Image, colours: tuple[str, str, str], lines: tuple[str, str], centre: tuple[float, float]
) -> None:
    """Fill a canvas: `colours` blend from left over the middle to the right; `lines` colours the waves and
    the rosette.

    The rosette's middle is at `centre` (shares of width and height).
    """
    width, height = canvas.size
    size = (width * _OVERSAMPLING, height * _OVERSAMPLING)
    fine = _blend(*size, colours)
    pen = ImageDraw.Draw(fine)
    thick = max(1, round(width / _FINE_WIDTH))
    for number in range(38):
        pen.line(_wave(size, number), fill=lines[0], width=thick)
    reach = fine.height * 0.62
    middle = (fine.width * centre[0], fine.height * centre[1])
    for number in range(16):
        pen.line(_petals(middle, reach * (0.30 + 0.044 * number), number), fill=lines[1], width=thick)
    canvas.paste(fine.resize(canvas.size, Image.Resampling.BOX))


def _blend(width: int, height: int, colours: tuple[str, str, str]) -> Image.Image:
    stops = Image.new("RGB", (3, 1))
    for x, colour in enumerate(colours):
        stops.paste(colour, (x, 0, x + 1, 1))
    # The outer half pixels of a stretched row do not blend: take the part between the middles of the stops.
    return stops.resize((width, height), Image.Resampling.BILINEAR, box=(0.5, 0, 2.5, 1))


def _wave(size: tuple[int, int], number: int) -> list[tuple[float, float]]:
    """A wave across the card; neighbours drift apart and together again, which makes the pattern shimmer."""
    width, height = size
    base = height * (number + 0.5) / 38
    swing = height * 0.035
    return [
        (
            x,
            base
            + swing * sin(tau * 3 * x / width + 0.33 * number)
            + swing * 0.6 * sin(tau * 7 * x / width - 0.21 * number),
        )
        for x in range(0, width + 6, 6)
    ]


def _petals(middle: tuple[float, float], radius: float, number: int) -> list[tuple[float, float]]:
    """One closed line of the rosette."""
    points = []
    for step in range(481):
        angle = tau * step / 480
        r = radius * (1 + 0.16 * cos(12 * angle + pi * number / 8))
        points.append((middle[0] + r * cos(angle), middle[1] + r * sin(angle)))
    return points
