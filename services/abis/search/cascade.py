"""The whole 1:N search: short codes of everybody, all codes of thousands, LSSR of hundreds where few fingers
are known, full comparison of the last few.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from services.abis.finger import UNKNOWN, Finger
from services.abis.fingerprint.score import DEFAULT, Weights
from services.abis.search import crossed, local
from services.abis.search.index import SearchIndex
from services.abis.search.listed import Candidate
from services.abis.search.probe import FEW, other_hand
from services.abis.search.verification import Found, Listed, verify

COMPARISONS = 100
"""Full comparisons of fingers that a search may cost, if nobody is given up early: with ten fingers 10
persons, with one 100.
"""
EXACT = 1_000
"""A gallery in which everybody can be compared with so few full comparisons is searched without codes."""
RELAXATIONS = 2_000
FEW_FINGERS = 2
"""Where no more than so many fingers are searched with, so many pairs of fingers are compared by LSSR first:
with one finger 2,000 persons. Codes of more fingers need no such help.
"""
SURE = 10.0
"""Score of a single finger from which on nobody needs to look for it under another position."""
HANDS = 10
"""Fingers of a person that one may be whose label does not count: so many fewer people are listed."""
_PARTS = 8
"""Pieces of work into which cylinders to build and compare are split."""

References = Callable[[Sequence[str], Collection[int] | None], Sequence[Sequence[Finger]]]
"""Enrolled fingers of each of some subjects, of the given positions (all if None); none of one that was
deleted in the meantime.
"""


def search(
    index: SearchIndex, fingers: Sequence[Finger], references: References, weights: Weights = DEFAULT
) -> list[Found]:
    """Subjects that were fully compared, best first.

    A single finger that finds nobody may bear the label of another: it is then searched for among all.
    """
    single = len(fingers) == 1
    if pairs_in_all(index, fingers) <= EXACT:
        return confirm(index, fingers, index.everybody(), references, weights, anywhere=single)
    found = _listed(index, fingers, references, weights)
    if not single or fingers[0].position == UNKNOWN or (found and found[0].fused.score >= SURE):
        return found
    elsewhere = _listed(index, fingers, references, weights, anywhere=True)
    # Whoever was compared twice counts by the better of both.
    best = {one.subject_id: one for one in sorted((*found, *elsewhere), key=lambda one: one.fused.score)}
    return sorted(best.values(), key=lambda one: -one.fused.score)


def _listed(
    index: SearchIndex,
    fingers: Sequence[Finger],
    references: References,
    weights: Weights,
    *,
    anywhere: bool = False,
) -> list[Found]:
    """Those whom codes list, compared. anywhere: list people whatever position their fingers have."""
    length = local_persons(len(fingers))
    if anywhere:
        unknown = [replace(finger, position=UNKNOWN) for finger in fingers]
        listed = index.search(unknown, length // HANDS)
    else:
        listed = index.search(fingers, length, exchanged=True)
    best = relist(index, fingers, listed, references, anywhere=anywhere)
    subjects = [candidate.subject for candidate in best]
    return confirm(index, fingers, subjects, references, weights, anywhere=anywhere)


def pairs_in_all(index: SearchIndex, fingers: Sequence[Finger]) -> int:
    """How many comparisons it would take to compare the fingers with everybody's."""
    unknown = sum(finger.position == UNKNOWN for finger in fingers)
    pairs = (len(fingers) - unknown) * index.persons()
    return pairs + unknown * index.fingers() if unknown else pairs


def verified_persons(fingers: int) -> int:
    """How many persons are fully compared when that many fingers are searched with."""
    return max(COMPARISONS // max(fingers, 1), 1)


def local_persons(fingers: int) -> int:
    """How many persons leave the passes over codes."""
    return RELAXATIONS // max(fingers, 1) if fingers <= FEW_FINGERS else verified_persons(fingers)


def relist(
    index: SearchIndex,
    fingers: Sequence[Finger],
    listed: Sequence[Candidate],
    references: References,
    *,
    anywhere: bool = False,
) -> list[Candidate]:
    """The candidates that deserve full comparison: those of the greatest sums of LSSR, if fingers are few."""
    keep = verified_persons(len(fingers))
    if len(fingers) > FEW_FINGERS or len(listed) <= keep:
        return list(listed[:keep])
    enrolled = references(
        [candidate.subject for candidate in listed], None if anywhere else reachable(fingers)
    )
    own = [(k, finger.template) for k, person in enumerate(enrolled) for finger in person]
    if not own:
        return list(listed[:keep])
    owners = np.array([k for k, _ in own])
    parts = [part for part in np.array_split(np.arange(len(own)), _PARTS) if part.size]
    packed = index.map(lambda part: local.pack([own[k][1] for k in part.tolist()]), parts)
    total = np.zeros(len(listed))
    for probe in fingers:
        scores = index.map(partial(local.scores, probe.template), packed)
        best = np.zeros(len(listed))
        np.maximum.at(best, owners, np.concatenate(scores))
        total += best
    return [listed[k] for k in np.argsort(-total, kind="stable")[:keep].tolist()]


def reachable(fingers: Sequence[Finger]) -> set[int] | None:
    """Positions under which the fingers may be enrolled, mixed up or not; None: any."""
    known = {finger.position for finger in fingers}
    if UNKNOWN in known or len(known) > max(FEW):
        return None
    return known | {other_hand(position) for position in known} | {UNKNOWN}


def confirm(
    index: SearchIndex,
    fingers: Sequence[Finger],
    subjects: Sequence[str],
    references: References,
    weights: Weights = DEFAULT,
    *,
    alone: bool = False,
    anywhere: bool = False,
) -> list[Found]:
    """Compare the fingers with those of every subject that may be the same; best first.

    alone: in this thread, for a caller that cannot wait behind the searches of others. anywhere: with
    fingers of any position, where codes say so, also if the probe's are few.
    """
    enrolled = references(subjects, None if anywhere else reachable(fingers))
    alike = crossed.likeness(fingers, enrolled, [index.codes_of(one) for one in subjects], index.book)
    known = [Listed(*one) for one in zip(subjects, enrolled, alike, strict=True) if one[1]]
    work = partial(verify, fingers, weights)
    found = [work(one) for one in known] if alone else index.map(work, known)
    return sorted(found, key=lambda one: -one.fused.score)
