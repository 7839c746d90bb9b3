"""The ridges themselves, one bit a pixel at 250 dpi, compared block by block after alignment.

Minutiae say where ridges end; texture says where every ridge runs. Blocks move a little against each other
even after the displacement field, so each block of one finger is searched around its place in the other. Its
search surface is averaged with those of its neighbours before the peak is taken: neighbours move alike,
chance does not.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint.field import place
from services.abis.fingerprint.grid import upsample
from services.abis.fingerprint.mask import Mask
from services.abis.kernels import F32, F64, U8, U64, kernel, popcount

SIDE = 16
"""Pixels at 250 dpi of a side of a block."""
SEARCH = 3
"""Pixels at 250 dpi by which a block is moved around its place in each direction."""
_REACH = 1
"""Blocks around a block whose search surfaces are averaged with its own."""
_CELL = 16
"""Pixels at 500 dpi of a cell of the frequency field, which is the mask."""
_SHRINK_BLOCKS = 10.0


def encode(enhanced: F32, area: Mask) -> U8:
    """Signs of an enhanced image at half resolution, eight to a byte, shape (height / 2, width / 16)."""
    height, width = (side // 2 * 2 for side in enhanced.shape)
    quads = enhanced[:height, :width].reshape(height // 2, 2, width // 2, 2).sum(axis=(1, 3))
    inside = upsample(area.astype(np.float32), height, width)[::2, ::2] >= 0.5
    return np.packbits((quads > 0) & inside, axis=1)


_FIXED = 1 << 16
"""Coordinates of turned blocks are whole numbers of this part of a pixel."""


@kernel("boolean(float64, float64, uint8[:,::1])")
def ridges_at(x: float, y: float, frequency: U8) -> bool:
    """Whether a point (pixels at 500 dpi) lies in the ridge area."""
    i, j = int(np.floor(y * (1.0 / _CELL))), int(np.floor(x * (1.0 / _CELL)))
    return bool(0 <= i < frequency.shape[0] and 0 <= j < frequency.shape[1] and frequency[i, j] != 0)


@kernel("void(uint8[:,::1], float64, float64, float64, float64, uint64[::1])")
def patch(bits: U8, x: float, y: float, cos: float, sin: float, words: U64) -> None:
    """The block around (x, y), turned counter-clockwise into the other finger's frame: 4 words of 4 rows
    each. Pixels outside of the image are 0.
    """
    height, width = bits.shape[0], bits.shape[1] * 8
    half = (SIDE - 1) / 2
    # A turned block reaches as far as its diagonal.
    inside = x > SIDE and y > SIDE and x < width - SIDE and y < height - SIDE
    step_x, step_y = int(np.round(cos * _FIXED)), int(np.round(sin * _FIXED))
    corner_x = int(np.round((x - half * (cos - sin)) * _FIXED))
    corner_y = int(np.round((y - half * (cos + sin)) * _FIXED))
    for w in range(SIDE // 4):
        word = np.uint64(0)
        for r in range(4 * w, 4 * w + 4):
            at_x, at_y = corner_x - r * step_y, corner_y + r * step_x
            for _ in range(SIDE):
                sx, sy = at_x >> 16, at_y >> 16
                at_x += step_x
                at_y += step_y
                word <<= np.uint64(1)
                if inside or (0 <= sy < height and 0 <= sx < width):
                    word |= np.uint64((bits[sy, sx >> 3] >> (7 - (sx & 7))) & 1)
        words[w] = word


@kernel("void(uint8[:,::1], int64, int64, uint64[::1], uint64[::1], float32[::1])")
def correlate(bits: U8, left: int, top: int, words: U64, rows: U64, surface: F32) -> None:
    """Correlation of a patch with every place within SEARCH of (left, top), in [-1, 1].

    rows: scratch for twice SIDE + 2 SEARCH words. surface: (2 SEARCH + 1) ** 2 values, x before y.
    """
    side = 2 * SEARCH + 1
    lines = SIDE + 2 * SEARCH
    first, offset = (left - SEARCH) >> 3, (left - SEARCH) & 7
    strip, quads = rows[:lines], rows[lines:]
    for r in range(lines):
        y = top - SEARCH + r
        value = np.uint64(0)
        for k in range(4):
            value = (value << np.uint64(8)) | np.uint64(bits[y, first + k])
        strip[r] = value
    mask = np.uint64(0xFFFF)
    for sx in range(side):
        # Sixteen bits of each row from this column on; each word then holds four consecutive rows.
        shift = np.uint64(16 - offset - sx)
        for r in range(lines - 3):
            high = (((strip[r] >> shift) & mask) << np.uint64(16)) | ((strip[r + 1] >> shift) & mask)
            low = (((strip[r + 2] >> shift) & mask) << np.uint64(16)) | ((strip[r + 3] >> shift) & mask)
            quads[r] = (high << np.uint64(32)) | low
        for sy in range(side):
            differ = popcount(quads[sy] ^ words[0]) + popcount(quads[sy + 4] ^ words[1])
            differ += popcount(quads[sy + 8] ^ words[2]) + popcount(quads[sy + 12] ^ words[3])
            surface[sx * side + sy] = np.float32(1.0) - np.float32(differ) * np.float32(2.0 / (SIDE * SIDE))


@kernel("float64(uint8[:,::1], uint8[:,::1], uint8[:,::1], uint8[:,::1], float64[::1], float64[:,::1])")
def agreement(bits_a: U8, frequency_a: U8, bits_b: U8, frequency_b: U8, motion: F64, field: F64) -> float:
    """How well the ridges of two aligned fingers coincide: mean correlation at the common peaks, shrunk; 0 to
    1.

    Parameters
    ----------
    bits_*: textures as `encode` packs them. frequency_*: coarse fields, non-zero within the ridge area.
    motion, field: from `align`, in pixels at 500 dpi.
    """
    rows, columns = bits_a.shape[0] // SIDE, bits_a.shape[1] * 8 // SIDE
    places = (2 * SEARCH + 1) ** 2
    surface = np.zeros((rows, columns, places), np.float32)
    seen = np.zeros((rows, columns), np.uint8)
    words = np.empty(SIDE // 4, np.uint64)
    scratch = np.empty(2 * (SIDE + 2 * SEARCH), np.uint64)
    corner = SIDE - 2.0
    for i in range(rows):
        for j in range(columns):
            ax, ay = (j + 0.5) * SIDE, (i + 0.5) * SIDE
            if not ridges_at(2 * ax, 2 * ay, frequency_a):
                continue
            x, y = place(2 * ax, 2 * ay, motion, field)
            left, top = int(np.round(x / 2)) - SIDE // 2, int(np.round(y / 2)) - SIDE // 2
            if left < SEARCH or top < SEARCH or top + SIDE + SEARCH > bits_b.shape[0]:
                continue
            if ((left - SEARCH) >> 3) + 4 > bits_b.shape[1]:
                continue
            inside = 0
            for u in (-corner, corner):
                for v in (-corner, corner):
                    inside += ridges_at(2 * ax + u, 2 * ay + v, frequency_a)
                    inside += ridges_at(x + u, y + v, frequency_b)
            if inside < 7:
                continue
            seen[i, j] = 1
            patch(bits_a, ax, ay, motion[0], motion[1], words)
            correlate(bits_b, left, top, words, scratch, surface[i, j])
    blocks, score = 0.0, 0.0
    mean = np.empty(places, np.float32)
    for i in range(rows):
        for j in range(columns):
            if not seen[i, j]:
                continue
            mean[:] = 0.0
            known = 0
            for p in range(max(0, i - _REACH), min(rows, i + _REACH + 1)):
                for q in range(max(0, j - _REACH), min(columns, j + _REACH + 1)):
                    if seen[p, q]:
                        known += 1
                        mean += surface[p, q]
            score += max(mean.max() / known, 0.0)
            blocks += 1.0
    return float(score / (blocks + _SHRINK_BLOCKS))
