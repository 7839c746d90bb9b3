"""Minutiae of an enhanced image: where its ridges end and divide, how far each can be trusted, the best of
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.abis.fingerprint import grid, tracing
from services.abis.fingerprint.mask import Mask
from services.abis.fingerprint.parameters import BLOCK, BORDER, MIN_RELIABILITY, RELIABILITY
from services.abis.kernels import F32, U8, kernel

ENDING = 1
BIFURCATION = 2
FAR = 60.0
_APART = 40.0
"""Pixels beyond which the distance to the border, or to a minutia that points the other way, says no more."""


@dataclass(frozen=True)
class Minutiae:
    """Minutiae as parallel arrays of n entries.

    x, y: pixels at 500 dpi from the upper left corner. angle: radians in [0, 2 pi), counter-clockwise from
    the right; it points from an ending into its ridge (ISO/IEC 19794-2). kind: ENDING, BIFURCATION or 0 for
    other.
    quality: 0 to 1, how likely another print of the finger shows it, times the ridge clarity around it.
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


def detect(skeleton: U8, enhanced: F32, c: F32, s: F32, power: F32, area: Mask) -> Minutiae:
    """Every end and branch of the skeleton inside the ridge area, with its quality; false ones included.

    Parameters
    ----------
    skeleton, enhanced: (height, width). c, s: doubled-angle orientation, power: of the ridges, area: of the
    ridges, one a block.
    """
    found = tracing.nodes(skeleton, enhanced, c, s)
    x, y, angle, kind = (np.ascontiguousarray(column) for column in found.T[:4])
    border = border_distance(x, y, area.astype(np.uint8), FAR)
    strength = read_grid(x, y, power)
    odds = np.column_stack(signs(found, border, strength)) @ np.array(RELIABILITY[1:]) + RELIABILITY[0]
    reliability = 1.0 / (1.0 + np.exp(-odds))
    good = (reliability > MIN_RELIABILITY) & (border > BORDER)
    quality = np.where(good, reliability * np.clip(strength, 0.0, 1.0), 0.0)
    return Minutiae(x, y, angle, kind.astype(np.uint8), quality.astype(np.float32))


def signs(found: F32, border: F32, strength: F32) -> tuple[F32, ...]:
    """What tells true minutiae from false ones, in the order of RELIABILITY: seven arrays of n.

    Parameters
    ----------
    found: nodes of the skeleton. border: their distance to the border of the ridge area. strength: ridge
    power.
    """
    return (
        np.log(np.minimum(strength, 1.5) + 0.02),
        border,
        np.log(tracing.nearest_opposed(found, _APART) + 3.0),
        np.log(found[:, 4] + 3.0),
        np.log(found[:, 5] + 3.0),
        np.log(np.minimum(found[:, 6], 3.0) + 0.05),
        found[:, 7],
    )


@kernel("float32[::1](float32[::1], float32[::1], uint8[:,::1], float32)")
def border_distance(x: F32, y: F32, mask: U8, most: float) -> F32:
    """Distance in pixels, at most `most`, from points to the nearest block outside of the mask or image."""
    rows, columns = mask.shape
    reach = int(most) // BLOCK + 1
    out = np.full(x.size, most, np.float32)
    for k in range(x.size):
        i0, j0 = int(y[k]) // BLOCK, int(x[k]) // BLOCK
        for i in range(max(i0 - reach, -1), min(i0 + reach, rows) + 1):
            for j in range(max(j0 - reach, -1), min(j0 + reach, columns) + 1):
                if 0 <= i < rows and 0 <= j < columns and mask[i, j]:
                    continue
                # To the block seen as a square of pixels.
                dy = max(i * BLOCK - y[k], y[k] - (i * BLOCK + BLOCK - 1), 0.0)
                dx = max(j * BLOCK - x[k], x[k] - (j * BLOCK + BLOCK - 1), 0.0)
                out[k] = min(out[k], np.float32(np.sqrt(dx * dx + dy * dy)))
    return out


@kernel("float32[::1](float32[::1], float32[::1], float32[:,::1])")
def read_grid(x: F32, y: F32, values: F32) -> F32:
    """Bilinear values of a grid at points."""
    out = np.empty(x.size, np.float32)
    for k in range(x.size):
        out[k] = grid.sample(values, y[k], x[k])
    return out


def best(minutiae: Minutiae, count: int) -> Minutiae:
    """The `count` minutiae of the greatest quality, best first, without those of none."""
    order = np.argsort(-minutiae.quality, kind="stable")[:count]
    return minutiae.take(order[minutiae.quality[order] > 0.0])
