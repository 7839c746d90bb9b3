"""Ridge orientation: the direction across which grey values change least, from averaged squared gradients.

Orientations are those of the ridge tangent, in [0, pi), counter-clockwise from the right as seen on the
screen. They are kept as doubled-angle vectors (cos 2θ, sin 2θ), which can be averaged.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint import grid
from services.abis.fingerprint.parameters import BLOCK
from services.abis.kernels import F32, kernel

COARSE = grid.gaussian(2.0)
FINE = grid.gaussian(1.0)


@kernel("float32[:,:,::1](float32[:,::1])")
def tensor(image: F32) -> F32:
    """Per block the sums of gx² - gy² and 2 gx gy (y up) of Sobel gradients, shape (2, rows, columns)."""
    height, width = image.shape
    rows = (height + BLOCK - 1) // BLOCK
    columns = (width + BLOCK - 1) // BLOCK
    out = np.zeros((2, rows, columns), np.float32)
    cosine = np.zeros(columns * BLOCK, np.float32)
    sine = np.zeros(columns * BLOCK, np.float32)
    for y in range(1, height - 1):
        i = y // BLOCK
        for x in range(1, width - 1):
            right = image[y - 1, x + 1] + 2 * image[y, x + 1] + image[y + 1, x + 1]
            left = image[y - 1, x - 1] + 2 * image[y, x - 1] + image[y + 1, x - 1]
            top = image[y - 1, x - 1] + 2 * image[y - 1, x] + image[y - 1, x + 1]
            bottom = image[y + 1, x - 1] + 2 * image[y + 1, x] + image[y + 1, x + 1]
            gx = right - left
            gy = top - bottom
            cosine[x] = gx * gx - gy * gy
            sine[x] = 2 * gx * gy
        for j in range(columns):
            for b in range(BLOCK):
                out[0, i, j] += cosine[j * BLOCK + b]
                out[1, i, j] += sine[j * BLOCK + b]
    return out


def estimate(image: F32, weight: F32, smoothing: F32) -> tuple[F32, F32]:
    """Orientation field of an image: grids (cos 2θ, sin 2θ) of unit length.

    Parameters
    ----------
    image: levelled or enhanced grey values, shape (height, width).
    weight: how much each block may speak (the mask, or zero where nothing is known), shape (rows, columns).
    smoothing: COARSE for raw images, FINE for enhanced ones, which carry little noise.
    """
    sums = tensor(image)
    c = grid.blur(np.ascontiguousarray(sums[0] * weight), smoothing)
    s = grid.blur(np.ascontiguousarray(sums[1] * weight), smoothing)
    length = np.hypot(c, s) + 1e-9
    # The gradient points across the ridge: turn by a quarter, which flips the sign of the doubled angle.
    return np.ascontiguousarray(-c / length), np.ascontiguousarray(-s / length)


def angles(c: F32, s: F32) -> F32:
    """Tangent angle in [0, pi) of doubled-angle vectors."""
    return np.asarray(np.mod(0.5 * np.arctan2(s, c), np.pi), dtype=np.float32)
