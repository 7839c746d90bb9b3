"""The whole 1:N search: short codes of everybody, all codes of thousands, LSSR of hundreds where few fingers
are known, full comparison of the last few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.abis import fusion
from services.abis.finger import UNKNOWN, Finger
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.score import DEFAULT, Weights
from services.abis.kernels import F64
from services.abis.search import local
from services.abis.search.index import Candidate, SearchIndex

COMPARISONS = 100
"""Full comparisons of fingers that a search may cost: with ten fingers 10 persons, with one 100."""

RELAXATIONS = 2_000
FEW_FINGERS = 2
"""Where no more than so many fingers are searched with, so many pairs of fingers are compared by LSSR first:
with one finger 2,000 persons. Codes of more fingers need no such help.
"""

References = Callable[[str], Sequence[Finger]]
"""Enrolled fingers of a subject; none where it was deleted in the meantime."""


@dataclass(frozen=True)
class Found:
    """A subject after full comparison. fused.score: natural log-likelihood ratio."""

    subject: str
    fused: fusion.Fused


def search(
    index: SearchIndex,
    fingers: Sequence[Finger],
    references: References,
    weights: Weights = DEFAULT,
    *,
    swapped_hands: bool = False,
) -> list[Found]:
    """Subjects that were fully compared, best first."""
    listed = index.search(fingers, local_persons(len(fingers)), swapped_hands=swapped_hands)
    return confirm(fingers, relist(fingers, listed, references), references, weights)


def verified_persons(fingers: int) -> int:
    """How many persons are fully compared when that many fingers are searched with."""
    return max(COMPARISONS // max(fingers, 1), 1)


def local_persons(fingers: int) -> int:
    """How many persons leave the passes over codes."""
    return RELAXATIONS // max(fingers, 1) if fingers <= FEW_FINGERS else verified_persons(fingers)


def relist(fingers: Sequence[Finger], listed: Sequence[Candidate], references: References) -> list[Candidate]:
    """The candidates that deserve full comparison: those of the greatest sums of LSSR, if fingers are few."""
    keep = verified_persons(len(fingers))
    if len(fingers) > FEW_FINGERS or len(listed) <= keep:
        return list(listed[:keep])
    enrolled = [references(candidate.subject) for candidate in listed]
    total = np.zeros(len(listed))
    for probe in fingers:
        pairs = [(k, f.template) for k, own in enumerate(enrolled) for f in own if _may_be(probe, f)]
        if pairs:
            best = np.zeros(len(listed))
            owners = np.array([k for k, _ in pairs])
            np.maximum.at(best, owners, local.scores(probe.template, local.pack([t for _, t in pairs])))
            total += best
    return [listed[k] for k in np.argsort(-total, kind="stable")[:keep].tolist()]


def confirm(
    fingers: Sequence[Finger],
    listed: Sequence[Candidate],
    references: References,
    weights: Weights,
) -> list[Found]:
    """Compare the fingers with those of every listed subject, position by position; best first."""
    found = []
    for candidate in listed:
        enrolled = references(candidate.subject)
        if enrolled:
            scores = _scores(fingers, enrolled, weights)
            probe, reference = [f.position for f in fingers], [f.position for f in enrolled]
            found.append(Found(candidate.subject, fusion.fuse(scores, probe, reference)))
    return sorted(found, key=lambda one: -one.fused.score)


def _may_be(probe: Finger, reference: Finger) -> bool:
    return UNKNOWN in (probe.position, reference.position) or probe.position == reference.position


def _scores(fingers: Sequence[Finger], enrolled: Sequence[Finger], weights: Weights) -> F64:
    """Comparison scores (probe fingers, enrolled fingers), NaN where both positions are known and differ."""
    scores = np.full((len(fingers), len(enrolled)), np.nan)
    for i, probe in enumerate(fingers):
        for j, reference in enumerate(enrolled):
            if _may_be(probe, reference):
                scores[i, j] = compare(probe.template, reference.template, weights).score
    return scores
