"""The whole 1:N search: short codes of everybody, all codes of thousands, full comparison of the last few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.abis import fusion
from services.abis.finger import UNKNOWN, Finger
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.score import DEFAULT, Weights
from services.abis.kernels import F64
from services.abis.search.index import Candidate, SearchIndex

COMPARISONS = 100
"""Full comparisons of fingers that a search may cost: with ten fingers 10 persons, with one 100."""

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
    persons = max(COMPARISONS // max(len(fingers), 1), 1)
    listed = index.search(fingers, persons, swapped_hands=swapped_hands)
    return confirm(fingers, listed, references, weights)


def confirm(
    fingers: Sequence[Finger],
    listed: Sequence[Candidate],
    references: References,
    weights: Weights = DEFAULT,
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


def _scores(fingers: Sequence[Finger], enrolled: Sequence[Finger], weights: Weights) -> F64:
    """Comparison scores (probe fingers, enrolled fingers), NaN where both positions are known and differ."""
    scores = np.full((len(fingers), len(enrolled)), np.nan)
    for i, probe in enumerate(fingers):
        for j, reference in enumerate(enrolled):
            if UNKNOWN in (probe.position, reference.position) or probe.position == reference.position:
                scores[i, j] = compare(probe.template, reference.template, weights).score
    return scores
