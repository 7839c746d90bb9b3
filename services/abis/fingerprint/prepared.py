"""A finger as the comparison reads it: all that does not depend on the other finger, worked out once.

Arrays are laid out for vector registers: one property after the other, filled up to whole registers with
entries so far away that they never count, and fields with a frame around them so that nobody asks for bounds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from services.abis.kernels import F32, I32, U8, U32, U64, kernel, numba_types

LANES: Final = 16
"""Entries of a register; sizes are multiples of it."""
FAR: Final = 1e6
"""Coordinate of an entry that only fills up."""
MOST: Final = 240
"""Minutiae that are compared, the best first."""
CELL: Final = 16
"""Pixels of a cell of the coarse fields."""
SIDE: Final = 16
"""Pixels at 250 dpi of a side of a block of texture."""
PAD_ROWS: Final = 16
PAD_WORDS: Final = 1
"""Empty rows and words of 32 pixels around the texture."""
UNIT: Final = 120.0
LOG_UNIT: Final = 4096.0
"""Steps of 1 in the packed cosines and sines, and in the packed logarithms."""

X, Y, COS, SIN, TURN, ROOT, QUALITY = range(7)
"""Rows of `lanes`: place, direction as cosine, sine and share of a full turn, root of the quality, itself."""
CELL_X, CELL_Y, CELL_COS, CELL_SIN, CELL_LOG = range(5)
"""Rows of `cells`: column and row, cosine and sine of twice the orientation, logarithm of the frequency."""

_COSINE = np.cos(2 * np.pi * np.arange(256) / 256).astype(np.float32)
_SINE = np.sin(2 * np.pi * np.arange(256) / 256).astype(np.float32)
_LOGARITHM = np.log(np.maximum(np.arange(256), 1.0)).astype(np.float32)


class Prepared(NamedTuple):
    """One finger, in the order in which the kernels take it.

    points: (n, 4) the MOST best minutiae. bits, valid, usable: their cylinders (n, 20), (n, 4), (n).
    lanes: (7, w) the same minutiae, by property. cells: (5, 2 k) every other cell of the ridge area (as on a
    chessboard); the first k are every other one of those. grid: (rows + 2, columns + 2) the coarse
    fields in a frame, see `packed`; 0 outside of the ridge area. blocks: (b, 3) row, column and number of
    corners in the ridge area of the blocks of texture that may be compared. ridges: texture, 32 pixels a
    word from the highest bit on, with PAD_ROWS and PAD_WORDS around it; no words where it is unknown.
    """

    points: F32
    bits: U64
    valid: U64
    usable: U8
    lanes: F32
    cells: F32
    grid: I32
    blocks: I32
    ridges: U32


_t = numba_types
FINGER: Final = _t.NamedTuple(
    [
        _t.float32[:, ::1],
        _t.uint64[:, ::1],
        _t.uint64[:, ::1],
        _t.uint8[::1],
        _t.float32[:, ::1],
        _t.float32[:, ::1],
        _t.int32[:, ::1],
        _t.int32[:, ::1],
        _t.uint32[:, ::1],
    ],
    Prepared,
)
"""Numba's type of a `Prepared`."""


