"""Huffman codes of a WSQ block to quantized wavelet coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.abis.kernels import I32, U8, kernel

HUFFMAN_LENGTHS = 16
"""Longest code in bits."""
HUFFMAN_VALUES = 256
DAMAGED = -1
"""A code that does not exist, or more coefficients than the image has."""


@dataclass(frozen=True)
class Huffman:
    """A table: how many codes there are of each length from 1 to 16, and what they stand for, in order."""

    lengths: bytes
    values: bytes


def decode_block(codes: bytes, huffman: Huffman, out: I32, filled: int) -> int:
    """Append the coefficients of a block to the `filled` ones in `out`.

    Returns how many there are then, or DAMAGED.
    """
    return int(
        _decode(
            np.array(memoryview(codes)),
            np.array(memoryview(huffman.lengths)),
            np.array(memoryview(huffman.values)),
            out,
            filled,
        )
    )


@kernel("int64(uint8[::1], uint8[::1], uint8[::1], int32[::1], int64)")
def _decode(codes: U8, lengths: U8, values: U8, out: I32, filled: int) -> int:
    """Canonical Huffman codes, first bit first; the block ends where its last bits are no whole code.

    Symbols: 1 to 100 a run of zeros; 107 to 254 the value minus 180; 101 and 102 a positive and a negative
    value of 8 bits, 103 and 104 of 16 bits; 105 and 106 a run of zeros with its length in 8 and 16 bits.
    """
    bits = 8 * len(codes)
    at = 0
    while True:
        code = 0
        first = 0
        index = 0
        symbol = -1
        for length in range(16):
            if at == bits:
                return filled
            code = code << 1 | (int(codes[at >> 3]) >> (7 - (at & 7)) & 1)
            at += 1
            count = int(lengths[length])
            if code - first < count:
                symbol = int(values[index + code - first])
                break
            index += count
            first = (first + count) << 1
        if symbol <= 0 or symbol == 255:
            return DAMAGED
        extra = 0
        if 101 <= symbol <= 106:
            wanted = 8 if symbol in (101, 102, 105) else 16
            if at + wanted > bits:
                return DAMAGED
            for _ in range(wanted):
                extra = extra << 1 | (int(codes[at >> 3]) >> (7 - (at & 7)) & 1)
                at += 1
        run = symbol if symbol <= 100 else extra if symbol in (105, 106) else 0
        if run or symbol in (105, 106):
            if filled + run > len(out):
                return DAMAGED
            for k in range(filled, filled + run):
                out[k] = 0
            filled += run
            continue
        if filled == len(out):
            return DAMAGED
        if symbol > 106:
            out[filled] = symbol - 180
        elif symbol in (101, 103):
            out[filled] = extra
        else:
            out[filled] = -extra
        filled += 1
