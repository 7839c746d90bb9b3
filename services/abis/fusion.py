"""From comparisons of fingers to one score for a person, and from that to a decision.

Scores of different fingers are independent pieces of evidence, so their log-likelihood ratios add up. A
finger that disagrees completely may be injured or swapped, so no finger may weigh more than OUTLIER against a
person.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from services.abis.finger import UNKNOWN
from services.abis.kernels import F64

OUTLIER = 0.01
"""Chance that a genuine comparison fails for a reason of its own; bounds a score from below at ln 0.01 =
-4.6.
"""
CROSSED = math.log(100)
"""What is taken off a comparison of fingers of two different known positions: one label in ten may be wrong,
and then it may be any of ten.
"""


class Decision(Enum):
    """Outcome of a deduplication."""

    UNIQUE = "unique"
    ADJUDICATE = "adjudicate"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Thresholds:
    """Fused scores (natural log-likelihood ratios) from which people must look, and from which it is a
    duplicate.
    """

    adjudicate: float
    duplicate: float

    def decide(self, score: float | None) -> Decision:
        """Decision for the score of the best candidate; None where there is no candidate."""
        if score is None or score < self.adjudicate:
            return Decision.UNIQUE
        return Decision.DUPLICATE if score >= self.duplicate else Decision.ADJUDICATE


@dataclass(frozen=True)
class FingerScore:
    """One comparison that counted: indices into the fingers of probe and reference, and its score."""

    probe: int
    reference: int
    score: float


@dataclass(frozen=True)
class Fused:
    """Score of a person, and the comparisons that it is made of."""

    score: float
    fingers: tuple[FingerScore, ...]


def bounded(scores: F64) -> F64:
    """Scores under the possibility that a comparison is an outlier: ln((1 - e) exp(s) + e); NaN stays NaN."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.logaddexp(scores + math.log1p(-OUTLIER), math.log(OUTLIER)))


def fuse(scores: F64, probe: Sequence[int], reference: Sequence[int]) -> Fused:
    """Score of one person.

    Parameters
    ----------
    scores: (probe fingers, reference fingers), NaN where two fingers were not compared.
    probe, reference: positions of the fingers, 0 where unknown.

    Each finger counts at most once, best pairs first. Where a position is unknown, the best of k possible
    partners is k times as likely to look alike by chance: ln k is taken off. Where both are known and differ,
    CROSSED is.
    """
    open_ = ~np.isnan(scores)
    values = bounded(scores)
    total = 0.0
    taken: list[FingerScore] = []
    compared = np.flatnonzero(open_)
    best_first = compared[np.argsort(-scores.ravel()[compared], kind="stable")]
    for flat in best_first.tolist():
        i, j = divmod(flat, scores.shape[1])
        if not open_[i, j]:
            continue
        total += float(values[i, j]) - _price(open_, i, j, probe[i], reference[j])
        taken.append(FingerScore(i, j, float(scores[i, j])))
        open_[i] = False
        open_[:, j] = False
    return Fused(total, tuple(sorted(taken, key=lambda t: t.probe)))


def _price(open_: NDArray[np.bool_], i: int, j: int, probe: int, reference: int) -> float:
    """What is taken off a pair because it was chosen."""
    if UNKNOWN in (probe, reference):
        return math.log(max(int(open_[i].sum()), int(open_[:, j].sum())))
    return 0.0 if probe == reference else CROSSED
