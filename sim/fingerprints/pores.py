"""Fourth step: sweat pores, small holes along the middle of the ridges, the same in every print."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.fingerprints.fields import GRID, HEIGHT, WIDTH, Field

_SHARE: Final = 0.6
"""Part of the grid cells that hold a pore: one in about 12 pixels of ridge, as in 9–18 pores a centimetre."""
_REACH: Final = 2


def pore_depth(ridges: Field, rng: np.random.Generator) -> Field:
    """Depth of the pores, 0 to 1, on the plane of `ridges`: at most one on the crest in each 8 × 8 cell."""
    rows, columns = HEIGHT // GRID, WIDTH // GRID
    cells = ridges.reshape(rows, GRID, columns, GRID).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    # Any point near the crest will do; the very highest one would make neighbours line up.
    crest = (cells + rng.uniform(0, 0.4, cells.shape).astype(np.float32)).argmax(axis=2)
    row = crest // GRID + GRID * np.arange(rows)[:, None]
    column = crest % GRID + GRID * np.arange(columns)[None, :]
    kept = (rng.random((rows, columns)) < _SHARE) & (ridges[row, column] > 1.0)
    kept &= (row >= _REACH) & (row < HEIGHT - _REACH) & (column >= _REACH) & (column < WIDTH - _REACH)
    depth = rng.uniform(0.4, 1.0, (rows, columns)).astype(np.float32)[kept]
    field = np.zeros((HEIGHT, WIDTH), np.float32)
    for dy, dx, weight in _stamp():
        np.maximum.at(field, (row[kept] + dy, column[kept] + dx), depth * weight)
    return field


def _stamp() -> list[tuple[int, int, np.float32]]:
    """Offsets and weights of a round hole with a standard deviation of one pixel."""
    steps: NDArray[np.intp] = np.arange(-_REACH, _REACH + 1)
    return [(int(dy), int(dx), np.float32(np.exp(-(dx * dx + dy * dy) / 2))) for dy in steps for dx in steps]
