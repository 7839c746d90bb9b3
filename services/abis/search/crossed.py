"""Which fingers of a listed person resemble which of the probe, by codes: whom to compare first, and where a
finger seems to have gone that is enrolled under another position.

Operators mix fingers up, and who wants a second identity exchanges them on purpose. Comparing every finger
with every other one costs ten times as much, so codes say first which pairs deserve it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from services.abis.finger import UNKNOWN, Finger
from services.abis.fingerprint.template import Template
from services.abis.kernels import I32, U64
from services.abis.search import path
from services.abis.search.codes import Codebook, encode
from services.abis.search.parameters import FULL_CODES
from services.abis.search.plain import U16
from services.abis.search.probe import from_codes
from services.abis.search.segment import side_by_side
from services.abis.search.tail import repeated
from services.abis.vectors import LANES

LIKELY = 25
"""Score of two fingers, all codes against all: 1 of 75 pairs of strangers reaches it, and 9 of 10 mates."""
_NOTHING = np.empty(0, np.uint64)


def may_be(probe: Finger, reference: Finger) -> bool:
    """Whether two fingers may be the same by what is known of their positions."""
    return UNKNOWN in (probe.position, reference.position) or probe.position == reference.position


def likeness(
    probe: Sequence[Finger],
    enrolled: Sequence[Sequence[Finger]],
    known: Sequence[Mapping[int, U64]],
    book: Codebook,
) -> list[U16]:
    """For each person, scores (probe fingers, enrolled fingers) of all codes; 0 where nothing is known.

    known: codes of each person's fingers by position.
    """
    rows = [codes.get(f.position, _NOTHING) for own, codes in zip(enrolled, known, strict=True) for f in own]
    scores = code_scores(probe, rows, book)
    ends = np.cumsum([len(own) for own in enrolled], dtype=np.int64)
    return np.split(scores, ends[:-1], axis=1) if len(ends) else []


def pairs(probe: Sequence[Finger], enrolled: Sequence[Finger], alike: U16) -> set[tuple[int, int]]:
    """Pairs (probe finger, enrolled finger) of one person, of different known positions, that look alike.

    alike: from `likeness`. A probe finger has at most one such partner: the one that resembles it most of all
    fingers of the person whose position is known. A single one has it however little it resembles it: nothing
    else can find the person if its label is wrong.
    """
    least = LIKELY if len(probe) > 1 else 1
    placed = np.flatnonzero([finger.position != UNKNOWN for finger in enrolled])
    if not placed.size:
        return set()
    best = placed[alike[:, placed].argmax(axis=1)].tolist()
    return {(i, j) for i, j in enumerate(best) if alike[i, j] >= least and not may_be(probe[i], enrolled[j])}


def score(probe: Template, reference: Template, book: Codebook) -> int:
    """First-stage score of two fingers, all codes against all."""
    return int(code_scores([Finger(UNKNOWN, probe)], [encode(reference, book)], book)[0, 0])


def code_scores(probe: Sequence[Finger], enrolled: Sequence[U64], book: Codebook) -> U16:
    """First-stage scores (probe fingers, enrolled fingers) of all codes; enrolled: codes of a finger each."""
    width = -(-len(enrolled) // LANES) * LANES
    codes = np.zeros((width, FULL_CODES), np.uint64)
    owners: I32 = np.full(width, -1, np.int32)
    for k, own in enumerate(enrolled):
        if own.size:
            codes[k] = own if own.size == FULL_CODES else repeated(own, FULL_CODES)
            owners[k] = k
    rows = side_by_side(codes)
    scores = np.zeros((len(probe), len(enrolled)), np.uint16)
    kernel = path.fastest()
    for finger, sums in zip(probe, scores, strict=True):
        ready = from_codes(finger.position, encode(finger.template, book), book, FULL_CODES)
        kernel(rows, FULL_CODES, owners, ready.full_codes, ready.full_limits, sums, False)
    return scores
