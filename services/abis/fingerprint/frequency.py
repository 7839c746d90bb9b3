"""Ridge period: the spectral peak of the grey values along the ridge normal, block by block (after Hong
1998).
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint import grid
from services.abis.fingerprint.mask import Mask
from services.abis.fingerprint.parameters import BLOCK, MAX_PERIOD, MIN_PERIOD
from services.abis.kernels import F32, U8, kernel

_LENGTH = 48
"""Pixels along the normal that one estimate sees: about five ridges."""
_WIDTH = 20
"""Pixels along the ridge over which the signature is averaged."""
_CANDIDATES = 24
_SMOOTH = grid.gaussian(3.0)


@kernel("void(float32[:,::1], float32[:,::1], uint8[:,::1], float32[:,::1], float32[:,::1])")
def signatures(image: F32, theta: F32, mask: U8, frequency: F32, weight: F32) -> None:
    """Fill `frequency` (cycles per pixel) and `weight` (share of the signature's power in the peak) for mask
    blocks.
    """
    height, width = image.shape
    rows, columns = theta.shape
    low, high = 1.0 / MAX_PERIOD, 1.0 / MIN_PERIOD
    step = (high - low) / (_CANDIDATES - 1)
    cosines = np.empty((_CANDIDATES, _LENGTH))
    sines = np.empty((_CANDIDATES, _LENGTH))
    window = np.empty(_LENGTH)
    for t in range(_LENGTH):
        window[t] = 0.5 - 0.5 * np.cos(2 * np.pi * (t + 0.5) / _LENGTH)
        for k in range(_CANDIDATES):
            phase = 2 * np.pi * (low + k * step) * (t - (_LENGTH - 1) / 2)
            cosines[k, t] = np.cos(phase) * window[t]
            sines[k, t] = np.sin(phase) * window[t]
    signature = np.empty(_LENGTH)
    power = np.empty(_CANDIDATES)
    for i in range(rows):
        for j in range(columns):
            if not mask[i, j]:
                continue
            y0 = i * BLOCK + (BLOCK - 1) / 2
            x0 = j * BLOCK + (BLOCK - 1) / 2
            # Tangent (tx, ty) and normal (nx, ny) in image axes, y down.
            tx, ty = np.cos(theta[i, j]), -np.sin(theta[i, j])
            nx, ny = -ty, tx
            mean = 0.0
            for t in range(_LENGTH):
                a = t - (_LENGTH - 1) / 2
                total = 0.0
                for b in range(_WIDTH):
                    d = b - (_WIDTH - 1) / 2
                    x = int(x0 + a * nx + d * tx + 0.5)
                    y = int(y0 + a * ny + d * ty + 0.5)
                    if 0 <= x < width and 0 <= y < height:
                        total += image[y, x]
                signature[t] = total
                mean += total * window[t]
            mean /= _LENGTH / 2
            energy = 0.0
            for t in range(_LENGTH):
                signature[t] -= mean
                energy += signature[t] * signature[t] * window[t] * window[t]
            if energy <= 0.0:
                continue
            best = 0
            for k in range(_CANDIDATES):
                c, s = 0.0, 0.0
                for t in range(_LENGTH):
                    c += signature[t] * cosines[k, t]
                    s += signature[t] * sines[k, t]
                power[k] = c * c + s * s
                if power[k] > power[best]:
                    best = k
            if best == 0 or best == _CANDIDATES - 1:
                continue
            before, peak, after = power[best - 1], power[best], power[best + 1]
            shift = 0.5 * (before - after) / (before - 2 * peak + after)
            frequency[i, j] = low + (best + shift) * step
            weight[i, j] = peak / (energy * _LENGTH)


def estimate(image: F32, theta: F32, mask: Mask) -> F32:
    """Ridge frequency in cycles per pixel for every block; blocks without an own estimate get their
    neighbours'.
    """
    frequency = np.zeros(theta.shape, np.float32)
    weight = np.zeros(theta.shape, np.float32)
    signatures(image, theta, np.ascontiguousarray(mask, dtype=np.uint8), frequency, weight)
    known = weight > 0
    typical = float(np.median(frequency[known])) if known.any() else 1.0 / 9.0
    # A weak pull towards the finger's typical frequency keeps lone wild estimates from spreading.
    w = grid.blur(np.ascontiguousarray(weight * weight), _SMOOTH)
    f = grid.blur(np.ascontiguousarray(weight * weight * frequency), _SMOOTH)
    pull = np.float32(0.01)
    out = (f + pull * typical) / (w + pull)
    return np.ascontiguousarray(np.clip(out, 1.0 / MAX_PERIOD, 1.0 / MIN_PERIOD), dtype=np.float32)
