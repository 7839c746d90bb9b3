"""Minutiae of an enhanced image: NIST's mindtct (through nbis-py), a border filter, the best by ridge
clarity.
"""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass

import nbis
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.abis.fingerprint import grid
from services.abis.fingerprint.mask import Mask
from services.abis.fingerprint.parameters import BLOCK, BORDER, DPI
from services.abis.kernels import F32, kernel

ENDING = 1
BIFURCATION = 2


@dataclass(frozen=True)
class Minutiae:
    """Minutiae as parallel arrays of n entries.

    x, y: pixels at 500 dpi from the upper left corner. angle: radians in [0, 2 pi), counter-clockwise from
    the right; it points from an ending into its ridge (ISO/IEC 19794-2). kind: ENDING, BIFURCATION or 0 for
    other.
    quality: 0 to 1, ridge clarity around the minutia.
    """

    x: F32
    y: F32
    angle: F32
    kind: NDArray[np.uint8]
    quality: F32

    def __len__(self) -> int:
        return int(self.x.size)

    def take(self, index: NDArray[np.intp]) -> Minutiae:
        """The minutiae of the given indices, in their order."""
        return Minutiae(*(np.ascontiguousarray(v[index]) for v in vars(self).values()))


@functools.cache
def _mindtct() -> nbis.NbisExtractor:
    return nbis.new_nbis_extractor(
        nbis.NbisExtractorSettings(
            min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=float(DPI)
        )
    )


def detect(enhanced: F32) -> Minutiae:
    """Run mindtct on an enhanced image (ridges negative, RMS 1); quality is left at 1."""
    grey = np.clip(128.0 + 70.0 * enhanced, 0, 255).astype(np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(grey).save(encoded, "PNG", compress_level=0)
    found = _mindtct().extract_minutiae(encoded.getvalue()).get()
    n = len(found)
    x, y, angle = (np.empty(n, np.float32) for _ in range(3))
    kind = np.empty(n, np.uint8)
    for i, m in enumerate(found):
        x[i], y[i], angle[i] = m.x(), m.y(), np.radians(m.angle())
        kind[i] = ENDING if m.kind() == nbis.MinutiaKind.RIDGE_ENDING else BIFURCATION
    return Minutiae(x, y, np.mod(angle, 2 * np.pi).astype(np.float32), kind, np.ones(n, np.float32))


def away_from_border(minutiae: Minutiae, mask: Mask) -> Minutiae:
    """Drop minutiae within BORDER pixels of the outside of the mask: ridges cut off there only look like
    endings.
    """
    i, j = np.nonzero(~np.pad(mask, 1))
    y0 = (i - 1) * BLOCK - minutiae.y[:, None]
    x0 = (j - 1) * BLOCK - minutiae.x[:, None]
    # Distance from each minutia to each outside block, seen as a square of BLOCK pixels.
    dy = np.maximum(np.maximum(y0, -y0 - (BLOCK - 1)), 0.0)
    dx = np.maximum(np.maximum(x0, -x0 - (BLOCK - 1)), 0.0)
    nearest = np.hypot(dx, dy).min(axis=1) if i.size else np.full(len(minutiae), np.inf)
    return minutiae.take(np.nonzero(nearest > BORDER)[0])


@kernel("float32[::1](float32[::1], float32[::1], float32[:,::1])")
def read_grid(x: F32, y: F32, values: F32) -> F32:
    """Bilinear values of a grid at points."""
    out = np.empty(x.size, np.float32)
    for k in range(x.size):
        out[k] = grid.sample(values, y[k], x[k])
    return out


def along_ridges(minutiae: Minutiae, c: F32, s: F32) -> Minutiae:
    """Replace mindtct's angles (steps of 11.25°) by the ridge orientation nearest to them."""
    theta = 0.5 * np.arctan2(read_grid(minutiae.x, minutiae.y, s), read_grid(minutiae.x, minutiae.y, c))
    turn = np.mod(theta - minutiae.angle + np.pi / 2, np.pi) - np.pi / 2
    angle = np.where(np.abs(turn) < np.pi / 6, minutiae.angle + turn, minutiae.angle)
    return Minutiae(
        minutiae.x, minutiae.y, np.mod(angle, 2 * np.pi).astype(np.float32), minutiae.kind, minutiae.quality
    )


def best(minutiae: Minutiae, power: F32, count: int) -> Minutiae:
    """The `count` minutiae of the greatest ridge power, best first, with it (at most 1) as quality."""
    quality = np.clip(read_grid(minutiae.x, minutiae.y, power), 0.0, 1.0).astype(np.float32)
    order = np.argsort(-quality, kind="stable")[:count]
    ranked = Minutiae(minutiae.x, minutiae.y, minutiae.angle, minutiae.kind, quality)
    return ranked.take(order)
