"""One comparison of two fingers from prepared arrays: the recipe of the matcher, compiled as one kernel.

LSSR finds corresponding minutiae and votes of all pairs find how the one finger may lie on the other; the two
most promising motions are turned into alignments; the ridges themselves are compared under the better one,
and its features become the score.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.abis.fingerprint import texture
from services.abis.fingerprint.agreement import COUNT, features
from services.abis.fingerprint.align import align
from services.abis.fingerprint.candidates import choose
from services.abis.fingerprint.lssr import relax
from services.abis.fingerprint.motions import vote
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.fingerprint.prepared import CELL, FINGER, Prepared
from services.abis.fingerprint.similar import padded
from services.abis.kernels import F32, F64, I32, U8, U32, U64, kernel, numba_types

_t = numba_types
FLOOR: Final = -4.0
"""Texture is compared only where the score may exceed this: how unlike two strangers are is no matter."""
TEXTURE_MOST: Final = 0.35
"""Texture agreement that two prints hardly reach of which nothing else speaks for the same finger."""
IMPOSSIBLE: Final = -60.0
"""Score where nothing can be aligned: the two have no two pairs of minutiae in common."""
ALIGNMENTS: Final = 2
"""How many alignments are made."""
APART: Final = 20.0
APART_COS: Final = 0.98
"""Motions nearer to each other than this, at the middle of the first finger, are one."""


@kernel("float64(float64[::1], float64[::1])")
def linear(values: F64, weights: F64) -> float:
    """weights[0] + sum of weights[k + 1] values[k]."""
    total = weights[0]
    for k in range(values.size):
        total += weights[k + 1] * values[k]
    return float(total)


@kernel("boolean(float64[::1], float64[::1], float64, float64)")
def same_motion(one: F64, other: F64, x: float, y: float) -> bool:
    """Whether two motions lay the point (x, y) and its surroundings on nearly the same place."""
    c, s = one[0] - other[0], one[1] - other[1]
    dx, dy = c * x + s * y + one[2] - other[2], c * y - s * x + one[3] - other[3]
    return bool(dx * dx + dy * dy < APART * APART and one[0] * other[0] + one[1] * other[1] > APART_COS)


@kernel(_t.Tuple((_t.float64, _t.float64[:, ::1]))(FINGER, FINGER))
def propose(a: Prepared, b: Prepared) -> tuple[float, F64]:
    """How finger a may lie on finger b.

    Returns
    -------
    The LSSR score; at most ALIGNMENTS motions that differ, the most promising first.
    """
    n, m = a.points.shape[0], b.points.shape[0]
    similarity = padded(a.bits, a.valid, a.usable, b.bits, b.valid, b.usable)
    local, relaxed, _ = relax(similarity, a.points, b.points)
    motions, votes = vote(a.lanes, n, b.lanes, m, similarity)
    motions = choose(a.lanes, n, b.lanes, a.cells, b.grid, motions, votes, relaxed)
    x, y = a.points[:, 0].mean(), a.points[:, 1].mean()
    distinct = motions[:ALIGNMENTS].copy()
    count = 0
    for k in range(motions.shape[0]):
        fresh = count < ALIGNMENTS
        for taken in range(count):
            fresh = fresh and not same_motion(distinct[taken], motions[k], x, y)
        if fresh:
            distinct[count] = motions[k]
            count += 1
    return local, distinct[:count]


@kernel(
    _t.Tuple((_t.float64[::1], _t.float64[:, ::1], _t.int32[:, ::1], _t.float64[::1]))(
        FINGER, FINGER, _t.float64, _t.float64[::1]
    )
)
def evidence(a: Prepared, b: Prepared, local: float, motion: F64) -> tuple[F64, F64, I32, F64]:
    """Align finger a with finger b by a motion of `propose`, and see what they have in common then.

    Returns
    -------
    Features (the texture left at 0), displacement field, pairs (k, 2) and their closeness (k).
    """
    height, width = float((b.grid.shape[0] - 2) * CELL), float((b.grid.shape[1] - 2) * CELL)
    field, pairs, closeness = align(a.lanes, a.points.shape[0], b.lanes, motion, width, height)
    found = features(a.lanes, a.cells, a.grid, b.lanes, b.grid, motion, pairs, closeness, local)
    return found, field, pairs, closeness


@kernel(
    _t.Tuple(
        (
            _t.float64,
            _t.float64[::1],
            _t.float64[::1],
            _t.float64[:, ::1],
            _t.int32[:, ::1],
            _t.float64[::1],
        )
    )(FINGER, FINGER, _t.float64[::1], _t.float64)
)
def verify(a: Prepared, b: Prepared, weights: F64, floor: float) -> tuple[float, F64, F64, F64, I32, F64]:
    """Compare finger a with finger b.

    weights: bias and one weight a feature. floor: the texture counts only where the score may exceed it.

    Returns
    -------
    score (natural log-likelihood ratio), features, motion, displacement field, pairs (k, 2), closeness (k) of
    the better alignment. Fewer than MIN_MINUTIAE on either side: score 0, for such a template says nothing.
    """
    best = np.zeros(COUNT)
    best_motion = np.array([1.0, 0.0, 0.0, 0.0])
    best_field = np.empty((0, 0))
    best_pairs = np.empty((0, 2), np.int32)
    best_closeness = np.empty(0)
    if a.points.shape[0] < MIN_MINUTIAE or b.points.shape[0] < MIN_MINUTIAE:
        return 0.0, best, best_motion, best_field, best_pairs, best_closeness
    local, motions = propose(a, b)
    score = IMPOSSIBLE
    for k in range(motions.shape[0]):
        found, field, pairs, closeness = evidence(a, b, local, motions[k])
        value = linear(found, weights)
        if k == 0 or value > score:
            score, best, best_motion, best_field = value, found, motions[k].copy(), field
            best_pairs, best_closeness = pairs, closeness
    # The costliest feature comes last, of the better alignment only, where it can lift the score above the
    # floor.
    if motions.shape[0] > 0 and score + weights[COUNT] * TEXTURE_MOST > floor:
        best[COUNT - 1] = texture.agreement(a.blocks, a.ridges, b.grid, b.ridges, best_motion, best_field)
        score = linear(best, weights)
    return max(score, IMPOSSIBLE), best, best_motion, best_field, best_pairs, best_closeness


@kernel(_t.float64(*FINGER, *FINGER, _t.float64[::1], _t.float64))
def rate(
    points_a: F32,
    bits_a: U64,
    valid_a: U64,
    usable_a: U8,
    lanes_a: F32,
    cells_a: F32,
    grid_a: I32,
    blocks_a: I32,
    ridges_a: U32,
    points_b: F32,
    bits_b: U64,
    valid_b: U64,
    usable_b: U8,
    lanes_b: F32,
    cells_b: F32,
    grid_b: I32,
    blocks_b: I32,
    ridges_b: U32,
    weights: F64,
    floor: float,
) -> float:
    """The score of `verify` alone, from the arrays of two `Prepared`: Numba takes those faster than tuples of
    them, and hands out no others.
    """
    a = Prepared(points_a, bits_a, valid_a, usable_a, lanes_a, cells_a, grid_a, blocks_a, ridges_a)
    b = Prepared(points_b, bits_b, valid_b, usable_b, lanes_b, cells_b, grid_b, blocks_b, ridges_b)
    return verify(a, b, weights, floor)[0]
