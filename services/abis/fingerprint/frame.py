"""What lies outside of the sensor's frame, and levelling of the grey values inside it.

Many scanners surround the platen with one constant grey value. Its edge is stronger than any ridge and would
be taken for one, so pixels outside of the frame are treated as missing, not as light or dark.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint import grid
from services.abis.fingerprint.parameters import BLOCK, FLAT_TOLERANCE, FLAT_WINDOW, FRAME_EDGE
from services.abis.kernels import F32, U8, kernel

_LEVEL = grid.gaussian(1.6)


@kernel("uint8[:,::1](uint8[:,::1], int64, int64)")
def constant(image: U8, window: int, tolerance: int) -> U8:
    """1 where the window x window square around a pixel holds values that differ by at most the tolerance."""
    height, width = image.shape
    low = image.copy()
    high = image.copy()
    half = window // 2
    # Shift by shift over whole rows: the inner loops are vector code.
    for y in range(height):
        for k in range(1, half + 1):
            for x in range(width - k):
                low[y, x] = min(low[y, x], image[y, x + k])
                high[y, x] = max(high[y, x], image[y, x + k])
            for x in range(k, width):
                low[y, x] = min(low[y, x], image[y, x - k])
                high[y, x] = max(high[y, x], image[y, x - k])
    flat = np.zeros((height, width), np.uint8)
    least = np.empty(width, np.uint8)
    most = np.empty(width, np.uint8)
    for y in range(height):
        least[:] = low[y]
        most[:] = high[y]
        for k in range(max(0, y - half), min(height, y + half + 1)):
            for x in range(width):
                least[x] = min(least[x], low[k, x])
                most[x] = max(most[x], high[k, x])
        for x in range(width):
            flat[y, x] = most[x] - least[x] <= tolerance
    return flat


@kernel("uint8[:,::1](uint8[:,::1], int64, int64, int64)")
def inside(image: U8, window: int, tolerance: int, edge: int) -> U8:
    """1 where a pixel belongs to the platen, 0 in constant areas (and `edge` pixels along the image border).

    A constant area is the union of all windows x windows squares whose values differ by at most the
    tolerance: an opening, so light valleys narrower than the window stay.
    """
    height, width = image.shape
    half = window // 2
    flat = constant(image, window, tolerance)
    rows = np.zeros((height, width), np.uint8)
    for y in range(height):
        reach = -1
        for x in range(width):
            if x + half < width and flat[y, x + half]:
                reach = x + 2 * half
            if x <= half and flat[y, x]:
                reach = max(reach, x + half)
            rows[y, x] = 1 if x <= reach else 0
    out = np.ones((height, width), np.uint8)
    for x in range(width):
        reach = -1
        for y in range(height):
            if y + half < height and rows[y + half, x]:
                reach = y + 2 * half
            if y <= half and rows[y, x]:
                reach = max(reach, y + half)
            border = y < edge or x < edge or y >= height - edge or x >= width - edge
            out[y, x] = 0 if y <= reach or border else 1
    return out


@kernel("float32[:,:,::1](uint8[:,::1], uint8[:,::1])")
def block_sums(image: U8, valid: U8) -> F32:
    """Per block: number of valid pixels, sum and sum of squares of their values, shape (3, rows, columns)."""
    height, width = image.shape
    rows = (height + BLOCK - 1) // BLOCK
    columns = (width + BLOCK - 1) // BLOCK
    out = np.zeros((3, rows, columns), np.float32)
    for y in range(height):
        for x in range(width):
            if valid[y, x]:
                value = np.float32(image[y, x])
                out[0, y // BLOCK, x // BLOCK] += 1
                out[1, y // BLOCK, x // BLOCK] += value
                out[2, y // BLOCK, x // BLOCK] += value * value
    return out


def fill(image: U8) -> tuple[U8, F32, F32]:
    """Find the frame; return (valid pixels, block mean, block contrast) with both grids smoothed over valid
    pixels.
    """
    valid = inside(image, FLAT_WINDOW, FLAT_TOLERANCE, FRAME_EDGE)
    count, total, squares = block_sums(image, valid)
    weight = grid.blur(count, _LEVEL)
    known = np.maximum(weight, 1e-3)
    mean = grid.blur(total, _LEVEL) / known
    variance = np.maximum(grid.blur(squares, _LEVEL) / known - mean * mean, 0.0)
    contrast = np.sqrt(variance) * np.minimum(weight / (BLOCK * BLOCK * 0.5), 1.0)
    return valid, mean.astype(np.float32), contrast.astype(np.float32)


def level(image: U8, valid: U8, mean: F32, contrast: F32) -> F32:
    """Grey values with local mean 0 and standard deviation 1, clipped to ±3; 0 outside of the frame."""
    height, width = image.shape
    centre = grid.upsample(mean, height, width)
    spread = np.maximum(grid.upsample(contrast, height, width), 4.0)
    levelled = np.clip((image - centre) / spread, -3.0, 3.0)
    return np.ascontiguousarray(levelled * valid, dtype=np.float32)
