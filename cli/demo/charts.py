"""The drawings of the report as SVG text; colours are CSS variables of the page, so they
follow light and dark.
"""

from __future__ import annotations

import math
from base64 import b64encode
from dataclasses import dataclass
from html import escape

from cli.demo.result import MatchedPair, Picture

_WIDTH, _TOP, _TALL, _BAR = 1080.0, 82.0, 190.0, 16.0


@dataclass(frozen=True)
class Funnel:
    """How many records reached each stage."""

    submitted: int
    decided: int
    print_ready: int
    duplicate: int
    adjudicate: int
    failed: int
    printed: int
    issued: int


def funnel(counts: Funnel) -> str:
    """The way of the records from the counter to the card, as bands whose height is their number."""
    scale = _TALL / max(counts.submitted, 1)
    columns = [
        ("Submitted", "at the counter", counts.submitted),
        ("Searched", "1:N against everybody", counts.decided),
        ("Print-ready", "unique", counts.print_ready),
        ("Card written", "chip verified", counts.printed),
        ("Issued", "handed over", counts.issued),
    ]
    step = (_WIDTH - _BAR) / (len(columns) - 1)
    xs = [index * step for index in range(len(columns))]
    parts: list[str] = []
    for index in range(len(columns) - 1):
        height = columns[index + 1][2] * scale
        parts.append(_band(xs[index] + _BAR, _TOP, xs[index + 1], _TOP, height, "flow"))
    bottom = below = _TOP + counts.print_ready * scale
    landing = _TOP + counts.print_ready * scale + 46
    for kind, label, number in (
        ("duplicate", "Duplicates", counts.duplicate),
        ("adjudicate", "For people to decide", counts.adjudicate),
        ("failed", "Refused", counts.failed),
    ):
        if number == 0:
            continue
        height = max(number * scale, 2.0)
        parts.append(_band(xs[1] + _BAR, below, xs[2], landing, height, kind))
        parts.append(
            f'<rect class="bar {kind}" x="{xs[2]:.1f}" y="{landing:.1f}" width="{_BAR}" '
            f'height="{height:.1f}"/>'
        )
        middle = landing + height / 2
        parts.append(
            f'<text x="{xs[2] + _BAR + 12:.1f}" y="{middle:.1f}" class="side">'
            f'<tspan class="count">{number}</tspan> <tspan dx="6">{label}</tspan></text>'
        )
        below += number * scale
        bottom = landing + height
        landing += height + 34
    for x, (label, note, number) in zip(xs, columns, strict=True):
        last = x == xs[-1]
        anchor, at = ("end", x + _BAR) if last else ("start", x)
        height = max(number * scale, 2.0)
        parts += [
            f'<rect x="{x:.1f}" y="{_TOP}" width="{_BAR}" height="{height:.1f}" rx="3" class="bar flow"/>',
            f'<text x="{at:.1f}" y="24" text-anchor="{anchor}" class="count">{number}</text>',
            f'<text x="{at:.1f}" y="46" text-anchor="{anchor}" class="label">{label}</text>',
            f'<text x="{at:.1f}" y="65" text-anchor="{anchor}" class="note">{note}</text>',
        ]
    total = max(bottom, _TOP + _TALL) + 6
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {total:.0f}" role="img" class="funnel" '
        f'aria-label="{counts.submitted} submitted, {counts.duplicate} duplicates, '
        f'{counts.print_ready} print-ready, {counts.issued} issued">{"".join(parts)}</svg>'
    )


def _band(x0: float, y0: float, x1: float, y1: float, height: float, kind: str) -> str:
    middle, below0, below1 = (x0 + x1) / 2, y0 + height, y1 + height
    return (
        f'<path class="band {kind}" d="M{x0:.1f},{y0:.1f} '
        f"C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f} V{below1:.1f} "
        f'C{middle:.1f},{below1:.1f} {middle:.1f},{below0:.1f} {x0:.1f},{below0:.1f} Z"/>'
    )


_GAP = 72.0
_TICK = 11.0


def matched_minutiae(match: MatchedPair, sizes: tuple[tuple[int, int], tuple[int, int]]) -> str:
    """Both images with their minutiae; corresponding ones are joined.

    Args:
        match: images, minutiae and pairs.
        sizes: width and height in pixels of probe and reference.
    """
    (probe_width, probe_height), (reference_width, reference_height) = sizes
    width = probe_width + _GAP + reference_width
    height = max(probe_height, reference_height)
    offset = probe_width + _GAP
    probe_matched = {probe for probe, _ in match.pairs}
    reference_matched = {reference for _, reference in match.pairs}
    parts = [
        _image(match.probe, 0, probe_width, probe_height),
        _image(match.reference, offset, reference_width, reference_height),
    ]
    for number, (probe, reference) in enumerate(match.pairs):
        x0, y0, _ = match.probe.minutiae[probe]
        x1, y1, _ = match.reference.minutiae[reference]
        hue = number * 137.508 % 360  # the golden angle keeps neighbours apart
        parts.append(
            f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1 + offset:.1f}" y2="{y1:.1f}" '
            f'stroke="hsl({hue:.0f} 75% 48%)" class="tie"/>'
        )
    parts += _minutiae(match.probe, 0, probe_matched)
    parts += _minutiae(match.reference, offset, reference_matched)
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" class="minutiae" '
        f'aria-label="{len(match.pairs)} pairs of corresponding minutiae">{"".join(parts)}</svg>'
    )


def _image(picture: Picture, x: float, width: int, height: int) -> str:
    box = f'x="{x:.0f}" width="{width}" height="{height}"'
    return (
        f'<rect {box} fill="#fff"/>'
        f'<image {box} href="{data_uri(picture.png, "image/png")}" opacity=".62"/>'
        f'<rect x="{x + 0.5:.1f}" y=".5" width="{width - 1}" height="{height - 1}" class="frame"/>'
    )


def _minutiae(picture: Picture, offset: float, matched: set[int]) -> list[str]:
    marks = []
    for index, (x, y, angle) in enumerate(picture.minutiae):
        kind = "matched" if index in matched else "single"
        towards = math.radians(angle)
        dx, dy = math.cos(towards), -math.sin(towards)
        marks.append(
            f'<g class="minutia {kind}"><circle cx="{x + offset:.1f}" cy="{y:.1f}" r="3.6"/>'
            f'<line x1="{x + offset + 3.6 * dx:.1f}" y1="{y + 3.6 * dy:.1f}" '
            f'x2="{x + offset + _TICK * dx:.1f}" y2="{y + _TICK * dy:.1f}"/></g>'
        )
    # Matched ones last: they lie on top.
    return sorted(marks, key=lambda mark: "matched" in mark)


def data_uri(content: bytes, media_type: str) -> str:
    """The content as part of the page."""
    return f"data:{escape(media_type)};base64,{b64encode(content).decode()}"
