"""Full comparison of the last few persons: the most alike fingers first, until they are clearly others.

That is Wald's sequential test. Log-likelihood ratios of a person's fingers add up; once the sum is HOPELESS,
the remaining fingers are not compared. Codes say in which order: fingers that agree come first, so a person
of whom a few fingers are injured, missing or exchanged is not given up before those were seen that tell.
Whoever is not given up is compared in full, so no score that matters is a part of a sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.abis import fusion
from services.abis.finger import Finger
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.score import DEFAULT, Weights
from services.abis.kernels import F64
from services.abis.search.crossed import may_be, pairs
from services.abis.search.plain import U16

HOPELESS: Final = math.log(1e-5)
"""Sum of the scores of some fingers, bounded as fusion bounds them, from which on a person is another one: a
mate falls so low once in 100,000 times. Three fingers that disagree utterly are enough, two never are.
"""


@dataclass(frozen=True)
class Found:
    """A subject after full comparison. fused.score: natural log-likelihood ratio. positions: of the
    subject's fingers in `fused.fingers`.
    """

    subject_id: str
    fused: fusion.Fused
    positions: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Listed:
    """A subject to be compared, its fingers, and how alike codes are, (probe fingers, enrolled fingers)."""

    subject_id: str
    fingers: Sequence[Finger]
    alike: U16


def verify(probe: Sequence[Finger], weights: Weights, one: Listed) -> Found:
    """Compare with one subject until it is given up. Where codes say that fingers were mixed up, those are
    compared too.
    """
    mixed = pairs(probe, one.fingers, one.alike)
    meant = [(i, j) for i, p in enumerate(probe) for j, r in enumerate(one.fingers) if may_be(p, r)]
    # Of equally alike ones those whose labels agree come first.
    order = sorted([*meant, *sorted(mixed)], key=lambda pair: -int(one.alike[pair]))
    scores: F64 = np.full(one.alike.shape, np.nan)
    # The best that each finger of the probe has shown so far: what fusion adds is no more.
    shown: dict[int, float] = {}
    for i, j in order:
        score = compare(probe[i].template, one.fingers[j].template, weights).score
        # That labels are wrong needs evidence of its own.
        if (i, j) in mixed and score <= fusion.CROSSED:
            continue
        scores[i, j] = score
        shown[i] = max(shown.get(i, -math.inf), float(fusion.bounded(scores[i, j])))
        if sum(shown.values()) < HOPELESS:
            break
    return fused(probe, one.subject_id, one.fingers, scores)


def declared(
    probe: Sequence[Finger], subject_id: str, enrolled: Sequence[Finger], weights: Weights = DEFAULT
) -> Found:
    """Compare with one subject, every finger, position by position."""
    scores: F64 = np.full((len(probe), len(enrolled)), np.nan)
    for i, finger in enumerate(probe):
        for j, reference in enumerate(enrolled):
            if may_be(finger, reference):
                scores[i, j] = compare(finger.template, reference.template, weights).score
    return fused(probe, subject_id, enrolled, scores)


def fused(probe: Sequence[Finger], subject_id: str, enrolled: Sequence[Finger], scores: F64) -> Found:
    """What the comparisons (probe fingers, enrolled fingers; NaN where there was none) say of the subject."""
    positions = [finger.position for finger in enrolled]
    total = fusion.fuse(scores, [finger.position for finger in probe], positions)
    return Found(subject_id, total, tuple(positions[one.reference] for one in total.fingers))
