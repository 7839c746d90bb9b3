"""Fingers under another position than they were enrolled under: which pairs deserve a comparison.

Operators mix fingers up, and who wants a second identity exchanges them on purpose. Comparing every finger
with every other one costs ten times as much, so codes say first where a finger seems to have gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from services.abis.finger import UNKNOWN, Finger
from services.abis.kernels import I32, U64
from services.abis.search import path
from services.abis.search.codes import Codebook, encode
from services.abis.search.lanes import LANES
from services.abis.search.parameters import FULL_CODES
from services.abis.search.plain import U16
from services.abis.search.probe import from_codes
from services.abis.search.segment import side_by_side
from services.abis.search.tail import repeated

LIKELY = 18
"""Score of two fingers, all codes against all: 1 of 100 pairs of strangers reaches it, and 19 of 20 mates."""


def may_be(probe: Finger, reference: Finger) -> bool:
    """Whether two fingers may be the same by what is known of their positions."""
    return UNKNOWN in (probe.position, reference.position) or probe.position == reference.position


def pairs(
    probe: Sequence[Finger],
    enrolled: Sequence[Sequence[Finger]],
    known: Sequence[Mapping[int, U64]],
    book: Codebook,
) -> list[set[tuple[int, int]]]:
    """For each person, pairs (probe finger, enrolled finger) of different known positions that look alike.

    known: codes of each person's fingers by position. A probe finger has at most one such partner: the one
    that resembles it most of all fingers of the person.
    """
    rows = [
        (person, j, known[person][finger.position])
        for person, own in enumerate(enrolled)
        for j, finger in enumerate(own)
        if finger.position != UNKNOWN and finger.position in known[person]
    ]
    found: list[set[tuple[int, int]]] = [set() for _ in enrolled]
    if not rows:
        return found
    scores = code_scores(probe, [codes for _, _, codes in rows], book)
    owners = np.array([person for person, _, _ in rows])
    for person in np.unique(owners).tolist():
        theirs = np.flatnonzero(owners == person)
        best = theirs[scores[:, theirs].argmax(axis=1)]
        for i, row in enumerate(best.tolist()):
            j = rows[row][1]
            if scores[i, row] >= LIKELY and not may_be(probe[i], enrolled[person][j]):
                found[person].add((i, j))
    return found


def code_scores(probe: Sequence[Finger], enrolled: Sequence[U64], book: Codebook) -> U16:
    """First-stage scores (probe fingers, enrolled fingers) of all codes; enrolled: codes of a finger each."""
    width = -(-len(enrolled) // LANES) * LANES
    codes = np.zeros((width, FULL_CODES), np.uint64)
    owners: I32 = np.full(width, -1, np.int32)
    for k, own in enumerate(enrolled):
        if own.size:
            codes[k], owners[k] = repeated(own, FULL_CODES), k
    rows = side_by_side(codes)
    scores = np.zeros((len(probe), len(enrolled)), np.uint16)
    kernel = path.fastest()
    for finger, sums in zip(probe, scores, strict=True):
        ready = from_codes(finger.position, encode(finger.template, book), book, FULL_CODES)
        kernel(rows, FULL_CODES, owners, ready.full_codes, ready.full_limits, sums, False)
    return scores
