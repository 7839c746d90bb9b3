"""How skin stretches: a smooth displacement field over the frame of one finger, on a coarse grid.

The field at a point is the mean of the displacements seen at pairs of minutiae, weighed by a Gaussian of
their distance. A Gaussian is a product of one of x and one of y, so the whole grid costs little more than
its edges; between the nodes, two to a standard deviation, the field is read bilinearly.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.abis.fingerprint.prepared import LANES, X, Y
from services.abis.kernels import F32, F64, I32, kernel

WIDTH: Final = 60.0
"""Standard deviation of the Gaussian in pixels."""
PRIOR: Final = 0.6
"""Weight of "no displacement", in pairs: one lone pair cannot pull its whole surroundings."""
NODE: Final = 40.0
"""Pixels between nodes."""
MARGIN: Final = 48.0
"""Pixels by which the grid reaches beyond the frame on each side."""


@kernel("UniTuple(float64, 2)(float64, float64, float64[::1], float64[:,::1])")
def place(x: float, y: float, motion: F64, field: F64) -> tuple[float, float]:
    """Where a point of a comes to lie in b: the rigid motion, plus the displacement field.

    motion: (cos, sin, shift x, shift y) in image axes, y down: (x, y) goes to (cos x + sin y + shift x,
    -sin x + cos y + shift y), a counter-clockwise turn as seen on the screen. field: from `displacements`;
    no rows for the rigid motion alone.
    """
    px = motion[0] * x + motion[1] * y + motion[2]
    py = -motion[1] * x + motion[0] * y + motion[3]
    rows = field.shape[0]
    if rows == 0:
        return px, py
    columns = field.shape[1] // 2
    u = min(max((px + MARGIN) * (1.0 / NODE), 0.0), columns - 1.0)
    v = min(max((py + MARGIN) * (1.0 / NODE), 0.0), rows - 1.0)
    i, j = min(int(v), rows - 2), min(int(u), columns - 2)
    p, q = v - i, u - j
    w00, w01, w10, w11 = (1 - p) * (1 - q), (1 - p) * q, p * (1 - q), p * q
    k = 2 * j
    dx = w00 * field[i, k] + w01 * field[i, k + 2] + w10 * field[i + 1, k] + w11 * field[i + 1, k + 2]
    k += 1
    dy = w00 * field[i, k] + w01 * field[i, k + 2] + w10 * field[i + 1, k] + w11 * field[i + 1, k + 2]
    return px + dx, py + dy


@kernel("void(float64, float32[::1])")
def gaussian(start: float, out: F32) -> None:
    """Gaussian of sd WIDTH at start, start + NODE, start + 2 NODE...: the ratio of neighbours changes by a
    factor, so two exponentials are enough.
    """
    scale = 1.0 / (2 * WIDTH * WIDTH)
    # From the node nearest to the middle outwards, where the values fall: nothing overflows.
    middle = min(max(int(np.round(-start * (1.0 / NODE))), 0), out.size - 1)
    at = start + middle * NODE
    factor = np.exp(-2 * NODE * NODE * scale)
    for step in (-1, 1):
        value = np.exp(-at * at * scale)
        ratio = np.exp(-(2 * step * at * NODE + NODE * NODE) * scale)
        k = middle
        while 0 <= k < out.size:
            out[k] = value
            value *= ratio
            ratio *= factor
            k += step


@kernel("float64[:,::1](float32[:,::1], float32[:,::1], int32[:,::1], float64[::1], float64, float64)")
def displacements(a: F32, b: F32, pairs: I32, motion: F64, width: float, height: float) -> F64:
    """Field that draws the minutiae of a, moved rigidly, towards their partners in b.

    Parameters
    ----------
    a, b: minutiae as `prepared.in_lanes` lays them out. pairs: (k, 2) or more columns, of which the first two
    are minutiae of a and of b. motion: as `place` takes it. width, height: of b's frame in pixels.

    Returns
    -------
    (rows, 2 columns) displacements x, y by turns at nodes NODE apart, the first at (-MARGIN, -MARGIN).
    """
    rows = int((height + 2 * MARGIN) / NODE) + 2
    columns = int((width + 2 * MARGIN) / NODE) + 2
    # Whole registers.
    wide = (columns + LANES - 1) // LANES * LANES
    total = np.full(rows * wide, np.float32(PRIOR))
    sum_x = np.zeros(rows * wide, np.float32)
    sum_y = np.zeros(rows * wide, np.float32)
    across = np.empty(wide, np.float32)
    down = np.empty(rows, np.float32)
    for k in range(pairs.shape[0]):
        i, j = pairs[k, 0], pairs[k, 1]
        px = motion[0] * a[X, i] + motion[1] * a[Y, i] + motion[2]
        py = -motion[1] * a[X, i] + motion[0] * a[Y, i] + motion[3]
        dx, dy = np.float32(b[X, j] - px), np.float32(b[Y, j] - py)
        gaussian(-MARGIN - px, across)
        gaussian(-MARGIN - py, down)
        for r in range(rows):
            g, at = down[r], r * wide
            for c in range(wide):
                h = g * across[c]
                e = np.uint64(at + c)
                total[e] += h
                sum_x[e] += h * dx
                sum_y[e] += h * dy
    out = np.empty((rows, 2 * columns))
    for r in range(rows):
        for c in range(columns):
            scale = np.float32(1.0) / total[r * wide + c]
            out[r, 2 * c] = sum_x[r * wide + c] * scale
            out[r, 2 * c + 1] = sum_y[r * wide + c] * scale
    return out
