"""Third step: ridges grow out of noise.

White noise is filtered again and again with the Gabor filter that fits the local orientation and period
(Cappelli, Erol, Maio and Maltoni, 2000), until ridges cover the plane; minutiae appear by themselves where
the ridges of two seeds do not meet. All passes but the last run at half resolution.

Filters are isotropic, even and free of mean: `DIRECTIONS` × `PERIODS` of them in a bank. Each pixel picks its
own; orientation and period are dithered before rounding, so that no steps of the bank show in the picture.
"""

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from sim.fingerprints.fields import Field, double_cubic, enlarge
from sim.fingerprints.traits import FingerTraits

DIRECTIONS: Final = 64
PERIODS: Final = np.arange(6.0, 15.01, 0.5)
"""Ridge periods of the bank, in full-resolution pixels."""

_HALF_TAPS: Final = 13
_FULL_TAPS: Final = 21
_GAIN: Final = 3.0
_SEED_NOISE: Final = 0.3
_RMS_REACH: Final = 6.0

Bank = NDArray[np.float32]
Index = NDArray[np.int32]


def grow(finger: FingerTraits, theta: Field, period: Field, rng: np.random.Generator) -> Field:
    """The ridges of a finger at full resolution: above 0 on a ridge, local RMS 1.

    Args:
        theta: ridge orientation in radians at half resolution, shape (h, w).
        period: ridge period in full-resolution pixels, same shape.

    Returns:
        float32 array of shape (2 h, 2 w).
    """
    half_bank = _bank(_HALF_TAPS, finger.bandwidth, 2)
    half_index = _choose(theta, period, rng)
    ridges = _SEED_NOISE * rng.standard_normal(theta.shape, dtype=np.float32)
    for _ in range(finger.iterations):
        ridges = np.clip(_GAIN * filter_each_pixel(ridges, half_index, half_bank), -1, 1)
    full_index = _choose(_double_angle(theta), enlarge(period, 2), rng)
    full_bank = _bank(_FULL_TAPS, finger.bandwidth, 1)
    return _level(filter_each_pixel(double_cubic(ridges), full_index, full_bank))


def filter_each_pixel(image: Field, index: Index, bank: Bank) -> Field:
    """`image` correlated at every pixel with the filter that `index` names for it; 0 is assumed outside."""
    taps, width = bank.shape[1:]
    reach = taps // 2
    padded = np.pad(image, ((reach, reach), (reach, reach + width - taps)))
    out = np.empty_like(image)
    _KERNELS[taps](padded, index, bank, out)
    return out


def _choose(theta: Field, period: Field, rng: np.random.Generator) -> Index:
    """Number of each pixel's filter in the bank."""
    dither = rng.random((2, *theta.shape), dtype=np.float32)
    direction = np.floor(theta * np.float32(DIRECTIONS / np.pi) + dither[0]).astype(np.int32) % DIRECTIONS
    step = np.float32(PERIODS[1] - PERIODS[0])
    length = np.floor((period - np.float32(PERIODS[0])) / step + dither[1]).astype(np.int32)
    index: Index = (direction * len(PERIODS) + np.clip(length, 0, len(PERIODS) - 1)).astype(np.int32)
    return index


def _double_angle(theta: Field) -> Field:
    """`theta` enlarged twice; done on its doubled angle because it is known mod π only."""
    enlarged: Field = np.float32(0.5) * np.arctan2(
        enlarge(np.sin(2 * theta), 2), enlarge(np.cos(2 * theta), 2)
    )
    return enlarged


def _level(filtered: Field) -> Field:
    """`filtered` divided by its local root mean square, so that ridges are equally strong everywhere."""
    rows, columns = filtered.shape
    square = (filtered * filtered).reshape(rows // 4, 4, columns // 4, 4).mean(axis=(1, 3))
    power = ndimage.gaussian_filter(square, _RMS_REACH / 4, mode="nearest")
    level: Field = filtered / np.sqrt(enlarge(power, 4) + np.float32(1e-6))
    return level


@lru_cache(maxsize=32)
def _bank(taps: int, bandwidth: float, reduction: int) -> Bank:
    """Filters of shape (DIRECTIONS · len(PERIODS), taps, row width), rows filled up with zeros.

    The response to a unit cosine that fits the filter is 1.
    """
    reach = taps // 2
    y, x = np.mgrid[reach : -reach - 1 : -1, -reach : reach + 1].astype(np.float64)
    theta = np.arange(DIRECTIONS)[:, None, None, None] * (np.pi / DIRECTIONS)
    period = (PERIODS / reduction)[None, :, None, None]
    across = -x * np.sin(theta) + y * np.cos(theta)
    wave = np.cos(2 * np.pi * across / period)
    envelope = np.exp(-(x * x + y * y) / (2 * (bandwidth * period) ** 2))
    envelope /= envelope.sum(axis=(2, 3), keepdims=True)
    gabor = envelope * (wave - (envelope * wave).sum(axis=(2, 3), keepdims=True))
    gabor /= (gabor * wave).sum(axis=(2, 3), keepdims=True)
    bank = np.zeros((DIRECTIONS * len(PERIODS), taps, _row_width(taps)), np.float32)
    bank[:, :, :taps] = gabor.reshape(-1, taps, taps)
    return bank


def _row_width(taps: int) -> int:
    """Numbers per filter row in the bank: `taps` rounded up to whole vector registers."""
    return -(-taps // 8) * 8


def _kernel(taps: int, width: int) -> Any:
    """The correlation for filters of `taps` rows of `width` numbers, compiled for these sizes.

    With both known, LLVM turns a row into a few vector instructions and sums it up once per pixel.
    """

    @njit("void(f4[:,::1], i4[:,::1], f4[:,:,::1], f4[:,::1])", nogil=True, cache=True, fastmath=True)
    def correlate(padded: Any, index: Any, bank: Any, out: Any) -> None:
        rows, columns = out.shape
        lanes = np.zeros(width, np.float32)
        for r in range(rows):
            for c in range(columns):
                kernel = bank[index[r, c]]
                for j in range(width):
                    lanes[j] = 0
                for i in range(taps):
                    for j in range(width):
                        lanes[j] += kernel[i, j] * padded[r + i, c + j]
                total = np.float32(0)
                for j in range(width):
                    total += lanes[j]
                out[r, c] = total

    return correlate


_KERNELS: Final = {taps: _kernel(taps, _row_width(taps)) for taps in (_HALF_TAPS, _FULL_TAPS)}
