"""Which minutiae of two fingers lie near each other once one finger is laid over the other.

A residual is one whole number, cost before index, so that the least of many names its minutia too and vector
registers find it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.abis.fingerprint.prepared import TURN, X, Y
from services.abis.kernels import F32, F64, I32, I64, kernel

_SCALE: Final = float(1 << 21)
_INDEX: Final = 256
NONE: Final = 1 << 30
"""Residual of minutiae that are too far apart."""


@kernel("float64(int64)")
def cost_of(residual: int) -> float:
    """Squared residual in units of the greatest allowed, of place and direction together: 0 to 2."""
    return float((residual // _INDEX) * (1.0 / _SCALE))


@kernel(
    "void(float32, float32, float32, float32[::1], float32[::1], float32[::1], float32, float32, int32[::1])"
)
def residuals(
    x: np.float32,
    y: np.float32,
    turn: np.float32,
    bx: F32,
    by: F32,
    bt: F32,
    reach: np.float32,
    reach_turn: np.float32,
    out: I32,
) -> None:
    """Residuals between one minutia, at (x, y) and turned to `turn` (share of a full turn), and all of b.

    Parameters
    ----------
    bx, by, bt: rows X, Y and TURN of b in lanes. reach: greatest distance in pixels. reach_turn: greatest
    difference of direction, as share of a full turn. out: (lanes of b) residuals, NONE beyond either.
    """
    scale, scale_turn = np.float32(1.0) / (reach * reach), np.float32(1.0) / reach_turn
    one = np.float32(1.0)
    for j in range(out.size):
        dx, dy = bx[j] - x, by[j] - y
        near = (dx * dx + dy * dy) * scale
        off = bt[j] - turn
        off = (off - np.floor(off + np.float32(0.5))) * scale_turn
        off = off * off
        cost = np.int32((near + off) * np.float32(_SCALE)) * np.int32(_INDEX) + np.int32(j)
        out[j] = cost if (near < one) & (off < one) else np.int32(NONE)


@kernel("int64(int32[::1])")
def lowest(values: I32) -> int:
    """The least of them."""
    low = np.int32(NONE)
    for j in range(values.size):
        low = min(low, values[j])
    return int(low)


@kernel(
    "int64(float32[:,::1], int64, float32[:,::1], float64[::1], float64, float64, int32[:,::1], int32[:,::1])"
)
def mutual(
    a: F32, count: int, b: F32, motion: F64, reach: float, reach_angle: float, scratch: I32, pairs: I32
) -> int:
    """Pairs of minutiae that are each other's nearest under a rigid motion.

    Parameters
    ----------
    a, b: minutiae in lanes; count: of a. reach, reach_angle: greatest distance in pixels, greatest difference
    of direction in radians. scratch: (2, lanes of b). pairs: (count, 3) with the minutia of a, that of
    b, and their residual.

    Returns
    -------
    How many there are.
    """
    row, nearest = scratch[0], scratch[1]
    nearest[:] = NONE
    bx, by, bt = b[X], b[Y], b[TURN]
    turn = np.float32(np.arctan2(motion[1], motion[0]) * (1.0 / (2 * np.pi)))
    c, s, tx, ty = np.float32(motion[0]), np.float32(motion[1]), np.float32(motion[2]), np.float32(motion[3])
    reach_32, reach_turn = np.float32(reach), np.float32(reach_angle * (1.0 / (2 * np.pi)))
    found = 0
    for i in range(count):
        x, y = c * a[X, i] + s * a[Y, i] + tx, c * a[Y, i] - s * a[X, i] + ty
        residuals(x, y, a[TURN, i] + turn, bx, by, bt, reach_32, reach_turn, row)
        least = lowest(row)
        if least >= NONE:
            continue
        for j in range(row.size):
            nearest[j] = min(nearest[j], row[j])
        pairs[found, 0], pairs[found, 1], pairs[found, 2] = i, least % _INDEX, least
        found += 1
    kept = 0
    for k in range(found):
        i, j, least = pairs[k, 0], pairs[k, 1], pairs[k, 2]
        if nearest[j] == least:
            # Where two are equally near, the first has it.
            nearest[j] = -1
            pairs[kept, 0], pairs[kept, 1], pairs[kept, 2] = i, j, least
            kept += 1
    return kept


@kernel(
    "int64(float32[::1], float32[::1], float32[::1], float32[:,::1], float64, float64, int32[::1],"
    " int64[::1], int32[:,::1])"
)
def nearest_first(
    x: F32, y: F32, turn: F32, b: F32, reach: float, reach_angle: float, row: I32, keys: I64, pairs: I32
) -> int:
    """One-to-one pairs of placed minutiae with those of b, nearest first.

    Parameters
    ----------
    x, y, turn: (n) where the minutiae of a came to lie, and their directions (share of a full turn). reach,
    reach_angle: as in `mutual`. row: scratch (lanes of b). keys: scratch for all pairs within reach, at
    most n times the lanes of b. pairs: (n, 3), filled as `mutual` does.

    Returns
    -------
    How many there are.
    """
    reach_32, reach_turn = np.float32(reach), np.float32(reach_angle * (1.0 / (2 * np.pi)))
    bx, by, bt = b[X], b[Y], b[TURN]
    count = 0
    for i in range(x.size):
        residuals(x[i], y[i], turn[i], bx, by, bt, reach_32, reach_turn, row)
        least = lowest(row)
        while least < NONE:
            keys[count] = least * _INDEX + i
            count += 1
            row[least % _INDEX] = NONE
            least = lowest(row)
    ranked = np.sort(keys[:count])
    taken_a, taken_b = np.zeros(x.size, np.uint8), np.zeros(row.size, np.uint8)
    kept = 0
    for k in range(count):
        residual = ranked[k] // _INDEX
        i, j = ranked[k] % _INDEX, residual % _INDEX
        if taken_a[i] or taken_b[j]:
            continue
        taken_a[i], taken_b[j] = 1, 1
        pairs[kept, 0], pairs[kept, 1], pairs[kept, 2] = i, j, residual
        kept += 1
    return kept
