"""Ridges one pixel wide: the dark pixels of an enhanced image, thinned 64 at a time.

Guo and Hall (1989), "Parallel thinning with two-subiteration algorithms": what a pixel's eight neighbours
decide is a formula of ands and ors, so one machine word decides for 64 pixels of a row at once.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint.mask import Mask
from services.abis.fingerprint.parameters import BLOCK
from services.abis.kernels import F32, U8, U64, kernel

MARGIN = 2
"""Pixels along the image border that stay empty, so that no neighbour of a ridge pixel lies outside."""


@kernel("uint64[:,::1](float32[:,::1], uint8[:,::1])")
def pack(enhanced: F32, mask: U8) -> U64:
    """Ridge pixels (below zero, in blocks of the mask), one bit each.

    Pixel (y, x) is bit x % 64 of word (y + 1, x // 64 + 1): a row and a word of zeros surround the image.
    """
    height, width = enhanced.shape
    out = np.zeros((height + 2, (width + 63) // 64 + 2), np.uint64)
    for y in range(MARGIN, height - MARGIN):
        for x in range(MARGIN, width - MARGIN):
            bit = np.uint64(enhanced[y, x] < 0 and mask[y // BLOCK, x // BLOCK] != 0)
            out[y + 1, (x >> 6) + 1] |= bit << np.uint64(x & 63)
    return out


@kernel("boolean(uint64[:,::1], uint64[:,::1], boolean)")
def peel(bits: U64, out: U64, even: bool) -> bool:
    """One of the two alternating passes: `bits` without the pixels that it removes, into `out`; whether any
    went.
    """
    rows, words = bits.shape
    one, top = np.uint64(1), np.uint64(63)
    gone = np.uint64(0)
    for y in range(1, rows - 1):
        for w in range(1, words - 1):
            # The neighbours of 64 pixels, numbered as in the paper: clockwise from the one above.
            here = bits[y, w]
            p2, p6 = bits[y - 1, w], bits[y + 1, w]
            p3 = (p2 >> one) | (bits[y - 1, w + 1] << top)
            p4 = (here >> one) | (bits[y, w + 1] << top)
            p5 = (p6 >> one) | (bits[y + 1, w + 1] << top)
            p7 = (p6 << one) | (bits[y + 1, w - 1] >> top)
            p8 = (here << one) | (bits[y, w - 1] >> top)
            p9 = (p2 << one) | (bits[y - 1, w - 1] >> top)
            # The neighbours are one connected run: exactly one of four.
            c1, c2, c3, c4 = ~p2 & (p3 | p4), ~p4 & (p5 | p6), ~p6 & (p7 | p8), ~p8 & (p9 | p2)
            single = (c1 ^ c2 ^ c3 ^ c4) & ~((c1 & c2) | (c3 & c4))
            # Two or three of them by the smaller of two counts in pairs: no end of a line, no inner pixel.
            a1, a2, a3, a4 = p9 | p2, p3 | p4, p5 | p6, p7 | p8
            b1, b2, b3, b4 = p2 | p3, p4 | p5, p6 | p7, p8 | p9
            some = (((a1 | a2) & (a3 | a4)) | (a1 & a2) | (a3 & a4)) & (
                ((b1 | b2) & (b3 | b4)) | (b1 & b2) | (b3 & b4)
            )
            full = a1 & a2 & a3 & a4 & b1 & b2 & b3 & b4
            side = ((p2 | p3 | ~p5) & p4) if even else ((p6 | p7 | ~p9) & p8)
            removed = here & single & some & ~full & ~side
            out[y, w] = here & ~removed
            gone |= removed
    return bool(gone != 0)


@kernel("uint8[:,::1](uint64[:,::1], int64, int64)")
def thin(bits: U64, height: int, width: int) -> U8:
    """The skeleton of packed ridges: 1 on its pixels, shape (height, width)."""
    this, other = bits.copy(), np.zeros_like(bits)
    while True:
        first = peel(this, other, False)
        second = peel(other, this, True)
        if not first and not second:
            break
    out = np.zeros((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            out[y, x] = (this[y + 1, (x >> 6) + 1] >> np.uint64(x & 63)) & np.uint64(1)
    return out


def skeleton(enhanced: F32, area: Mask) -> U8:
    """Skeleton of the ridges of an enhanced image inside the ridge area, shape (height, width)."""
    return thin(pack(enhanced, area.astype(np.uint8)), *enhanced.shape)
