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

WIDTH = 24
"""Columns of a stored filter: its side, padded to whole vectors."""
_POWER = grid.gaussian(1.0)


@functools.cache
def bank() -> F32:
    """The filters, shape (orientations, periods, side * WIDTH), each row of taps padded with zeros: even
    Gabor functions of zero mean and unit gain.
    """
    side = 2 * GABOR_RADIUS + 1
    periods = np.arange(MIN_PERIOD, MAX_PERIOD + PERIOD_STEP / 2, PERIOD_STEP)
    y, x = np.mgrid[-GABOR_RADIUS : GABOR_RADIUS + 1, -GABOR_RADIUS : GABOR_RADIUS + 1].astype(np.float64)
    out = np.zeros((ORIENTATIONS, periods.size, side, WIDTH), np.float32)
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
            out[k, m, :, :side] = taps / (taps * wave).sum()
    return out.reshape(ORIENTATIONS, periods.size, side * WIDTH)


@kernel("uint8[:,::1](float32[:,::1], float32[:,::1], int64)")
def directions(c: F32, s: F32, orientations: int) -> U8:
    """Number of the nearest of so many orientations for doubled-angle vectors, pixel by pixel."""
    height, width = c.shape
    out = np.empty((height, width), np.uint8)
    scale = np.float32(orientations / (2 * np.pi))
    for y in range(height):
        for x in range(width):
            a, b = abs(c[y, x]), abs(s[y, x])
            t = min(a, b) / (max(a, b) + np.float32(1e-20))
            q = t * t
            # Arc tangent by a polynomial (error below 1e-4): no branch, so this is vector code.
            series = np.float32(-0.08513) + q * np.float32(0.02084)
            series = np.float32(-0.33030) + q * (np.float32(0.18014) + q * series)
            angle = t * (np.float32(0.99986) + q * series)
            angle = np.float32(np.pi / 2) - angle if b > a else angle
            angle = np.float32(np.pi) - angle if c[y, x] < 0 else angle
            angle = np.float32(2 * np.pi) - angle if s[y, x] < 0 else angle
            k = np.int32(angle * scale + np.float32(0.5))
            out[y, x] = 0 if k >= orientations else k
    return out


@kernel("float32[:,::1](float32[:,::1], uint8[:,::1], float32[:,::1], uint8[:,::1], float32[:,:,::1])")
def apply(image: F32, direction: U8, frequency: F32, mask: U8, filters: F32) -> F32:
    """Filter every pixel of the mask's blocks with the filter nearest to its orientation and period.

    Parameters
    ----------
    image: levelled grey values (height, width). direction: number of the orientation of every pixel.
    frequency: cycles per pixel; mask: blocks to filter. filters: the bank.

    Returns
    -------
    The response, 0 outside of the mask, shape (height, width).
    """
    height, width = image.shape
    rows, columns = mask.shape
    periods = filters.shape[1]
    r = GABOR_RADIUS
    padded = np.zeros((height + 2 * r, width + WIDTH), np.float32)
    padded[r : r + height, r : r + width] = image
    out = np.zeros((height, width), np.float32)
    # WIDTH columns of the image, row after row: what the filters of one column of pixels see is contiguous.
    strip = np.empty((height + 2 * r) * WIDTH, np.float32)
    taps = (2 * r + 1) * WIDTH
    for j in range(columns):
        first, last = rows, -1
        for i in range(rows):
            if mask[i, j]:
                first = min(first, i)
                last = i
        if last < 0:
            continue
        for x in range(j * BLOCK, min((j + 1) * BLOCK, width)):
            for y in range(first * BLOCK, min((last + 1) * BLOCK, height) + 2 * r):
                for b in range(WIDTH):
                    strip[y * WIDTH + b] = padded[y, x + b]
            for i in range(first, last + 1):
                if not mask[i, j]:
                    continue
                m = int((1.0 / frequency[i, j] - MIN_PERIOD) / PERIOD_STEP + 0.5)
                m = min(max(m, 0), periods - 1)
                y, end = i * BLOCK, min((i + 1) * BLOCK, height)
                while y < end:
                    weights = filters[direction[y, x], m]
                    seen = strip[y * WIDTH : y * WIDTH + taps]
                    total = np.float32(0.0)
                    # Two pixels at once where one filter serves both: sums that do not wait for each other.
                    if y + 1 < end and direction[y + 1, x] == direction[y, x]:
                        below = strip[(y + 1) * WIDTH : (y + 1) * WIDTH + taps]
                        other = np.float32(0.0)
                        for t in range(taps):
                            total += weights[t] * seen[t]
                            other += weights[t] * below[t]
                        out[y, x], out[y + 1, x] = total, other
                        y += 2
                    else:
                        for t in range(taps):
                            total += weights[t] * seen[t]
                        out[y, x] = total
                        y += 1
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
    height, width = image.shape
    inside = area.astype(np.uint8)
    direction = directions(grid.upsample(c, height, width), grid.upsample(s, height, width), ORIENTATIONS)
    answer = apply(image, direction, frequency, inside, bank())
    weight = np.maximum(grid.blur(inside.astype(np.float32), _POWER), 1e-3)
    power = grid.blur(np.ascontiguousarray(block_power(answer) * inside), _POWER) / weight
    root = np.sqrt(np.maximum(power, 1e-4)).astype(np.float32)
    enhanced = answer / grid.upsample(root, height, width)
    return np.ascontiguousarray(enhanced, dtype=np.float32), np.ascontiguousarray(power, dtype=np.float32)