@kernel("float32[:,::1](float32[:,::1])")
def in_lanes(points: F32) -> F32:
    """Minutiae (n, 4) by property, (7, n filled up)."""
    n = points.shape[0]
    out = np.zeros((7, (n + LANES - 1) // LANES * LANES), np.float32)
    out[:2] = FAR
    for i in range(n):
        out[X, i], out[Y, i] = points[i, 0], points[i, 1]
        out[COS, i], out[SIN, i] = np.cos(points[i, 2]), np.sin(points[i, 2])
        out[TURN, i] = points[i, 2] * np.float32(1.0 / (2 * np.pi))
        out[ROOT, i], out[QUALITY, i] = np.sqrt(points[i, 3]), points[i, 3]
    return out


@kernel("float32[:,::1](uint8[:,::1], uint8[:,::1])")
def sampled(orientation: U8, frequency: U8) -> F32:
    """`cells` of the coarse fields."""
    rows, columns = frequency.shape
    count = 0
    for i in range(rows):
        for j in range(i % 2, columns, 2):
            count += frequency[i, j] != 0
    half = ((count + 1) // 2 + LANES - 1) // LANES * LANES
    out = np.zeros((5, 2 * half), np.float32)
    out[:2] = FAR
    count = 0
    for i in range(rows):
        for j in range(i % 2, columns, 2):
            if frequency[i, j] != 0:
                at = count % 2 * half + count // 2
                out[CELL_X, at], out[CELL_Y, at] = j, i
                out[CELL_COS, at], out[CELL_SIN, at] = _COSINE[orientation[i, j]], _SINE[orientation[i, j]]
                out[CELL_LOG, at] = _LOGARITHM[frequency[i, j]]
                count += 1
    return out


@kernel("int32[:,::1](uint8[:,::1], uint8[:,::1])")
def packed(orientation: U8, frequency: U8) -> I32:
    """`grid` of the coarse fields. One look tells the cosine (lowest byte, plus 128) and sine (next byte,
    plus 128) of twice the orientation, in UNITs, and the logarithm of the frequency (in LOG_UNITs, plus 1).
    """
    rows, columns = frequency.shape
    out = np.zeros((rows + 2, columns + 2), np.int32)
    for i in range(rows):
        for j in range(columns):
            if frequency[i, j] != 0:
                c = int(np.round(UNIT * _COSINE[orientation[i, j]])) + 128
                s = int(np.round(UNIT * _SINE[orientation[i, j]])) + 128
                log = int(np.round(LOG_UNIT * _LOGARITHM[frequency[i, j]])) + 1
                out[i + 1, j + 1] = c | s << 8 | log << 16
    return out


@kernel("boolean(float64, float64, int32[:,::1])")
def ridges_at(x: float, y: float, grid: I32) -> bool:
    """Whether a point (pixels at 500 dpi) lies in the ridge area."""
    i, j = int(np.floor(y * (1.0 / CELL))) + 1, int(np.floor(x * (1.0 / CELL))) + 1
    return bool(0 <= i < grid.shape[0] and 0 <= j < grid.shape[1] and grid[i, j] != 0)


@kernel("int64(float64, float64, int32[:,::1])")
def corners(x: float, y: float, grid: I32) -> int:
    """How many corners of the block around a point (pixels at 500 dpi) lie in the ridge area."""
    reach = SIDE - 2.0
    count = 0
    for u in (-reach, reach):
        for v in (-reach, reach):
            count += ridges_at(x + u, y + v, grid)
    return count


@kernel("int32[:,::1](int64, int64, int32[:,::1])")
def whole_blocks(rows: int, columns: int, grid: I32) -> I32:
    """`blocks` of a texture of so many rows and columns of blocks."""
    out = np.empty((rows * columns, 3), np.int32)
    count = 0
    for i in range(rows):
        for j in range(columns):
            x, y = (j + 0.5) * 2 * SIDE, (i + 0.5) * 2 * SIDE
            inside = corners(x, y, grid)
            if inside >= 3 and ridges_at(x, y, grid):
                out[count, 0], out[count, 1], out[count, 2] = i, j, inside
                count += 1
    return out[:count].copy()


def in_words(texture: U8) -> U32:
    """`ridges` of a texture of eight pixels to a byte."""
    if not texture.size:
        return np.zeros((0, 0), np.uint32)
    height, width = texture.shape
    words = (width + 3) // 4
    out = np.zeros((height + 2 * PAD_ROWS, 4 * (words + 2 * PAD_WORDS)), np.uint8)
    out[PAD_ROWS : PAD_ROWS + height, 4 * PAD_WORDS : 4 * PAD_WORDS + width] = texture
    return out.view(">u4").astype(np.uint32)


def prepare(
    points: F32, cylinders: tuple[U64, U64, U8], orientation: U8, frequency: U8, texture: U8
) -> Prepared:
    """A finger from its minutiae (n, 4), their cylinders, its coarse fields and its texture."""
    bits, valid, usable = cylinders
    points = points[:MOST]
    grid = packed(orientation, frequency)
    rows, columns = texture.shape[0] // SIDE, texture.shape[1] * 8 // SIDE
    return Prepared(
        points,
        bits[:MOST],
        valid[:MOST],
        usable[:MOST],
        in_lanes(points),
        sampled(orientation, frequency),
        grid,
        whole_blocks(rows, columns, grid),
        in_words(texture),
    )
