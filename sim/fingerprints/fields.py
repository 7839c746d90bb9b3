"""Smooth random fields and the geometry of the master plane they live on.

The plane is `HEIGHT` × `WIDTH` pixels at 500 dpi (27.6 × 21.1 mm). Slow fields are drawn on a grid of one
node every `GRID` pixels, or at half resolution, and brought to the full plane by interpolation.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float32]

WIDTH: Final = 416
HEIGHT: Final = 544
GRID: Final = 8


def half_resolution_axes() -> tuple[Field, Field]:
    """x of each column and y (up) of each row of the half-resolution plane, in full-resolution pixels."""
    x = (2 * np.arange(WIDTH // 2) + 0.5 - (WIDTH - 1) / 2).astype(np.float32)
    y = ((HEIGHT - 1) / 2 - (2 * np.arange(HEIGHT // 2) + 0.5)).astype(np.float32)
    return x, y


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], correlation: float) -> Field:
    """Gaussian noise of mean 0 and standard deviation 1 on `shape`, smoothed with `correlation` (nodes)."""
    margin = int(np.ceil(2 * correlation))
    white = rng.standard_normal((shape[0] + 2 * margin, shape[1] + 2 * margin), dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, correlation, mode="wrap", truncate=2.5)
    # The variance after a Gaussian of this width is 1 / (4 π σ²); dividing by the field's own deviation
    # instead would make every draw equally strong.
    smooth *= 2 * np.sqrt(np.pi) * max(correlation, 0.28)
    return np.ascontiguousarray(smooth[margin : margin + shape[0], margin : margin + shape[1]])


def enlarge(field: Field, factor: int) -> Field:
    """`field` bilinearly enlarged by a whole `factor`, node centres staying centres of their blocks."""
    for axis in (0, 1):
        field = _enlarge_axis(field, factor, axis)
    return np.ascontiguousarray(field)


def _enlarge_axis(field: Field, factor: int, axis: int) -> Field:
    nodes = field.shape[axis]
    position = (np.arange(nodes * factor, dtype=np.float32) + 0.5) / factor - 0.5
    position = np.clip(position, 0, nodes - 1)
    low = np.minimum(position.astype(np.intp), nodes - 2)
    weight = (position - low).astype(np.float32)
    weight = weight[:, None] if axis == 0 else weight[None, :]
    enlarged: Field = np.take(field, low, axis) * (1 - weight) + np.take(field, low + 1, axis) * weight
    return enlarged


def double_cubic(field: Field) -> Field:
    """`field` enlarged twice with Catmull–Rom weights; new samples lie a quarter of a node off the old."""
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (2, 2)
        padded = np.pad(field, pad, mode="edge")
        nodes = field.shape[axis]
        taps = [np.take(padded, np.arange(k, k + nodes), axis) for k in range(5)]
        shape = list(field.shape)
        shape[axis] *= 2
        doubled = np.empty(shape, np.float32)
        before = -0.0234375 * taps[0] + 0.2265625 * taps[1] + 0.8671875 * taps[2] - 0.0703125 * taps[3]
        after = -0.0703125 * taps[1] + 0.8671875 * taps[2] + 0.2265625 * taps[3] - 0.0234375 * taps[4]
        if axis == 0:
            doubled[0::2], doubled[1::2] = before, after
        else:
            doubled[:, 0::2], doubled[:, 1::2] = before, after
        field = doubled
    return field
