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


# Where a cell lies, the same along both sides.
_STEP = 2 * p.CYLINDER_RADIUS / p.CYLINDER_SIDE
_ALONG: F64 = np.array([(k + 0.5) * _STEP - p.CYLINDER_RADIUS for k in range(p.CYLINDER_SIDE)])


@kernel("int64(float32[:,::1], int64, float64[::1], float64[::1], float64[:,:,::1])")
def contributions(points: F32, m: int, directional: F64, along: F64, values: F64) -> int:
    """What the neighbours of minutia m add to its cells: values (layers, 16, 16). Returns their number.

    In the minutia's own frame the Gaussian of a neighbour is a product of one along each side.
    """
    sigma = p.CYLINDER_SIGMA_S
    reach = 3 * sigma
    layers, side = values.shape[0], values.shape[1]
    scale = 1.0 / (sigma * np.sqrt(2 * np.pi))
    share = np.empty(layers)
    far_u, far_v, weight = np.empty(side), np.empty(side), np.empty(side)
    bell_u, bell_v = np.zeros(side), np.zeros(side)
    cos, sin = np.float64(np.cos(points[m, 2])), np.float64(np.sin(points[m, 2]))
    values[:] = 0.0
    count = 0
    for t in range(points.shape[0]):
        dx, dy = points[t, 0] - points[m, 0], points[t, 1] - points[m, 1]
        if t == m or dx * dx + dy * dy > (p.CYLINDER_RADIUS + reach) ** 2:
            continue
        count += 1
        turn = points[t, 2] - points[m, 2] + np.pi
        for k in range(layers):
            off = turn - (k + 0.5) * (2 * np.pi / layers)
            share[k] = scale * directional[int(np.floor(off * (720 / (2 * np.pi)) + 0.5)) % 720]
        u, v = dx * cos - dy * sin, -dx * sin - dy * cos
        for i in range(side):
            far_u[i], far_v[i] = (along[i] - u) ** 2, (along[i] - v) ** 2
            if far_u[i] <= reach * reach:
                bell_u[i] = np.exp(-0.5 * far_u[i] / (sigma * sigma))
            if far_v[i] <= reach * reach:
                bell_v[i] = np.exp(-0.5 * far_v[i] / (sigma * sigma))
        for i in range(side):
            if far_u[i] > reach * reach:
                continue
            for j in range(side):
                weight[j] = bell_u[i] * bell_v[j] if far_u[i] + far_v[j] <= reach * reach else 0.0
            for k in range(layers):
                for j in range(side):
                    values[k, i, j] += weight[j] * share[k]
    return count


@kernel(
    "Tuple((uint64[:,::1], uint64[:,::1], uint8[::1]))"
    "(float32[:,::1], uint8[:,::1], int64, float64[::1], float64[::1])"
)
def build(points: F32, area: U8, cell: int, directional: F64, along: F64) -> tuple[U64, U64, U8]:
    """Cylinders of all minutiae of one finger.

    Parameters
    ----------
    points: (n, 4) x, y, angle, quality. area: ridge area on a grid of `cell` pixels (non-zero inside).
    directional: the table of `_directional`. along: (16) where cells lie along a side.

    Returns
    -------
    bits (n, 20), validity (n, 4), usable (n): 1 where enough cells and neighbours stand behind the cylinder.
    """
    n = points.shape[0]
    side = p.CYLINDER_SIDE
    layers = p.CYLINDER_LAYERS
    radius = p.CYLINDER_RADIUS
    rows, columns = area.shape
    bits = np.zeros((n, WORDS), np.uint64)
    validity = np.zeros((n, VALID_WORDS), np.uint64)
    usable = np.zeros(n, np.uint8)
    values = np.empty((layers, side, side))
    one = np.uint64(1)
    for m in range(n):
        cos, sin = np.cos(points[m, 2]), np.sin(points[m, 2])
        count = contributions(points, m, directional, along, values)
        valid_cells, disc_cells = 0, 0
        for i in range(side):
            for j in range(side):
                u, v = along[i], along[j]
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
                    if values[k, i, j] > p.CYLINDER_BIT_LEVEL:
                        bits[m, k * VALID_WORDS + word] |= one << bit
        if valid_cells >= p.CYLINDER_MIN_VALID * disc_cells and count >= p.CYLINDER_MIN_NEIGHBOURS:
            usable[m] = 1
    return bits, validity, usable


def cylinders(points: F32, area: U8, cell: int) -> tuple[U64, U64, U8]:
    """`build` with the engine's own tables."""
    return build(points, area, cell, _DIRECTIONAL, _ALONG)
