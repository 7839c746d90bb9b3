"""A finger as submitted or enrolled: where on the hand it sits, and its template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.fingerprint.template import Template
from services.common.errors import InvalidArgument

UNKNOWN = 0
"""Position of a finger of which nobody knows which one it is."""


@dataclass(frozen=True, eq=False)
class Finger:
    """One finger. position: code of ISO/IEC 19794-2, table 2 (0 unknown, 1 right thumb … 10 left little
    finger).
    """

    position: int
    template: Template


def require_evidence(fingers: Sequence[Finger], *, field: str = "fingers") -> None:
    """Refuse a submission whose fingers say nothing: InvalidArgument, QUALITY_TOO_LOW.

    Enrolling it would let the person enrol again and again without ever being found.
    """
    if all(len(finger.template) < MIN_MINUTIAE for finger in fingers):
        raise InvalidArgument(
            "QUALITY_TOO_LOW",
            f"No finger shows {MIN_MINUTIAE} minutiae; the subject could not be told from anyone.",
            field=field,
            remedy="Capture the fingers again: clean, moderately moist, centred, pressed evenly.",
        )


def require_distinct(positions: Sequence[int], fields: Sequence[str]) -> None:
    """Refuse a known position that occurs twice: InvalidArgument, POSITION_REPEATED, naming the second
    finger's sample by its path in the request.
    """
    seen: set[int] = set()
    for position, field in zip(positions, fields, strict=True):
        if position != UNKNOWN and position in seen:
            raise InvalidArgument(
                "POSITION_REPEATED",
                f"Two samples claim finger position {position}.",
                field=f"{field}.position",
                remedy="Send each finger once, or mark fingers of unknown position as unknown.",
            )
        seen.add(position)
