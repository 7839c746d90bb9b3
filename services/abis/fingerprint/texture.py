"""The ridges themselves, one bit a pixel at 250 dpi, compared block by block after alignment.

Minutiae say where ridges end; texture says where every ridge runs. Blocks move a little against each other
even after the displacement field, so each block of one finger is searched around its place in the other. Its
search surface is averaged with those of its neighbours before the peak is taken: neighbours move alike,
chance does not.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint.field import place
from services.abis.fingerprint.gather import line
from services.abis.fingerprint.grid import upsample
from services.abis.fingerprint.mask import Mask
from services.abis.fingerprint.prepared import PAD_ROWS, PAD_WORDS, SIDE, corners
from services.abis.kernels import F32, F64, I32, U8, U16, U32, kernel, popcount_short

SEARCH = 3
"""Pixels at 250 dpi by which a block is moved around its place in each direction."""
_REACH = 1
"""Blocks around a block whose search surfaces are averaged with its own."""
SHIFTS = 8
"""Places in each direction that are compared: a register holds eight, of which 2 SEARCH + 1 count."""
_SHRINK_BLOCKS = 10.0


def encode(enhanced: F32, area: Mask) -> U8:
    """Signs of an enhanced image at half resolution, eight to a byte, shape (height / 2, width / 16)."""
    height, width = (side // 2 * 2 for side in enhanced.shape)
    quads = enhanced[:height, :width].reshape(height // 2, 2, width // 2, 2).sum(axis=(1, 3))
    inside = upsample(area.astype(np.float32), height, width)[::2, ::2] >= 0.5
    return np.packbits((quads > 0) & inside, axis=1)


_EVEN = 1 << 12
"""Added to the number of differing bits at places that do not count."""


def _outside() -> U16:
    """(SHIFTS ** 2) _EVEN at places beyond SEARCH, y before x."""
    out = np.full((SHIFTS, SHIFTS), _EVEN, np.uint16)
    out[: 2 * SEARCH + 1, : 2 * SEARCH + 1] = 0
    return out.ravel()


_OUTSIDE = _outside()


@kernel("void(uint32[::1], int64, float64, float64, float64, float64, uint16[::1])")
def patch(flat: U32, width: int, x: float, y: float, cos: float, sin: float, lines: U16) -> None:
    """The block around (x, y), turned counter-clockwise into the other finger's frame: lines (SIDE) of SIDE
    pixels.

    flat: as `prepared.in_words` makes them, of `width` words a row. (x, y): pixels at 250 dpi,
    inside of the image.
    """
    wide = np.int32(width)
    half = (SIDE - 1) / 2
    c, s = np.float32(cos), np.float32(sin)
    # Coordinates are positive everywhere: a turned block reaches less far out than the padding.
    left = np.float32(x - half * (cos - sin) + 32 * PAD_WORDS)
    top = np.float32(y - half * (cos + sin) + PAD_ROWS)
    for r in range(SIDE):
        lines[r] = line(flat, wide, left - np.float32(r) * s, top + np.float32(r) * c, c, s)


@kernel("void(uint32[::1], int64, int64, int64, uint16[::1], uint16[::1], uint16[::1], int64)")
def correlate(
    flat: U32, width: int, left: int, top: int, lines: U16, shifted: U16, surface: U16, at: int
) -> None:
    """How many pixels of a patch differ, at every place within SEARCH of (left, top).

    flat, width: as in `patch`. lines: from `patch`. shifted: scratch for SHIFTS (SIDE + SHIFTS) entries.
    surface: from `at` on SHIFTS ** 2 entries, y before x; places beyond SEARCH do not count and have _EVEN
    more.
    """
    first = left - SEARCH + 32 * PAD_WORDS
    offset = np.uint64(first & 31)
    # Unsigned indices: no need to ask whether they count from the end.
    here = np.uint64((top - SEARCH + PAD_ROWS) * width + (first >> 5))
    for q in range(SIDE + SHIFTS - 1):
        pair = (np.uint64(flat[here]) << np.uint64(32)) | np.uint64(flat[here + np.uint64(1)])
        window = np.uint32((pair << offset) >> np.uint64(32))
        here += np.uint64(width)
        e = np.uint64(q * SHIFTS)
        for k in range(SHIFTS):
            shifted[e + np.uint64(k)] = np.uint16(window >> np.uint32(32 - SIDE - k))
    for k in range(SHIFTS * SHIFTS):
        surface[np.uint64(at + k)] = _OUTSIDE[k]
    for r in range(0, SIDE, 4):
        one, two, three, four = lines[r], lines[r + 1], lines[r + 2], lines[r + 3]
        base = r * SHIFTS
        for k in range(SHIFTS * SHIFTS):
            differ = popcount_short(shifted[np.uint64(base + k)] ^ one)
            differ += popcount_short(shifted[np.uint64(base + SHIFTS + k)] ^ two)
            differ += popcount_short(shifted[np.uint64(base + 2 * SHIFTS + k)] ^ three)
            differ += popcount_short(shifted[np.uint64(base + 3 * SHIFTS + k)] ^ four)
            surface[np.uint64(at + k)] += np.uint16(differ)


@kernel("void(uint16[::1], uint16[::1], int64)")
def add(total: U16, surfaces: U16, at: int) -> None:
    """Add the surface that begins at `at` entry by entry."""
    for k in range(SHIFTS * SHIFTS):
        total[k] += surfaces[np.uint64(at + k)]


@kernel("int64(uint16[::1])")
def least(values: U16) -> int:
    """The smallest entry."""
    low = np.uint16(65535)
    for k in range(SHIFTS * SHIFTS):
        low = min(low, values[k])
    return int(low)


@kernel("float64(int32[:,::1], uint32[:,::1], int32[:,::1], uint32[:,::1], float64[::1], float64[:,::1])")
def agreement(blocks: I32, ridges_a: U32, grid_b: I32, ridges_b: U32, motion: F64, field: F64) -> float:
    """How well the ridges of two aligned fingers coincide: mean correlation at the common peaks, shrunk; 0 to
    1.

    Parameters
    ----------
    blocks, ridges_a: of one finger; grid_b, ridges_b: of the other (`prepared.Prepared`). motion, field:
    from `align`, in pixels at 500 dpi.
    """
    if ridges_a.size == 0 or ridges_b.size == 0:
        return 0.0
    height, width = ridges_b.shape[0] - 2 * PAD_ROWS, (ridges_b.shape[1] - 2 * PAD_WORDS) * 32
    rows, columns = ridges_a.shape[0] // SIDE, ridges_a.shape[1] * 32 // SIDE
    places = SHIFTS * SHIFTS
    flat, other = ridges_a.reshape(ridges_a.size), ridges_b.reshape(ridges_b.size)
    # A frame of one block, so that all blocks have neighbours.
    surfaces = np.empty(blocks.shape[0] * places, np.uint16)
    seen = np.full((rows + 2, columns + 2), -1, np.int32)
    lines, shifted = np.empty(SIDE, np.uint16), np.zeros(SHIFTS * (SIDE + SHIFTS), np.uint16)
    count = 0
    for k in range(blocks.shape[0]):
        i, j = blocks[k, 0], blocks[k, 1]
        ax, ay = (j + 0.5) * SIDE, (i + 0.5) * SIDE
        x, y = place(2 * ax, 2 * ay, motion, field)
        left, top = int(np.round(x / 2)) - SIDE // 2, int(np.round(y / 2)) - SIDE // 2
        if left < SEARCH or top < SEARCH or top + SIDE + SEARCH > height or left + SIDE + SEARCH > width:
            continue
        if blocks[k, 2] + corners(x, y, grid_b) < 7:
            continue
        patch(flat, ridges_a.shape[1], ax, ay, motion[0], motion[1], lines)
        correlate(other, ridges_b.shape[1], left, top, lines, shifted, surfaces, k * places)
        seen[i + 1, j + 1] = k
        count += 1
    score = 0.0
    total = np.empty(places, np.uint16)
    for k in range(blocks.shape[0]):
        i, j = blocks[k, 0] + 1, blocks[k, 1] + 1
        if seen[i, j] < 0:
            continue
        total[:] = 0
        known = 0
        for p in range(i - 1, i + 2):
            for q in range(j - 1, j + 2):
                if seen[p, q] >= 0:
                    known += 1
                    add(total, surfaces, seen[p, q] * places)
        score += max(1.0 - least(total) * 2.0 / (SIDE * SIDE * known), 0.0)
    return float(score / (count + _SHRINK_BLOCKS))
