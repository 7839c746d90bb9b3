"""What enrolment asks of the ABIS, in its own terms: is this person new, and which fingers go on the chip?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from services.enroll.vault import ChipFinger


class Decision(IntEnum):
    """Outcome of a deduplication; numbered as in the ABIS' contract."""

    UNIQUE = 1
    DUPLICATE = 2
    ADJUDICATE = 3


@dataclass(frozen=True, slots=True)
class FingerImage:
    """One finger of a packet: position as the contract numbers it, resolution in pixels per inch, the
    file.
    """

    position: int
    dpi: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the ABIS decided.

    Attributes:
        decision: The decision.
        matching_subject: Subject that came nearest; empty where nobody came near.
        score: Score of that match, natural log-likelihood ratio; 0 without one.
    """

    decision: Decision
    matching_subject: str = ""
    score: float = 0.0


class Abis(Protocol):
    """The ABIS as enrolment needs it. Both methods raise :class:`services.common.errors.TunggalError`."""

    def deduplicate(self, request_id: str, subject_id: str, fingers: Sequence[FingerImage]) -> Outcome:
        """Searches and inserts as one decision; the same ``request_id`` returns the first outcome."""
        ...

    def extract(self, fingers: Sequence[FingerImage], max_minutiae: int) -> list[ChipFinger]:
        """Turns each finger into a minutiae record of at most so many minutiae."""
        ...
