"""Marks on top of pictures, as SVG in pixels at 500 dpi: minutiae, orientations, pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from services.abis.explain.pictures import scale_colour
from services.abis.fingerprint.minutiae import BIFURCATION
from services.abis.kernels import F32, F64, I32, U8

GAP = 28
"""Pixels between two fingers that are drawn side by side."""
_STEM = 13.0
_TICK = 6.0
_LABEL = 15.0


def picture(address: str, width: int, height: int, marks: Iterable[str] = (), *, blocky: bool = False) -> str:
    """One picture of the given size in pixels with marks on it; `blocky` shows the samples of a grid."""
    return _svg(width, height, [image(address, 0, width, height, blocky=blocky), *marks])


def side_by_side(left: tuple[str, int, int], right: tuple[str, int, int], marks: Iterable[str] = ()) -> str:
    """Two pictures (address, width, height) next to each other, GAP apart."""
    shift = left[1] + GAP
    parts = [image(left[0], 0, left[1], left[2]), image(right[0], shift, right[1], right[2]), *marks]
    return _svg(shift + right[1], max(left[2], right[2]), parts)


def image(address: str, x: float, width: int, height: int, *, blocky: bool = False) -> str:
    """A picture stretched to a place in the drawing."""
    style = ' style="image-rendering:pixelated"' if blocky else ""
    return (
        f'<image href="{address}" x="{x:g}" y="0" width="{width}" height="{height}"'
        f' preserveAspectRatio="none"{style}/>'
    )


def minutiae(
    points: F32, kind: U8, css: str, *, shift: float = 0.0, chosen: Sequence[int] | None = None
) -> list[str]:
    """Endings as circles, bifurcations as squares, each with its direction; its quality is the title.

    points: (n, 4) x, y, angle, quality. chosen: indices of those to draw; all of them by default.
    """
    marks = []
    for k in range(len(points)) if chosen is None else chosen:
        x, y, angle, quality = (float(v) for v in points[k])
        x += shift
        tip_x, tip_y = x + _STEM * np.cos(angle), y - _STEM * np.sin(angle)
        forked = int(kind[k]) == BIFURCATION
        shape = (
            f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'
            if forked
            else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        )
        name = "bifurcation" if forked else "ending"
        marks.append(
            f'<g class="minutia {css}"><title>{name} {k}: quality {quality:.2f}, '
            f"{np.degrees(angle):.0f}°</title>{shape}"
            f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{tip_x:.1f}" y2="{tip_y:.1f}"/></g>'
        )
    return marks


def letter(points: F32, index: int, name: str, css: str, *, shift: float = 0.0) -> str:
    """A letter beside a minutia, by which the text speaks of it."""
    x, y, angle, _ = (float(v) for v in points[index])
    # On the side away from the stem.
    x, y = x + shift - _LABEL * np.cos(angle), y + _LABEL * np.sin(angle)
    return f'<text class="letter {css}" x="{x:.1f}" y="{y:.1f}">{name}</text>'


def orientations(theta: F32, inside: U8, cell: int) -> list[str]:
    """A stroke along the ridges in every cell of the ridge area.

    theta: tangent angles in radians, counter-clockwise; inside: non-zero where known; both (rows, columns).
    """
    path = []
    for i, j in zip(*np.nonzero(inside), strict=True):
        x, y = (j + 0.5) * cell, (i + 0.5) * cell
        dx, dy = _TICK * np.cos(theta[i, j]), -_TICK * np.sin(theta[i, j])
        path.append(f"M{x - dx:.1f} {y - dy:.1f}L{x + dx:.1f} {y + dy:.1f}")
    return [f'<path class="orientation" d="{"".join(path)}"/>']


def connections(a: F32, b: F32, pairs: I32, strength: F64, shift: float) -> list[str]:
    """Lines between corresponding minutiae of two fingers side by side, coloured by strength in [0, 1]."""
    marks = []
    # The strongest are drawn last, on top.
    for (i, j), value in sorted(zip(pairs.tolist(), strength.tolist(), strict=True), key=lambda p: p[1]):
        marks.append(
            f'<line class="pair" stroke="{scale_colour(value)}" x1="{a[i, 0]:.1f}" y1="{a[i, 1]:.1f}"'
            f' x2="{b[j, 0] + shift:.1f}" y2="{b[j, 1]:.1f}"><title>{value:.2f}</title></line>'
        )
    return marks


def residuals(start: F64, end: F32) -> list[str]:
    """Lines from where a minutia was laid to its partner: how far apart the two still are."""
    return [
        f'<line class="residual" x1="{x:.1f}" y1="{y:.1f}" x2="{u:.1f}" y2="{v:.1f}"/>'
        for (x, y), (u, v) in zip(start[:, :2].tolist(), end[:, :2].tolist(), strict=True)
    ]


def outline(inside: U8, cell: int) -> list[str]:
    """The border of an area given on cells."""
    padded = np.pad(inside != 0, 1)
    path = []
    for i, j in zip(*np.nonzero(padded[1:-1, 1:-1]), strict=True):
        x, y = j * cell, i * cell
        if not padded[i, j + 1]:
            path.append(f"M{x} {y}h{cell}")
        if not padded[i + 2, j + 1]:
            path.append(f"M{x} {y + cell}h{cell}")
        if not padded[i + 1, j]:
            path.append(f"M{x} {y}v{cell}")
        if not padded[i + 1, j + 2]:
            path.append(f"M{x + cell} {y}v{cell}")
    return [f'<path class="outline" d="{"".join(path)}"/>']


def moved(marks: Iterable[str], shift: float) -> list[str]:
    """The marks, so much further to the right."""
    return [f'<g transform="translate({shift:g} 0)">{"".join(marks)}</g>']


def _svg(width: int, height: int, parts: Iterable[str]) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>'
