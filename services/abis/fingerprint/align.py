"""Alignment and pairing: which minutiae are the same once one finger is laid over the other.

From a rigid motion, a smooth displacement field (skin stretches), then each minutia of one finger paired with
at most one of the other. Only what stays paired after that counts.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.abis.fingerprint.field import displacements, place
from services.abis.fingerprint.pairing import cost_of, nearest_first
from services.abis.fingerprint.prepared import TURN, X, Y
from services.abis.kernels import F32, F64, I32, I64, kernel

__all__ = ["align", "pair_up", "place"]

PAIR_DISTANCE: Final = 14.0
PAIR_ANGLE: Final = 0.55
"""Residual within which two minutiae may be one, after the displacement field."""
SLACK: Final = (1.4, 1.2, 1.0)
"""Factors on PAIR_DISTANCE: without a field first, then with one that is fitted again each time."""


@kernel(
    "int64(float32[:,::1], int64, float32[:,::1], float64[::1], float64[:,::1], float64, int32[::1],"
    " int64[::1], float32[:,::1], int32[:,::1])"
)
def pair_up(
    a: F32,
    count: int,
    b: F32,
    motion: F64,
    field: F64,
    slack: float,
    row: I32,
    keys: I64,
    placed: F32,
    pairs: I32,
) -> int:
    """One-to-one pairs under a motion and field, nearest first. Returns how many there are.

    a, b: minutiae in lanes; count: of a. slack: factor on the distance within which two minutiae may be
    paired. row, keys, placed (3, count): scratch. pairs: filled as `pairing.nearest_first` does.
    """
    turn = np.float32(np.arctan2(motion[1], motion[0]) * (1.0 / (2 * np.pi)))
    for i in range(count):
        placed[0, i], placed[1, i] = place(np.float64(a[X, i]), np.float64(a[Y, i]), motion, field)
        placed[2, i] = a[TURN, i] + turn
    reach = PAIR_DISTANCE * slack
    return int(nearest_first(placed[0], placed[1], placed[2], b, reach, PAIR_ANGLE, row, keys, pairs))


@kernel(
    "Tuple((float64[:,::1], int32[:,::1], float64[::1]))"
    "(float32[:,::1], int64, float32[:,::1], float64[::1], float64, float64)"
)
def align(a: F32, count: int, b: F32, motion: F64, width: float, height: float) -> tuple[F64, I32, F64]:
    """Lay a over b, starting from a rigid motion.

    a, b: minutiae as `prepared.in_lanes` lays them out; count: of a. width, height: of b.

    Returns
    -------
    The displacement field, the one-to-one pairs (k, 2) and their closeness (k) in (0, 1].
    """
    field = np.empty((0, 0))
    row, keys = np.empty(b.shape[1], np.int32), np.empty(count * b.shape[1] + 1, np.int64)
    placed, pairs = np.empty((3, count), np.float32), np.empty((count, 3), np.int32)
    size = pair_up(a, count, b, motion, field, SLACK[0], row, keys, placed, pairs)
    for step in range(1, len(SLACK)):
        field = displacements(a, b, pairs[:size], motion, width, height)
        size = pair_up(a, count, b, motion, field, SLACK[step], row, keys, placed, pairs)
    closeness = np.empty(size)
    for k in range(size):
        closeness[k] = np.exp(-2.0 * cost_of(pairs[k, 2]))
    return field, pairs[:size, :2].copy(), closeness
