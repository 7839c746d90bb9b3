"""What two fingers have in common where they lie on each other, read off their coarse fields."""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint.prepared import (
    CELL,
    CELL_COS,
    CELL_LOG,
    CELL_SIN,
    CELL_X,
    CELL_Y,
    LOG_UNIT,
    QUALITY,
    UNIT,
    X,
    Y,
)
from services.abis.kernels import F32, F64, I32, kernel


@kernel("UniTuple(float64, 3)(float32[:,::1], int64, int32[:,::1], float64[::1])")
def overlap(cells: F32, size: int, grid: I32, motion: F64) -> tuple[float, float, float]:
    """How many of the first `size` cells of a fall into the ridge area of b under a rigid motion; summed over
    those, how well the directions agree (-1 to 1), and by how much the logarithms of the frequencies differ.
    """
    rows, columns = grid.shape
    flat = grid.reshape(rows * columns)
    wide = np.float32(columns)
    c, s = np.float32(motion[0]), np.float32(motion[1])
    middle = 0.5 - 0.5 / CELL
    tx = np.float32((motion[2] + 0.5) * (1.0 / CELL) + 1.0 + (motion[0] + motion[1]) * middle)
    ty = np.float32((motion[3] + 0.5) * (1.0 / CELL) + 1.0 + (motion[0] - motion[1]) * middle)
    zero, last_x, last_y = np.float32(0.0), np.float32(columns - 1), np.float32(rows - 1)
    here_x, here_y, cos, sin, log = (
        cells[CELL_X],
        cells[CELL_Y],
        cells[CELL_COS],
        cells[CELL_SIN],
        cells[CELL_LOG],
    )
    count, along, across, stretch = zero, zero, zero, zero
    for k in range(size):
        x = np.floor(min(max(c * here_x[k] + s * here_y[k] + tx, zero), last_x))
        y = np.floor(min(max(c * here_y[k] - s * here_x[k] + ty, zero), last_y))
        there = flat[np.uint32(np.int32(y * wide + x))]
        inside = np.float32(min(there, np.int32(1)))
        u = np.float32(np.int32(there & 255)) - np.float32(128.0)
        v = np.float32(np.int32((there >> 8) & 255)) - np.float32(128.0)
        count += inside
        along += inside * (cos[k] * u + sin[k] * v)
        across += inside * (sin[k] * u - cos[k] * v)
        stretch += inside * abs(
            log[k] * np.float32(LOG_UNIT) + np.float32(1.0) - np.float32(np.int32(there >> 16))
        )
    # Orientations turn with the finger, by twice the angle.
    double_c, double_s = motion[0] * motion[0] - motion[1] * motion[1], 2 * motion[0] * motion[1]
    agree = (double_c * along - double_s * across) * (1.0 / UNIT)
    return float(count), float(agree), float(stretch * (1.0 / LOG_UNIT))


@kernel("UniTuple(float64, 2)(float32[:,::1], int32[:,::1], float64[::1])")
def seen(a: F32, grid: I32, motion: F64) -> tuple[float, float]:
    """How many minutiae of a, and of what quality together, a rigid motion lays into the ridge area of b."""
    rows, columns = grid.shape
    flat = grid.reshape(rows * columns)
    wide = np.float32(columns)
    unit = np.float32(1.0 / CELL)
    c, s = np.float32(motion[0]) * unit, np.float32(motion[1]) * unit
    tx = np.float32((motion[2] + 0.5) * (1.0 / CELL) + 1.0)
    ty = np.float32((motion[3] + 0.5) * (1.0 / CELL) + 1.0)
    zero, last_x, last_y = np.float32(0.0), np.float32(columns - 1), np.float32(rows - 1)
    ax, ay, quality = a[X], a[Y], a[QUALITY]
    count, total = zero, zero
    for i in range(a.shape[1]):
        x = np.floor(min(max(c * ax[i] + s * ay[i] + tx, zero), last_x))
        y = np.floor(min(max(c * ay[i] - s * ax[i] + ty, zero), last_y))
        inside = np.float32(min(flat[np.uint32(np.int32(y * wide + x))], np.int32(1)))
        count += inside
        total += inside * quality[i]
    return float(count), float(total)
