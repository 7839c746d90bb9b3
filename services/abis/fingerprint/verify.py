"""One comparison of two fingers from packed arrays: the recipe of the matcher, compiled as one kernel.

LSSR finds corresponding minutiae and votes of all pairs find how the one finger may lie on the other; the two
most promising motions are turned into alignments; the ridges themselves are compared under the better one,
and its features become the score.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.abis.fingerprint import texture
from services.abis.fingerprint.agreement import COUNT, features
from services.abis.fingerprint.align import STRIP, align, nearby
from services.abis.fingerprint.candidates import CELL, choose, framed, sampled_cells
from services.abis.fingerprint.lssr import relax
from services.abis.fingerprint.motions import vote
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.kernels import F32, F64, I32, I64, U8, U64, kernel
from services.abis.search.similar import similarities

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

_FINGER = "float32[:,::1], uint64[:,::1], uint64[:,::1], uint8[::1], uint8[:,::1], uint8[:,::1], uint8[:,::1]"


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


@kernel(
    f"Tuple((float64, float64[:,::1], int64[::1], int64[::1]))({_FINGER}, {_FINGER})",
)
def propose(
    a: F32,
    bits_a: U64,
    valid_a: U64,
    usable_a: U8,
    orientation_a: U8,
    frequency_a: U8,
    _texture_a: U8,
    b: F32,
    bits_b: U64,
    valid_b: U64,
    usable_b: U8,
    orientation_b: U8,
    frequency_b: U8,
    _texture_b: U8,
) -> tuple[float, F64, I64, I64]:
    """How finger a may lie on finger b. Parameters as `verify` has them.

    Returns
    -------
    The LSSR score; at most ALIGNMENTS motions that differ, the most promising first; b's minutiae sorted by
    `align.nearby`.
    """
    similarity = similarities(bits_a, valid_a, usable_a, bits_b, valid_b, usable_b)
    local, relaxed, _ = relax(similarity, a, b)
    height, width = float(frequency_b.shape[0] * CELL), float(frequency_b.shape[1] * CELL)
    order, start = nearby(b, int(height / STRIP) + 1)
    motions, votes = vote(a, b, similarity, width, height)
    cells, other = sampled_cells(orientation_a, frequency_a), framed(orientation_b, frequency_b)
    motions = choose(a, b, order, start, cells, other, motions, votes, relaxed)
    x, y = a[:, 0].mean(), a[:, 1].mean()
    distinct = motions[:ALIGNMENTS].copy()
    count = 0
    for k in range(motions.shape[0]):
        fresh = count < ALIGNMENTS
        for taken in range(count):
            fresh = fresh and not same_motion(distinct[taken], motions[k], x, y)
        if fresh:
            distinct[count] = motions[k]
            count += 1
    return local, distinct[:count], order, start


@kernel(
    "Tuple((float64[::1], float64[:,::1], int32[:,::1], float64[::1]))"
    f"({_FINGER}, {_FINGER}, float64, float64[::1], int64[::1], int64[::1])"
)
def evidence(
    a: F32,
    _bits_a: U64,
    _valid_a: U64,
    _usable_a: U8,
    orientation_a: U8,
    frequency_a: U8,
    _texture_a: U8,
    b: F32,
    _bits_b: U64,
    _valid_b: U64,
    _usable_b: U8,
    orientation_b: U8,
    frequency_b: U8,
    _texture_b: U8,
    local: float,
    motion: F64,
    order: I64,
    start: I64,
) -> tuple[F64, F64, I32, F64]:
    """Align finger a with finger b by a motion of `propose`, and see what they have in common then.

    Returns
    -------
    Features (the texture left at 0), displacement field, pairs (k, 2) and their closeness (k).
    """
    height, width = float(frequency_b.shape[0] * CELL), float(frequency_b.shape[1] * CELL)
    field, pairs, closeness = align(a, b, order, start, motion, width, height)
    found = features(
        a, orientation_a, frequency_a, b, orientation_b, frequency_b, motion, field, pairs, closeness, local
    )
    return found, field, pairs, closeness


@kernel(
    "Tuple((float64, float64[::1], float64[::1], float64[:,::1], int32[:,::1], float64[::1]))"
    f"({_FINGER}, {_FINGER}, float64[::1], float64)"
)
def verify(
    a: F32,
    bits_a: U64,
    valid_a: U64,
    usable_a: U8,
    orientation_a: U8,
    frequency_a: U8,
    texture_a: U8,
    b: F32,
    bits_b: U64,
    valid_b: U64,
    usable_b: U8,
    orientation_b: U8,
    frequency_b: U8,
    texture_b: U8,
    weights: F64,
    floor: float,
) -> tuple[float, F64, F64, F64, I32, F64]:
    """Compare finger a with finger b.

    Parameters
    ----------
    a, b: minutiae (n, 4). bits, valid, usable: their cylinders. orientation, frequency: their
    coarse fields. texture: packed, empty where unknown.
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
    if a.shape[0] < MIN_MINUTIAE or b.shape[0] < MIN_MINUTIAE:
        return 0.0, best, best_motion, best_field, best_pairs, best_closeness
    local, motions, order, start = propose(
        a,
        bits_a,
        valid_a,
        usable_a,
        orientation_a,
        frequency_a,
        texture_a,
        b,
        bits_b,
        valid_b,
        usable_b,
        orientation_b,
        frequency_b,
        texture_b,
    )
    score = IMPOSSIBLE
    for k in range(motions.shape[0]):
        found, field, pairs, closeness = evidence(
            a,
            bits_a,
            valid_a,
            usable_a,
            orientation_a,
            frequency_a,
            texture_a,
            b,
            bits_b,
            valid_b,
            usable_b,
            orientation_b,
            frequency_b,
            texture_b,
            local,
            motions[k],
            order,
            start,
        )
        value = linear(found, weights)
        if k == 0 or value > score:
            score, best, best_motion, best_field = value, found, motions[k].copy(), field
            best_pairs, best_closeness = pairs, closeness
    # The costliest feature comes last, of the better alignment only, where it can lift the score above the
    # floor.
    if motions.shape[0] > 0 and score + weights[COUNT] * TEXTURE_MOST > floor:
        best[COUNT - 1] = texture.agreement(
            texture_a, frequency_a, texture_b, frequency_b, best_motion, best_field
        )
        score = linear(best, weights)
    return max(score, IMPOSSIBLE), best, best_motion, best_field, best_pairs, best_closeness
