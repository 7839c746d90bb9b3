"""Contextual filtering: at every pixel the Gabor filter of the local ridge orientation and period."""

from __future__ import annotations

import functools

import numpy as np

from services.abis.fingerprint import grid
from services.abis.fingerprint.mask import Mask
from services.abis.fingerprint.parameters import (
    BLOCK,
    GABOR_RADIUS,
    MAX_PERIOD,
    MIN_PERIOD,
    ORIENTATIONS,
    PERIOD_STEP,
)
from services.abis.kernels import F32, U8, kernel

_POWER = grid.gaussian(1.0)


@functools.cache
def bank() -> F32:
    """The filters, shape (orientations, periods, side, side): even Gabor functions of zero mean and unit
    gain.
    """
    side = 2 * GABOR_RADIUS + 1
    periods = np.arange(MIN_PERIOD, MAX_PERIOD + PERIOD_STEP / 2, PERIOD_STEP)
    y, x = np.mgrid[-GABOR_RADIUS : GABOR_RADIUS + 1, -GABOR_RADIUS : GABOR_RADIUS + 1].astype(np.float64)
    out = np.empty((ORIENTATIONS, periods.size, side, side), np.float32)
    for k in range(ORIENTATIONS):
        theta = np.pi * k / ORIENTATIONS
        across = x * np.sin(theta) + y * np.cos(theta)
        along = x * np.cos(theta) - y * np.sin(theta)
        for m, period in enumerate(periods):
            wave = np.cos(2 * np.pi * across / period)
            sigma = 0.45 * period
            window = np.exp(-0.5 * ((across / sigma) ** 2 + (along / 4.0) ** 2))
            window[np.hypot(x, y) > GABOR_RADIUS + 0.5] = 0.0
            taps = window * (wave - (window * wave).sum() / window.sum())
            out[k, m] = taps / (taps * wave).sum()
    return out


@kernel(
    "float32[:,::1](float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], uint8[:,::1],"
    " float32[:,:,:,::1])"
)
def apply(image: F32, c: F32, s: F32, frequency: F32, mask: U8, filters: F32) -> F32:
    """Filter every pixel of the mask's blocks with the filter nearest to its interpolated orientation and
    period.

    Parameters
    ----------
    image: levelled grey values (height, width).
    c, s: doubled-angle orientation grids; frequency: cycles per pixel; mask: blocks to filter.
    filters: the bank (orientations, periods, side, side).

    Returns
    -------
    The response, 0 outside of the mask, shape (height, width).
    """
    height, width = image.shape
    rows, columns = mask.shape
    orientations, periods, side = filters.shape[0], filters.shape[1], filters.shape[2]
    r = side // 2
    padded = np.zeros((height + 2 * r, width + 2 * r), np.float32)
    padded[r : r + height, r : r + width] = image
    out = np.zeros((height, width), np.float32)
    for i in range(rows):
        for j in range(columns):
            if not mask[i, j]:
                continue
            period = 1.0 / frequency[i, j]
            m = min(max(int((period - MIN_PERIOD) / PERIOD_STEP + 0.5), 0), periods - 1)
            for y in range(i * BLOCK, min((i + 1) * BLOCK, height)):
                for x in range(j * BLOCK, min((j + 1) * BLOCK, width)):
                    theta = 0.5 * np.arctan2(grid.sample(s, y, x), grid.sample(c, y, x))
                    k = int(np.round(theta * orientations / np.pi)) % orientations
                    total = np.float32(0.0)
                    for a in range(side):
                        part = np.float32(0.0)
                        for b in range(side):
                            part += filters[k, m, a, b] * padded[y + a, x + b]
                        total += part
                    out[y, x] = total
    return out


@kernel("float32[:,::1](float32[:,::1])")
def block_power(image: F32) -> F32:
    """Mean square of the response in each block, shape (rows, columns)."""
    height, width = image.shape
    rows = (height + BLOCK - 1) // BLOCK
    columns = (width + BLOCK - 1) // BLOCK
    out = np.zeros((rows, columns), np.float32)
    for y in range(height):
        for x in range(width):
            out[y // BLOCK, x // BLOCK] += image[y, x] * image[y, x]
    out /= np.float32(BLOCK * BLOCK)
    return out


def gabor(image: F32, c: F32, s: F32, frequency: F32, area: Mask) -> tuple[F32, F32]:
    """Enhance ridges; return (the answer with local RMS 1 inside the area, its power grid before that).

    The power is high where the print really looks like ridges of the estimated orientation and period, so it
    tells ridges from background and is the quality by which minutiae are ranked.
    """
    inside = area.astype(np.uint8)
    answer = apply(image, c, s, frequency, inside, bank())
    weight = np.maximum(grid.blur(inside.astype(np.float32), _POWER), 1e-3)
    power = grid.blur(np.ascontiguousarray(block_power(answer) * inside), _POWER) / weight
    height, width = image.shape
    root = np.sqrt(np.maximum(power, 1e-4)).astype(np.float32)
    enhanced = answer / grid.upsample(root, height, width)
    return np.ascontiguousarray(enhanced, dtype=np.float32), np.ascontiguousarray(power, dtype=np.float32)
