"""Values sampled once a block: smoothing them, and reading them between the samples.

Block (i, j) covers the pixels [8i, 8i+8) x [8j, 8j+8); its value stands at the centre of the block. All
fields of the engine (contrast, mask, orientation, frequency, power) are such grids, so blurring them is
nearly free.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint.parameters import BLOCK
from services.abis.kernels import F32, kernel


def blocks(pixels: int) -> int:
    """Number of blocks that cover a side of so many pixels."""
    return (pixels + BLOCK - 1) // BLOCK


def gaussian(sigma: float) -> F32:
    """Taps of a Gaussian of the given standard deviation (in samples), sum 1, odd length."""
    radius = max(1, int(np.ceil(2.5 * sigma)))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(taps / taps.sum(), dtype=np.float32)


@kernel("float32[:,::1](float32[:,::1], float32[::1])")
def blur(values: F32, taps: F32) -> F32:
    """Separable convolution with symmetric taps; outside of the grid counts as zero.

    Normalise by the blur of the weights: `blur(w * v, t) / blur(w, t)`.
    """
    height, width = values.shape
    radius = taps.size // 2
    rows = np.zeros((height, width), np.float32)
    for i in range(height):
        for t in range(-radius, radius + 1):
            low, high = max(0, -t), min(width, width - t)
            for j in range(low, high):
                rows[i, j] += taps[t + radius] * values[i, j + t]
    out = np.zeros((height, width), np.float32)
    for i in range(height):
        for t in range(max(-radius, -i), min(radius + 1, height - i)):
            for j in range(width):
                out[i, j] += taps[t + radius] * rows[i + t, j]
    return out


@kernel("float64(float32[:,::1], float64, float64)")
def sample(values: F32, y: float, x: float) -> float:
    """Bilinear value of a grid at a pixel position; the border value continues outside."""
    height, width = values.shape
    v = min(max((y - (BLOCK - 1) / 2) / BLOCK, 0.0), height - 1.0)
    u = min(max((x - (BLOCK - 1) / 2) / BLOCK, 0.0), width - 1.0)
    i, j = min(int(v), max(height - 2, 0)), min(int(u), max(width - 2, 0))
    a, b = v - i, u - j
    k, m = min(i + 1, height - 1), min(j + 1, width - 1)
    top = values[i, j] * (1 - b) + values[i, m] * b
    bottom = values[k, j] * (1 - b) + values[k, m] * b
    return float(top * (1 - a) + bottom * a)


@kernel("float32[:,::1](float32[:,::1], int64, int64)")
def upsample(values: F32, height: int, width: int) -> F32:
    """A grid read at every pixel of an image, bilinearly, shape (height, width)."""
    out = np.empty((height, width), np.float32)
    rows, columns = values.shape
    row = np.empty(columns, np.float32)
    line = np.empty(columns * BLOCK, np.float32)
    half = BLOCK // 2
    for y in range(height):
        v = min(max((y - (BLOCK - 1) / 2) / BLOCK, 0.0), rows - 1.0)
        i = min(int(v), max(rows - 2, 0))
        k = min(i + 1, rows - 1)
        a = np.float32(v - i)
        for j in range(columns):
            row[j] = values[i, j] + a * (values[k, j] - values[i, j])
        # From the centre of each block to that of the next, the same eight shares: vector code.
        line[:half] = row[0]
        for j in range(columns - 1):
            step = row[j + 1] - row[j]
            for b in range(BLOCK):
                line[j * BLOCK + half + b] = row[j] + np.float32((b + 0.5) / BLOCK) * step
        line[columns * BLOCK - half :] = row[columns - 1]
        out[y] = line[:width]
    return out
