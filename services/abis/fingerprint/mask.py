"""Which blocks carry ridges: those that answer to the ridge filters, as one clean connected area."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.abis.fingerprint import grid
from services.abis.fingerprint.parameters import FLAT_CONTRAST, RIDGE_POWER
from services.abis.kernels import F32, I32, I64, U8, kernel

Mask = NDArray[np.bool_]
_SMOOTH = grid.gaussian(2.0)


def otsu(values: F32) -> float:
    """Threshold that splits values into the two classes of least variance (Otsu 1979), over 64 bins."""
    top = float(np.percentile(values, 98))
    if top <= 0.0:
        return 0.0
    counts, edges = np.histogram(np.minimum(values, top), bins=64, range=(0.0, top))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * centres)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[int(np.nanargmax(np.where(above > 0, between, -1.0))) + 1])


def candidates(contrast: F32) -> Mask:
    """Blocks that may carry ridges: everything that is not plainly flat. Wet and dry areas stay in."""
    return np.asarray(contrast > max(FLAT_CONTRAST, 0.1 * otsu(contrast)))


def ridges(power: F32, contrast: F32, share: F32) -> Mask:
    """Blocks with ridges: where the Gabor filters answered, and the contrast is not that of the background.

    Contrast alone loses dry areas beside wet ones; the answer of the filters alone sees faint residue of the
    finger before. The product of both is smoothed, cut, and reduced to its largest area without holes.
    share: of the variance that is not noise, so that ridges in a noisy image count as much as in a clear one.
    """
    clear = contrast * np.sqrt(share)
    sure = np.clip(clear / (0.5 * otsu(clear) + 1e-6), 0.0, 1.0) ** 2
    strength = np.ascontiguousarray(power / share * sure, dtype=np.float32)
    return clean(grid.blur(strength, _SMOOTH) > RIDGE_POWER)


def clean(raw: Mask) -> Mask:
    """Majority vote over 5x5 blocks, the largest connected area only, holes filled."""
    padded = np.pad(raw.astype(np.int32), 2)
    rows, columns = raw.shape
    votes = sum(padded[i : i + rows, j : j + columns] for i in range(5) for j in range(5))
    smooth = np.asarray(votes) >= 13
    return _without_holes(_largest(smooth))


def erode(mask: Mask) -> Mask:
    """The mask without the blocks that touch (8-connected) its outside; outside of the image counts as
    outside.
    """
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    out = np.ones_like(mask)
    for i in range(3):
        for j in range(3):
            out &= padded[i : i + rows, j : j + columns]
    return out


@kernel("Tuple((int32[:,::1], int64[::1]))(uint8[:,::1])")
def label(mask: U8) -> tuple[I32, I64]:
    """4-connected components: labels from 1 (0 outside of the mask), and the size of each."""
    rows, columns = mask.shape
    labels = np.zeros((rows, columns), np.int32)
    sizes = np.zeros(rows * columns, np.int64)
    stack = np.empty((rows * columns, 2), np.int32)
    count = 0
    for i0 in range(rows):
        for j0 in range(columns):
            if labels[i0, j0] or not mask[i0, j0]:
                continue
            count += 1
            labels[i0, j0] = count
            stack[0, 0], stack[0, 1] = i0, j0
            top = 1
            while top:
                top -= 1
                i, j = stack[top, 0], stack[top, 1]
                sizes[count - 1] += 1
                for k in range(4):
                    a = i + (k == 0) - (k == 1)
                    b = j + (k == 2) - (k == 3)
                    if 0 <= a < rows and 0 <= b < columns and mask[a, b] and not labels[a, b]:
                        labels[a, b] = count
                        stack[top, 0], stack[top, 1] = a, b
                        top += 1
    return labels, sizes[:count].copy()


def _largest(mask: Mask) -> Mask:
    labels, sizes = label(mask.astype(np.uint8))
    if not sizes.size:
        return mask
    return np.asarray(labels == 1 + int(np.argmax(sizes)))


def _without_holes(mask: Mask) -> Mask:
    outside = np.pad(~mask, 1, constant_values=True)
    labels, _ = label(outside.astype(np.uint8))
    return np.asarray(labels != labels[0, 0])[1:-1, 1:-1]
