"""What lies outside of the sensor's frame, and levelling of the grey values inside it, whatever the sensor's
gain and noise.

Many scanners surround the platen with one constant grey value. Its edge is stronger than any ridge and would
be taken for one, so pixels outside of the frame are treated as missing, not as light or dark.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint import grid
from services.abis.fingerprint.parameters import (
    BLOCK,
    FAINT_LEAST,
    FAINT_RANGE,
    FAINT_SHARE,
    FLAT_TOLERANCE,
    FLAT_WINDOW,
    FRAME_EDGE,
    OUTLIER,
    OUTLIER_PASSES,
    OUTLIERS,
    RIDGES_LEAST,
)
from services.abis.kernels import F32, U8, kernel

_LEVEL = grid.gaussian(1.6)


@kernel("void(uint8[::1], uint8[::1], int64, int64)")
def extremes(low: U8, high: U8, window: int, stride: int) -> None:
    """Least of `low` and greatest of `high` among so many entries, `stride` apart, from each entry on.

    Two windows make one of twice the width, and in the end two that overlap the one asked for: few passes,
    each of them vector code.
    """
    width = 1
    while width < window:
        further = min(width, window - width)
        for k in range(low.size - (width + further - 1) * stride):
            low[k] = min(low[k], low[k + further * stride])
            high[k] = max(high[k], high[k + further * stride])
        width += further


@kernel("uint8[:,::1](uint8[:,::1], int64, int64)")
def constant(image: U8, window: int, tolerance: int) -> U8:
    """1 where the window x window square around a pixel holds values that differ by at most the tolerance."""
    height, width = image.shape
    half = window // 2
    stride = width + 2 * half
    # The values of the border go on outside: a window that reaches there holds no others.
    padded = np.empty((height + 2 * half, stride), np.uint8)
    for y in range(height + 2 * half):
        row = image[min(max(y - half, 0), height - 1)]
        padded[y, :half] = row[0]
        padded[y, half : half + width] = row
        padded[y, half + width :] = row[width - 1]
    low = padded.reshape(padded.size)
    high = low.copy()
    extremes(low, high, window, 1)
    extremes(low, high, window, stride)
    flat = np.empty((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            flat[y, x] = high[y * stride + x] - low[y * stride + x] <= tolerance
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


def stretch(image: U8) -> U8:
    """A faint image with its contrast multiplied, so that thresholds in grey values mean the same for it."""
    below = np.cumsum(np.bincount(image[::2, ::2].ravel(), minlength=256))
    below = below / below[-1]
    low, high = (int(value) for value in np.searchsorted(below, (FAINT_SHARE, 1.0 - FAINT_SHARE)))
    if not FAINT_LEAST <= high - low < FAINT_RANGE:
        return image
    values = 128.0 + (np.arange(256) - (low + high) / 2) * (FAINT_RANGE / (high - low))
    return np.asarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)[image])


@kernel("float32[:,:,::1](uint8[:,::1], uint8[:,::1])")
def block_sums(image: U8, valid: U8) -> F32:
    """Per block: number of valid pixels, sum and sum of squares of their values, and sum of the squares of
    what differs from pixel to pixel, shape (4, rows, columns).

    The last is the variance of the pixels' noise alone times their number: the filter of Immerkaer (1996)
    does not see what changes as slowly as ridges do.
    """
    height, width = image.shape
    rows = (height + BLOCK - 1) // BLOCK
    columns = (width + BLOCK - 1) // BLOCK
    out = np.zeros((4, rows, columns), np.float32)
    line = np.zeros(columns * BLOCK, np.int32)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            cross = np.int32(image[y - 1, x]) + image[y + 1, x] + image[y, x - 1] + image[y, x + 1]
            corner = np.int32(image[y - 1, x - 1]) + image[y + 1, x + 1]
            corner += np.int32(image[y - 1, x + 1]) + image[y + 1, x - 1]
            fine = 4 * np.int32(image[y, x]) - 2 * cross + corner
            line[x] = fine * fine * np.int32(valid[y, x])
        for x in range(width):
            out[3, y // BLOCK, x // BLOCK] += np.float32(line[x]) * np.float32(1 / 36)
    for y in range(height):
        for x in range(width):
            if valid[y, x]:
                value = np.float32(image[y, x])
                out[0, y // BLOCK, x // BLOCK] += 1
                out[1, y // BLOCK, x // BLOCK] += value
                out[2, y // BLOCK, x // BLOCK] += value * value
    return out


@kernel("int64(uint8[:,::1], uint8[:,::1], float32[:,::1], float32[:,::1], float32)")
def drop(image: U8, valid: U8, centre: F32, spread: F32, least: float) -> int:
    """Take pixels that no ridge can reach out of `valid`; return how many.

    centre, spread: mean and standard deviation around each pixel. least: deviation that counts everywhere.
    """
    height, width = image.shape
    count = 0
    for y in range(height):
        for x in range(width):
            far = abs(image[y, x] - centre[y, x]) > np.float32(OUTLIER) * max(spread[y, x], least)
            count += far and valid[y, x] != 0
            valid[y, x] = 0 if far else valid[y, x]
    return count


def fill(image: U8) -> tuple[U8, F32, F32, F32]:
    """Find what is no skin: the frame, and pixels farther from the others than any ridge (dead lines, dirt).

    Returns
    -------
    valid pixels; by block, smoothed over valid pixels: mean, contrast, and share of its variance that is not
    the noise of single pixels.
    """
    valid = inside(image, FLAT_WINDOW, FLAT_TOLERANCE, FRAME_EDGE)
    mean, contrast, share = moments(image, valid)
    for _ in range(OUTLIER_PASSES):
        # Grains of dry skin are far from the mean of their place, but no darker than the ridges elsewhere.
        usual = float((contrast**3).sum() / ((contrast**2).sum() + 1e-9))
        centre, spread = (grid.upsample(values, *image.shape) for values in (mean, contrast))
        if drop(image, valid, centre, spread, usual) < OUTLIERS * image.size:
            break
        mean, contrast, share = moments(image, valid)
    return valid, mean, contrast, share


def moments(image: U8, valid: U8) -> tuple[F32, F32, F32]:
    """Mean, contrast and share of ridges in its square, by block, of the valid pixels around."""
    count, total, squares, noise = block_sums(image, valid)
    weight = grid.blur(count, _LEVEL)
    known = np.maximum(weight, 1e-3)
    mean = grid.blur(total, _LEVEL) / known
    variance = np.maximum(grid.blur(squares, _LEVEL) / known - mean * mean, 1e-3)
    share = np.maximum(1.0 - grid.blur(noise, _LEVEL) / known / variance, RIDGES_LEAST)
    contrast = np.sqrt(variance) * np.minimum(weight / (BLOCK * BLOCK * 0.5), 1.0)
    return mean.astype(np.float32), contrast.astype(np.float32), share.astype(np.float32)


def level(image: U8, valid: U8, mean: F32, contrast: F32) -> F32:
    """Grey values with local mean 0 and standard deviation 1, clipped to ±3; 0 outside of the frame."""
    height, width = image.shape
    centre = grid.upsample(mean, height, width)
    spread = np.maximum(grid.upsample(contrast, height, width), 4.0)
    levelled = np.clip((image - centre) / spread, -3.0, 3.0)
    return np.ascontiguousarray(levelled * valid, dtype=np.float32)
