"""Minutia Cylinder-Code, bit-based (Cappelli, Ferrara, Maltoni, TPAMI 2010): one 16x16x5 cylinder a minutia.

A cylinder says where, relative to its minutia, other minutiae lie and how they are turned, so it does not
change when the finger moves or turns. Cells outside of the ridge area are invalid: nothing is known about
them.
"""

from __future__ import annotations

from math import erf

import numpy as np

from services.abis.fingerprint import parameters as p
from services.abis.kernels import F32, F64, U8, U64, kernel

WORDS = p.CYLINDER_SIDE * p.CYLINDER_SIDE * p.CYLINDER_LAYERS // 64
"""uint64 words of one cylinder; layer k occupies words 4k to 4k+3."""
VALID_WORDS = p.CYLINDER_SIDE * p.CYLINDER_SIDE // 64
"""uint64 words of one validity mask, which is the same for all layers."""

_STEPS = 720


def _directional() -> F64:
    """Share of a Gaussian (sd CYLINDER_SIGMA_D) that falls into a layer, by the angle from the layer's
    centre.

    Entry t belongs to the angle 2 pi t / 720.
    """
    half = np.pi / p.CYLINDER_LAYERS
    scale = p.CYLINDER_SIGMA_D * np.sqrt(2.0)
    angles = 2 * np.pi * np.arange(_STEPS) / _STEPS
    wrapped = np.minimum(angles, 2 * np.pi - angles)
    return np.array([0.5 * (erf((a + half) / scale) - erf((a - half) / scale)) for a in wrapped])


_DIRECTIONAL = _directional()


@kernel(
    "Tuple((uint64[:,::1], uint64[:,::1], uint8[::1]))(float32[:,::1], uint8[:,::1], int64, float64[::1])"
)
def build(points: F32, area: U8, cell: int, directional: F64) -> tuple[U64, U64, U8]:
    """Cylinders of all minutiae of one finger.

    Parameters
    ----------
    points: (n, 4) x, y, angle, quality. area: ridge area on a grid of `cell` pixels (non-zero inside).
    directional: the table of `_directional`.

    Returns
    -------
    bits (n, 20), validity (n, 4), usable (n): 1 where enough cells and neighbours stand behind the cylinder.
    """
    n = points.shape[0]
    side = p.CYLINDER_SIDE
    layers = p.CYLINDER_LAYERS
    radius = p.CYLINDER_RADIUS
    sigma = p.CYLINDER_SIGMA_S
    step = 2 * radius / side
    reach = 3 * sigma
    rows, columns = area.shape
    bits = np.zeros((n, WORDS), np.uint64)
    validity = np.zeros((n, VALID_WORDS), np.uint64)
    usable = np.zeros(n, np.uint8)
    values = np.empty(layers)
    scale = 1.0 / (sigma * np.sqrt(2 * np.pi))
    near = np.empty(n, np.int64)
    one = np.uint64(1)
    for m in range(n):
        cos, sin = np.cos(points[m, 2]), np.sin(points[m, 2])
        count = 0
        for t in range(n):
            dx, dy = points[t, 0] - points[m, 0], points[t, 1] - points[m, 1]
            if t != m and dx * dx + dy * dy <= (radius + reach) ** 2:
                near[count] = t
                count += 1
        valid_cells, disc_cells = 0, 0
        for i in range(side):
            u = (i + 0.5) * step - radius
            for j in range(side):
                v = (j + 0.5) * step - radius
                if u * u + v * v > radius * radius:
                    continue
                disc_cells += 1
                x = points[m, 0] + u * cos - v * sin
                y = points[m, 1] - (u * sin + v * cos)
                r, c = int(np.floor(y / cell)), int(np.floor(x / cell))
                if r < 0 or c < 0 or r >= rows or c >= columns or not area[r, c]:
                    continue
                valid_cells += 1
                position = i * side + j
                word, bit = position // 64, np.uint64(position % 64)
                validity[m, word] |= one << bit
                for k in range(layers):
                    values[k] = 0.0
                for e in range(count):
                    t = near[e]
                    dx, dy = points[t, 0] - x, points[t, 1] - y
                    d2 = dx * dx + dy * dy
                    if d2 > reach * reach:
                        continue
                    weight = scale * np.exp(-0.5 * d2 / (sigma * sigma))
                    turn = points[t, 2] - points[m, 2] + np.pi
                    for k in range(layers):
                        off = turn - (k + 0.5) * (2 * np.pi / layers)
                        index = int(np.floor(off * (720 / (2 * np.pi)) + 0.5)) % 720
                        values[k] += weight * directional[index]
                for k in range(layers):
                    if values[k] > p.CYLINDER_BIT_LEVEL:
                        bits[m, k * VALID_WORDS + word] |= one << bit
        if valid_cells >= p.CYLINDER_MIN_VALID * disc_cells and count >= p.CYLINDER_MIN_NEIGHBOURS:
            usable[m] = 1
    return bits, validity, usable


def cylinders(points: F32, area: U8, cell: int) -> tuple[U64, U64, U8]:
    """`build` with the engine's own directional table."""
    return build(points, area, cell, _DIRECTIONAL)
