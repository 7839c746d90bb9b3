"""Small kernels around the scores: the best of many, and the codes of a few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.abis.kernels import I32, I64, U8, U64, kernel
from services.abis.search.lanes import ask_for
from services.abis.search.plain import U16
from services.abis.vectors import LANES

BINS = 8192
"""Scores from here on share the last bin of a histogram: more than ten fingers of eight codes can reach."""
_LINE = 8
"""Codes in a line of the cache."""


@kernel("int64[::1](uint16[::1])")
def histogram(scores: U16) -> I64:
    """How many persons have each score, (BINS)."""
    bins = np.zeros(BINS, np.int64)
    for k in range(scores.size):
        bins[min(int(scores[k]), BINS - 1)] += 1
    return bins


def cut(bins: I64, most: int) -> int:
    """Greatest score, at least 1, that `most` persons reach, from a histogram of all scores.

    More than `most` reach it where several persons share it.
    """
    above = np.cumsum(bins[::-1])[::-1]
    return max(int(np.searchsorted(-above, -most, "right")) - 1, 1)


@kernel("int64[::1](uint16[::1], int64)")
def at_least(scores: U16, least: int) -> I64:
    """Indices of the scores that reach `least`."""
    count = 0
    for k in range(scores.size):
        count += scores[k] >= least
    out = np.empty(count, np.int64)
    at = 0
    for k in range(scores.size):
        if scores[k] >= least:
            out[at] = k
            at += 1
    return out


@kernel(
    "Tuple((uint64[:,::1], int32[::1], int64[::1]))"
    "(uint64[:,::1], uint8[::1], int64[::1], int64[::1], boolean[::1])"
)
def gather(
    full: U64, position: U8, first: I64, persons: I64, wanted: NDArray[np.bool_]
) -> tuple[U64, I32, I64]:
    """All codes of the fingers of some persons, laid out for `plain.score`, position by position.

    Parameters
    ----------
    full (fingers, w), position (fingers), first (all persons + 1): of a segment. persons: (n) that are
    wanted; wanted: (p) which positions of theirs.

    Returns
    -------
    rows (g * w, 8) and owners (g * 8), owners counting within `persons`. start (p + 1): position k has the
    groups [start[k], start[k + 1]).
    """
    width = full.shape[1]
    count = np.zeros(wanted.size, np.int64)
    for k in range(persons.size):
        for f in range(first[persons[k]], first[persons[k] + 1]):
            if wanted[position[f]]:
                count[position[f]] += 1
                # Persons lie far apart: ask for all of them before the first is copied.
                for line in range(0, width, _LINE):
                    ask_for(full, f * width + line)
    start = np.zeros(wanted.size + 1, np.int64)
    for p in range(wanted.size):
        start[p + 1] = start[p] + (count[p] + LANES - 1) // LANES
    rows = np.zeros((start[-1] * width, LANES), np.uint64)
    owners = np.full(start[-1] * LANES, -1, np.int32)
    column = start[:-1] * LANES
    for k in range(persons.size):
        for f in range(first[persons[k]], first[persons[k] + 1]):
            if not wanted[position[f]]:
                continue
            at = column[position[f]]
            column[position[f]] += 1
            group, lane = at // LANES, at % LANES
            for row in range(width):
                rows[group * width + row, lane] = full[f, row]
            owners[at] = k
    return rows, owners, start
