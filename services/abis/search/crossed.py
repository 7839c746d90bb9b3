"""Fingers under another position than they were enrolled under: which pairs deserve a comparison.

Operators mix fingers up, and who wants a second identity exchanges them on purpose. Comparing every finger
with every other one costs ten times as much, so codes say first where a finger seems to have gone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.abis.finger import UNKNOWN, Finger
from services.abis.kernels import I32
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
    probe: Sequence[Finger], enrolled: Sequence[Sequence[Finger]], book: Codebook
) -> list[set[tuple[int, int]]]:
    """For each person, pairs (probe finger, enrolled finger) of different known positions that look alike.

    A probe finger has at most one such partner: the one that resembles it most of all fingers of the person.
    """
    owners = np.repeat(np.arange(len(enrolled)), [len(own) for own in enrolled])
    everyone = [finger for own in enrolled for finger in own]
    found: list[set[tuple[int, int]]] = [set() for _ in enrolled]
    if not everyone:
        return found
    scores = code_scores(probe, everyone, book)
    start = np.searchsorted(owners, np.arange(len(enrolled)))
    for person, own in enumerate(enrolled):
        theirs = scores[:, start[person] : start[person] + len(own)]
        for i, j in enumerate(theirs.argmax(axis=1).tolist() if own else ()):
            if theirs[i, j] >= LIKELY and not may_be(probe[i], own[j]):
                found[person].add((i, j))
    return found


def code_scores(probe: Sequence[Finger], enrolled: Sequence[Finger], book: Codebook) -> U16:
    """First-stage scores of all codes, (probe fingers, enrolled fingers)."""
    width = -(-len(enrolled) // LANES) * LANES
    codes = np.zeros((width, FULL_CODES), np.uint64)
    owners: I32 = np.full(width, -1, np.int32)
    for k, finger in enumerate(enrolled):
        own = encode(finger.template, book)
        if own.size:
            codes[k], owners[k] = repeated(own, FULL_CODES), k
    rows = side_by_side(codes)
    scores = np.zeros((len(probe), len(enrolled)), np.uint16)
    kernel = path.fastest()
    for finger, sums in zip(probe, scores, strict=True):
        ready = from_codes(finger.position, encode(finger.template, book), book, FULL_CODES)
        kernel(rows, FULL_CODES, owners, ready.full_codes, ready.full_limits, sums, False)
    return scores
