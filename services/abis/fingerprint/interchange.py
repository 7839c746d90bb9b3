"""Templates to and from minutiae records: units, and what such a record cannot carry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.template import Template, from_minutiae
from services.abis.formats.iso19794_2 import ANGLE_UNIT, FingerMinutiaeRecord, FingerView
from services.abis.formats.iso19794_2_card import CardFormat
from services.abis.formats.minutiae import FingerMinutiae, Minutia, MinutiaType
from services.common.errors import InvalidArgument

_PIXELS_PER_CM = 197
_CM = p.DPI / 2.54
"""Pixels per centimetre at 500 dpi."""


def to_view(template: Template, position: int, *, most: int = 255) -> FingerView:
    """The template's minutiae as a finger view, the best first, at most `most` of them (the format holds
    255).
    """
    minutiae = tuple(
        Minutia(
            x=min(round(float(x)), template.width - 1),
            y=min(round(float(y)), template.height - 1),
            angle=round(float(np.degrees(angle)) / ANGLE_UNIT) % 256,
            type=MinutiaType(int(kind)),
            quality=max(1, round(100 * float(quality))),
        )
        for (x, y, angle, quality), kind in zip(template.points[:most], template.kind[:most], strict=True)
    )
    return FingerView(position, minutiae, quality=quality_of(template))


def to_record(template: Template, position: int, *, most: int = 255) -> FingerMinutiaeRecord:
    """A record of one finger at 500 dpi (197 pixels per centimetre)."""
    view = to_view(template, position, most=most)
    return FingerMinutiaeRecord(template.width, template.height, _PIXELS_PER_CM, _PIXELS_PER_CM, (view,))


def to_card(template: Template, packing: CardFormat, *, most: int = 60) -> tuple[Minutia, ...]:
    """The template's minutiae in the steps of a card format, the best first, at most `most` of them.

    Minutiae beyond the reach of the format (25.5 mm in the compact one) are left out.
    """
    steps = packing.steps_per_mm * 25.4 / p.DPI
    turn = round(360.0 / packing.angle_unit)
    found = (
        Minutia(
            x=round(float(x) * steps),
            y=round(float(y) * steps),
            angle=round(float(np.degrees(angle)) / packing.angle_unit) % turn,
            type=MinutiaType(int(kind)),
        )
        for (x, y, angle, _), kind in zip(template.points, template.kind, strict=True)
    )
    return tuple(m for m in found if m.x <= packing.most and m.y <= packing.most)[:most]


def from_record(record: FingerMinutiae, *, field: str = "record") -> Template:
    """Template of one finger view, brought to 500 dpi, its best MAX_MINUTIAE minutiae.

    Raises InvalidArgument: TEMPLATE_RESOLUTION where the resolution is not that of a finger scanner or the
    image is larger or smaller than one finger, TEMPLATE_DEGENERATE where the minutiae are those of no finger.
    """
    # 197 pixels per centimetre is how everybody writes 500 dpi, which is 196.85.
    scale_x, scale_y = (
        1.0 if r == _PIXELS_PER_CM else _CM / r for r in (record.resolution_x, record.resolution_y)
    )
    width, height = round(record.width * scale_x), round(record.height * scale_y)
    plausible = all(p.MIN_DPI <= r * 2.54 <= p.MAX_DPI for r in (record.resolution_x, record.resolution_y))
    if not plausible or max(width, height) > p.MAX_SIDE or min(width, height) < 1:
        raise InvalidArgument(
            "TEMPLATE_RESOLUTION",
            f"{record.width}x{record.height} pixels at {record.resolution_x}x{record.resolution_y} "
            "pixels per centimetre is not the image of one finger.",
            field=field,
            remedy="Write size and resolution of the original image into the record.",
        )
    found = record.minutiae
    # Where no quality is reported all minutiae are taken for equally good.
    quality = np.array([m.quality / 100 if m.quality else 0.5 for m in found], np.float32)
    minutiae = Minutiae(
        np.array([m.x * scale_x for m in found], np.float32),
        np.array([m.y * scale_y for m in found], np.float32),
        np.array([np.radians(m.angle * record.angle_unit) for m in found], np.float32),
        np.array([m.type for m in found], np.uint8),
        quality,
    )
    _require_spread(minutiae, field)
    best = np.argsort(-quality, kind="stable")[: p.MAX_MINUTIAE]
    return from_minutiae(minutiae.take(best), width, height)


def _require_spread(minutiae: Minutiae, field: str) -> None:
    """Refuse minutiae that are all in a few places or on one line: any two such records look alike."""
    points = np.column_stack([minutiae.x, minutiae.y]).astype(np.float64)
    if len(points) < p.MIN_MINUTIAE:
        return
    distinct: list[NDArray[np.float64]] = []
    left = points
    while len(left) and len(distinct) < p.MIN_MINUTIAE:
        distinct.append(left[0])
        left = left[np.hypot(*(left - left[0]).T) >= p.SAME_PLACE]
    breadth = float(np.sqrt(max(np.linalg.eigvalsh(np.cov(points.T))[0], 0.0)))
    if len(distinct) < p.MIN_MINUTIAE or breadth < p.MIN_BREADTH:
        raise InvalidArgument(
            "TEMPLATE_DEGENERATE",
            f"The {len(points)} minutiae lie in a few places or on a line: no finger looks like that.",
            field=field,
            remedy="Check the program that made the record, or send the image instead.",
        )


def quality_of(template: Template) -> int:
    """Quality of a sample from 0 to 100: that of its image, and where there was none that of its minutiae."""
    return template.quality or min(100, round(100 * float(template.points[:, 3].sum()) / 20.0))
