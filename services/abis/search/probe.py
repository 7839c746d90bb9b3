"""A finger that is searched with, in the form in which the kernels take it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.abis.finger import UNKNOWN, Finger
from services.abis.kernels import I32, U64
from services.abis.search.codes import Codebook, projections, signs, thresholds
from services.abis.search.parameters import FULL_CODES, PROBE_CODES, SEARCH_CODES, WORD_CODES
from services.abis.search.plain import U16
from services.abis.search.words import WORDS, asked

_BLOCK = 4
"""Kernels take codes in multiples of this many."""
FEW = (2, 3)
"""With so many fingers, two that were exchanged may be all there is."""


@dataclass(frozen=True, eq=False)
class ProbeFinger:
    """position: 0 where unknown. codes, limits: for the first pass; full_codes, full_limits: for the second.
    asked: (4, n) words for `words.vote`.

    Codes are filled up to multiples of 4 with limits of 0, which nothing can fall below.
    """

    position: int
    codes: U64
    limits: U64
    full_codes: U64
    full_limits: U64
    asked: U16


def prepare(fingers: Sequence[Finger], book: Codebook) -> list[ProbeFinger]:
    """Probe fingers of those that show enough to be searched with."""
    projected = [(finger.position, projections(finger.template, book)) for finger in fingers]
    usable = [(position, sums) for position, sums in projected if sums.size]
    return [_from_projections(position, sums, book, len(usable)) for position, sums in usable]


def _from_projections(position: int, sums: I32, book: Codebook, fingers: int) -> ProbeFinger:
    """One of so many probe fingers."""
    words = asked(sums[: word_codes(fingers)], book.scale)
    return replace(from_codes(position, signs(sums), book, first_codes(fingers)), asked=words)


def first_codes(fingers: int) -> int:
    """Codes of each finger in the first pass, when that many fingers are searched with."""
    share = SEARCH_CODES // max(fingers, 1) // _BLOCK * _BLOCK
    return min(max(share, PROBE_CODES), FULL_CODES)


def word_codes(fingers: int) -> int:
    """Codes of each finger that votes are asked for, when that many fingers are searched with."""
    return min(WORD_CODES // max(fingers, 1), FULL_CODES)


def from_codes(position: int, codes: U64, book: Codebook, most: int) -> ProbeFinger:
    """A probe finger from its codes (n), best first, of which the first pass takes `most`; it asks nobody."""
    limits = thresholds(codes, book)
    short, short_limits = _filled(codes[:most]), _filled(limits[:most])
    silent = np.empty((WORDS, 0), np.uint16)
    return ProbeFinger(position, short, short_limits, _filled(codes), _filled(limits), silent)


def arrangements(probe: Sequence[ProbeFinger]) -> list[list[ProbeFinger]]:
    """The probe under every order in which its positions may have been mixed up: as declared, with both hands
    exchanged, and, where it has two or three fingers, with two of them exchanged.

    With four fingers or more those that keep their positions find the person.
    """
    orders = [[finger.position for finger in probe]]
    if len(probe) in FEW:
        for i, j in itertools.combinations(range(len(probe)), 2):
            exchanged = list(orders[0])
            exchanged[i], exchanged[j] = exchanged[j], exchanged[i]
            orders.append(exchanged)
    orders += [[other_hand(position) for position in order] for order in orders]
    distinct = dict.fromkeys(tuple(order) for order in orders)
    return [
        [replace(finger, position=position) for finger, position in zip(probe, order, strict=True)]
        for order in distinct
    ]


def other_hand(position: int) -> int:
    """The same finger of the other hand."""
    return UNKNOWN if position == UNKNOWN else (position + 4) % 10 + 1


def _filled(values: U64) -> U64:
    # np.pad takes longer than all that the codes are used for afterwards.
    out = np.zeros(-(-values.size // _BLOCK) * _BLOCK, np.uint64)
    out[: values.size] = values
    return out
