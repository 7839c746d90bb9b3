"""Local similarity with relaxation (LSSR, same paper): which minutiae of two fingers correspond, and how
well.

Each cylinder of one finger is compared with each of the other; the best pairs then vote for one another by
how well their mutual distance, rotation and direction agree in both fingers. Relaxation is what buys accuracy
(12.9 instead of 23.9 % FNMR at FMR 0.1 % on FVC).
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.cylinders import VALID_WORDS, WORDS
from services.abis.kernels import F32, F64, I32, U8, U64, kernel, popcount

RELAXATIONS = 5
RELAXED = 24
"""Best pairs that vote for one another: the score averages over at most PAIRS_MAX of them."""
WEIGHT = 0.5
PAIRS_MIN, PAIRS_MAX = 4, 12
PAIRS_CENTRE, PAIRS_SLOPE = 20.0, 0.4
RHO_DISTANCE, RHO_DISTANCE_SLOPE = 5.0, -1.6
RHO_ANGLE, RHO_ANGLE_SLOPE = np.pi / 12, -30.0
FAR, TURNED = 12.0, 0.6
"""Differences of distance (px) and of direction (rad) beyond which two pairs have nothing to do with each
other.
"""


@kernel("float32[:,::1](uint64[:,::1], uint64[:,::1], uint8[::1], uint64[:,::1], uint64[:,::1], uint8[::1])")
def similarities(bits_a: U64, valid_a: U64, usable_a: U8, bits_b: U64, valid_b: U64, usable_b: U8) -> F32:
    """Similarity in [0, 1] of each cylinder of a with each of b, shape (n, m): 1 - |a-b| / sqrt(2 (|a|² +
    |b|²)) on common cells. The paper has |a| + |b| below the line, which is the same where both are equally
    long, costs half as much again, and is no more accurate.

    Pairs with less than COMPARE_MIN_COMMON of the disc's cells in common count as 0.
    """
    n, m = bits_a.shape[0], bits_b.shape[0]
    out = np.zeros((n, m), np.float32)
    # Cells within the disc: 208 of the 256 of the square.
    need = np.uint64(p.COMPARE_MIN_COMMON * 208)
    both = np.empty(VALID_WORDS, np.uint64)
    for i in range(n):
        if not usable_a[i]:
            continue
        for j in range(m):
            if not usable_b[j]:
                continue
            common = np.uint64(0)
            for w in range(VALID_WORDS):
                both[w] = valid_a[i, w] & valid_b[j, w]
                common += popcount(both[w])
            if common < need:
                continue
            ones_a, ones_b, differ = np.uint64(0), np.uint64(0), np.uint64(0)
            for k in range(WORDS // VALID_WORDS):
                for w in range(VALID_WORDS):
                    a = bits_a[i, k * VALID_WORDS + w] & both[w]
                    b = bits_b[j, k * VALID_WORDS + w] & both[w]
                    ones_a += popcount(a)
                    ones_b += popcount(b)
                    differ += popcount(a ^ b)
            if ones_a + ones_b > 0:
                out[i, j] = np.float32(1.0 - np.sqrt(np.float64(differ) / np.float64(2 * (ones_a + ones_b))))
    return out


@kernel("float64(float64)")
def wrap(angle: float) -> float:
    """The angle in [-pi, pi)."""
    return float(angle - 2 * np.pi * np.floor((angle + np.pi) / (2 * np.pi)))


@kernel("float64(float64, float64, float64)")
def sigmoid(value: float, centre: float, slope: float) -> float:
    """Logistic function of slope `slope` around `centre`."""
    return float(1.0 / (1.0 + np.exp(-slope * (value - centre))))


@kernel("int64(int64)")
def pair_count(smaller: int) -> int:
    """How many pairs the score averages over, by the number of minutiae of the smaller template."""
    z = 1.0 / (1.0 + np.exp(-PAIRS_SLOPE * (smaller - PAIRS_CENTRE)))
    return min(smaller, PAIRS_MIN + int(np.round(z * (PAIRS_MAX - PAIRS_MIN))))


@kernel("int32(int32[::1])")
def greatest(line: I32) -> np.int32:
    """The greatest entry."""
    best = np.int32(0)
    for j in range(line.size):
        best = max(best, line[j])
    return best


@kernel("int64(float32[:,::1], int32[:,::1], float64[::1])")
def top_pairs(similarity: F32, pairs: I32, values: F64) -> int:
    """The greatest entries of the matrix, best first, into pairs (k, 2) and values (k); returns how many
    there are.
    """
    size = values.size
    count = 0
    # Floats that are not negative are ordered as their bits are.
    ordered = similarity.view(np.int32)
    for i in range(similarity.shape[0]):
        if (
            count == size
            and ordered[i, 0] >= 0
            and greatest(ordered[i]) <= np.float32(values[size - 1]).view(np.int32)
        ):
            continue
        for j in range(similarity.shape[1]):
            s = np.float64(similarity[i, j])
            if s <= 0.0 or (count == size and s <= values[count - 1]):
                continue
            k = count if count < size else size - 1
            while k > 0 and values[k - 1] < s:
                values[k] = values[k - 1]
                pairs[k, 0] = pairs[k - 1, 0]
                pairs[k, 1] = pairs[k - 1, 1]
                k -= 1
            values[k] = s
            pairs[k, 0] = i
            pairs[k, 1] = j
            count = min(count + 1, size)
    return count


@kernel("Tuple((float64, int32[:,::1], float64[::1]))(float32[:,::1], float32[:,::1], float32[:,::1])")
def relax(similarity: F32, a: F32, b: F32) -> tuple[float, I32, F64]:
    """Relax the best local pairs against each other.

    Parameters
    ----------
    similarity: (n, m) from `similarities`. a, b: (n, 4) and (m, 4) minutiae x, y, angle, quality.

    Returns
    -------
    The LSSR score in [0, 1]; the pairs (k, 2), those that kept most of their similarity first; their relaxed
    values.
    """
    smaller = min(a.shape[0], b.shape[0])
    most = min(smaller, RELAXED)
    pairs = np.empty((most, 2), np.int32)
    start = np.empty(most)
    k = top_pairs(similarity, pairs, start) if smaller > 0 else 0
    pairs, start = pairs[:k].copy(), start[:k].copy()
    if k < 2:
        return 0.0, pairs, start
    rho = np.zeros((k, k))
    for s in range(k):
        a1, b1 = pairs[s, 0], pairs[s, 1]
        turn = a[a1, 2] - b[b1, 2]
        for t in range(s + 1, k):
            a2, b2 = pairs[t, 0], pairs[t, 1]
            if a1 == a2 or b1 == b2:
                continue
            ax, ay = a[a1, 0] - a[a2, 0], a[a2, 1] - a[a1, 1]
            bx, by = b[b1, 0] - b[b2, 0], b[b2, 1] - b[b1, 1]
            d1 = abs(np.sqrt(ax * ax + ay * ay) - np.sqrt(bx * bx + by * by))
            if d1 > FAR:
                continue
            other = a[a2, 2] - b[b2, 2]
            d2 = abs(wrap(np.float64(turn - other)))
            if d2 > TURNED:
                continue
            # By how much the line between the two minutiae is turned from one finger to the other.
            line = np.arctan2(ay * bx - ax * by, ax * bx + ay * by)
            base = sigmoid(d1, RHO_DISTANCE, RHO_DISTANCE_SLOPE) * sigmoid(d2, RHO_ANGLE, RHO_ANGLE_SLOPE)
            rho[s, t] = base * sigmoid(abs(wrap(turn - line)), RHO_ANGLE, RHO_ANGLE_SLOPE)
            rho[t, s] = base * sigmoid(abs(wrap(other - line)), RHO_ANGLE, RHO_ANGLE_SLOPE)
    now = start.copy()
    following = np.empty(k)
    for _ in range(RELAXATIONS):
        for s in range(k):
            votes = 0.0
            for t in range(k):
                votes += rho[s, t] * now[t]
            following[s] = WEIGHT * now[s] + (1.0 - WEIGHT) * votes / (k - 1)
        now, following = following, now
    order = np.argsort(-now / start)
    used = pair_count(smaller)
    score = 0.0
    for s in range(min(used, k)):
        score += now[order[s]]
    return score / used, pairs[order].copy(), now[order].copy()
