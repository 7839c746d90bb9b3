"""Alignment and pairing: which minutiae are the same once one finger is laid over the other.

From a rigid motion, a smooth displacement field (skin stretches), then each minutia of one finger paired with
at most one of the other. Only what stays paired after that counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.abis.fingerprint.field import displacements, place
from services.abis.fingerprint.lssr import wrap
from services.abis.kernels import F32, F64, I32, I64, kernel

__all__ = ["align", "nearby", "pair_up", "place"]

PAIR_DISTANCE: Final = 14.0
PAIR_ANGLE: Final = 0.55
"""Residual within which two minutiae may be one, after the displacement field."""
SLACK: Final = (1.4, 1.2, 1.0)
"""Factors on PAIR_DISTANCE: without a field first, then with one that is fitted again each time."""
STRIP: Final = 16.0
"""Pixels of a strip of `nearby`."""


@kernel("Tuple((int64[::1], int64[::1]))(float32[:,::1], int64)")
def nearby(b: F32, strips: int) -> tuple[I64, I64]:
    """Minutiae sorted into horizontal strips of STRIP pixels, so that neighbours are found without looking
    at all.

    Returns
    -------
    order (m), start (strips + 1): strip s holds the minutiae order[start[s]: start[s + 1]]; those above or
    below all strips are in the outermost ones.
    """
    m = b.shape[0]
    start = np.zeros(strips + 1, np.int64)
    order = np.empty(m, np.int64)
    for j in range(m):
        start[min(max(int(b[j, 1] * (1.0 / STRIP)), 0), strips - 1) + 1] += 1
    for s in range(strips):
        start[s + 1] += start[s]
    following = start.copy()
    for j in range(m):
        s = min(max(int(b[j, 1] * (1.0 / STRIP)), 0), strips - 1)
        order[following[s]] = j
        following[s] += 1
    return order, start


@kernel(
    "Tuple((int32[:,::1], float64[::1]))"
    "(float32[:,::1], float32[:,::1], int64[::1], int64[::1], float64[::1], float64[:,::1], float64)"
)
def pair_up(a: F32, b: F32, order: I64, start: I64, motion: F64, field: F64, slack: float) -> tuple[I32, F64]:
    """One-to-one pairs under a motion and field, nearest first, and their closeness in (0, 1].

    order, start: of b, from `nearby`. slack: factor on the distance within which two minutiae may be paired.
    """
    n, m = a.shape[0], b.shape[0]
    reach = PAIR_DISTANCE * slack
    scale = 1.0 / (reach * reach)
    strips = start.size - 1
    first = np.empty(n * m, np.int32)
    second = np.empty(n * m, np.int32)
    cost = np.empty(n * m)
    count = 0
    angle = np.arctan2(motion[1], motion[0])
    for i in range(n):
        px, py = place(np.float64(a[i, 0]), np.float64(a[i, 1]), motion, field)
        low = min(max(int(np.floor((py - reach) * (1.0 / STRIP))), 0), strips - 1)
        high = min(max(int(np.floor((py + reach) * (1.0 / STRIP))), 0), strips - 1)
        for e in range(start[low], start[high + 1]):
            j = order[e]
            dx, dy = b[j, 0] - px, b[j, 1] - py
            d2 = (dx * dx + dy * dy) * scale
            if d2 >= 1.0:
                continue
            turn = wrap(np.float64(b[j, 2]) - np.float64(a[i, 2]) - angle) * (1.0 / PAIR_ANGLE)
            if abs(turn) >= 1.0:
                continue
            first[count], second[count], cost[count] = i, j, d2 + turn * turn
            count += 1
    ranked = np.argsort(cost[:count])
    taken_a = np.zeros(n, np.uint8)
    taken_b = np.zeros(m, np.uint8)
    pairs = np.empty((min(n, m), 2), np.int32)
    closeness = np.empty(min(n, m))
    size = 0
    for e in ranked:
        i, j = first[e], second[e]
        if taken_a[i] or taken_b[j]:
            continue
        taken_a[i], taken_b[j] = 1, 1
        pairs[size, 0], pairs[size, 1] = i, j
        closeness[size] = np.exp(-2.0 * cost[e])
        size += 1
    return pairs[:size].copy(), closeness[:size].copy()


@kernel(
    "Tuple((float64[:,::1], int32[:,::1], float64[::1]))"
    "(float32[:,::1], float32[:,::1], int64[::1], int64[::1], float64[::1], float64, float64)"
)
def align(
    a: F32, b: F32, order: I64, start: I64, motion: F64, width: float, height: float
) -> tuple[F64, I32, F64]:
    """Lay a over b, starting from a rigid motion. order, start: of b, from `nearby`; width, height: of b.

    Returns
    -------
    The displacement field, the one-to-one pairs (k, 2) and their closeness (k).
    """
    field = np.empty((0, 0))
    pairs, closeness = pair_up(a, b, order, start, motion, field, SLACK[0])
    for step in range(1, len(SLACK)):
        field = displacements(a, b, pairs, motion, width, height)
        pairs, closeness = pair_up(a, b, order, start, motion, field, SLACK[step])
    return field, pairs, closeness
