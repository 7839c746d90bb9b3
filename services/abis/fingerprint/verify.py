"""One comparison of two fingers from packed arrays: the recipe of the matcher, compiled as one kernel.

LSSR finds corresponding minutiae; two alignments (from the best pair, and from the best pair that contradicts
the first alignment) are tried; the features of each are turned into a score, the greater one counts.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint import texture
from services.abis.fingerprint.agreement import COUNT, features
from services.abis.fingerprint.align import SEED_DISTANCE, align, place
from services.abis.fingerprint.lssr import relax, similarities
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.kernels import F32, F64, I32, U8, U64, kernel

FLOOR = 0.0
"""Texture is compared only where the score may become positive: how unlike two strangers are is no matter."""
TEXTURE_MOST = 0.7
"""Texture agreement that even two prints of one finger hardly reach."""
IMPOSSIBLE = -60.0
"""Score where nothing can be aligned: the two have no two pairs of minutiae in common."""
ALIGNMENTS = 2
SEEDS_AMONG = 12
"""How many alignments are tried, and from how many of the best relaxed pairs."""

_FINGER = "float32[:,::1], uint64[:,::1], uint64[:,::1], uint8[::1], uint8[:,::1], uint8[:,::1], uint8[:,::1]"


@kernel("float64(float64[::1], float64[::1])")
def linear(values: F64, weights: F64) -> float:
    """weights[0] + sum of weights[k + 1] values[k]."""
    total = weights[0]
    for k in range(values.size):
        total += weights[k + 1] * values[k]
    return float(total)


@kernel("int64(float32[:,::1], float32[:,::1], int32[:,::1], float64[::1], float64[:,::1], uint8[::1])")
def unexplained(a: F32, b: F32, pairs: I32, motion: F64, field: F64, explained: U8) -> int:
    """Mark the pairs that an alignment explains; the best pair that none explained so far, -1 if there is
    none.
    """
    first = -1
    for k in range(explained.size):
        x, y = place(a[pairs[k, 0], 0], a[pairs[k, 0], 1], motion, field)
        if np.hypot(b[pairs[k, 1], 0] - x, b[pairs[k, 1], 1] - y) <= SEED_DISTANCE:
            explained[k] = 1
        elif first < 0 and not explained[k]:
            first = k
    return first


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
    best_field = np.empty((0, 4))
    best_pairs = np.empty((0, 2), np.int32)
    best_closeness = np.empty(0)
    if a.shape[0] < MIN_MINUTIAE or b.shape[0] < MIN_MINUTIAE:
        return 0.0, best, best_motion, best_field, best_pairs, best_closeness
    similarity = similarities(bits_a, valid_a, usable_a, bits_b, valid_b, usable_b)
    local, relaxed, values = relax(similarity, a, b)
    score = IMPOSSIBLE
    seed = 0 if relaxed.shape[0] >= 2 else -1
    explained = np.zeros(min(relaxed.shape[0], SEEDS_AMONG), np.uint8)
    for _ in range(ALIGNMENTS):
        if seed < 0:
            break
        explained[seed] = 1
        motion, field, pairs, closeness = align(a, b, relaxed, values, seed)
        found = features(
            a,
            orientation_a,
            frequency_a,
            b,
            orientation_b,
            frequency_b,
            motion,
            field,
            pairs,
            closeness,
            local,
        )
        value = linear(found, weights)
        # The costliest feature comes last, and only where it can lift the score above the floor.
        if value + weights[COUNT] * TEXTURE_MOST > floor:
            found[COUNT - 1] = texture.agreement(
                texture_a, frequency_a, texture_b, frequency_b, motion, field
            )
            value = linear(found, weights)
        value = max(value, IMPOSSIBLE)
        if value > score or seed == 0:
            score, best, best_motion, best_field = value, found, motion, field
            best_pairs, best_closeness = pairs, closeness
        seed = unexplained(a, b, relaxed, motion, field, explained)
    return score, best, best_motion, best_field, best_pairs, best_closeness
