"""Similarities of cylinders, eight at a time: what `lssr.similarities` computes, several times
faster.

Eight cylinders of one finger are laid side by side, one a lane; a cylinder of the other is compared with all
of them at once, and only sums leave the registers. LLVM makes of it what the processor has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.cylinders import VALID_WORDS, WORDS
from services.abis.kernels import F32, U8, U64, kernel
from services.abis.vectors import LANES, external, native_popcount, splat

_ROWS = WORDS + VALID_WORDS
DISC = 208
"""Cells of the 256 of the square that lie within a cylinder's disc."""


@intrinsic
def _eight(_context: Any, bits: Any, valid: Any, i: Any, lanes: Any, usable: Any, out: Any, at: Any) -> Any:
    """Similarity of cylinder i of bits (n, 20) and valid (n, 4) with eight in lanes (24, 8), of which those
    count that `usable` (8) flags, into eight entries of the flat array out from index `at`.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits_at, valid_at, lanes_at, usable_at, out_at = (
            context.make_array(signature.args[k])(context, builder, arguments[k]).data
            for k in (0, 1, 3, 4, 5)
        )
        word = ir.IntType(64)
        vector = ir.VectorType(word, LANES)
        number = ir.VectorType(ir.FloatType(), LANES)

        def own(data: Any, width: int, k: int) -> Any:
            where = builder.add(builder.mul(arguments[2], ir.Constant(word, width)), ir.Constant(word, k))
            return splat(builder, builder.load(builder.gep(data, [where])), LANES)

        def row(k: int) -> Any:
            there = builder.gep(lanes_at, [ir.Constant(word, k * LANES)])
            return builder.load(builder.bitcast(there, vector.as_pointer()), align=8)

        common, equal, differ = [ir.Constant(vector, [0] * LANES)] * 3
        for w in range(VALID_WORDS):
            both = builder.and_(own(valid_at, VALID_WORDS, w), row(WORDS + w))
            common = builder.add(common, native_popcount(builder, both))
            for layer in range(WORDS // VALID_WORDS):
                k = layer * VALID_WORDS + w
                a, b = own(bits_at, WORDS, k), row(k)
                # A bit is only set where the cell is valid.
                equal = builder.add(equal, native_popcount(builder, builder.and_(a, b)))
                off = builder.and_(builder.xor(a, b), both)
                differ = builder.add(differ, native_popcount(builder, off))
        root = external(builder.module, ir.FunctionType(number, [number]), f"llvm.sqrt.v{LANES}f32")
        # Twice the number of ones in both together, on common cells.
        ones = builder.add(builder.add(differ, equal), equal)
        norm = builder.uitofp(builder.add(ones, ones), number)
        share = builder.call(root, [builder.fdiv(builder.uitofp(differ, number), norm)])
        one, none = ir.Constant(number, [1.0] * LANES), ir.Constant(number, [0.0] * LANES)
        value = builder.fsub(one, share)
        flags = builder.load(builder.bitcast(usable_at, vector.as_pointer()), align=8)
        zero, need = (ir.Constant(vector, [n] * LANES) for n in (0, int(p.COMPARE_MIN_COMMON * DISC)))
        good = builder.and_(
            builder.and_(builder.icmp_unsigned(">=", common, need), builder.icmp_unsigned("!=", flags, zero)),
            builder.fcmp_ordered(">", norm, none),
        )
        there = builder.bitcast(builder.gep(out_at, [arguments[6]]), number.as_pointer())
        builder.store(builder.select(good, value, none), there, align=4)
        return context.get_dummy_value()

    return types.void(bits, valid, i, lanes, usable, out, at), codegen


_compare_eight = cast(Callable[[U64, U64, int, U64, U64, F32, int], None], _eight)


@kernel("float32[:,::1](uint64[:,::1], uint64[:,::1], uint8[::1], uint64[:,::1], uint64[:,::1], uint8[::1])")
def padded(bits_a: U64, valid_a: U64, usable_a: U8, bits_b: U64, valid_b: U64, usable_b: U8) -> F32:
    """`similarities` with columns of zeros up to a multiple of 16."""
    n, m = bits_a.shape[0], bits_b.shape[0]
    width = (m + 2 * LANES - 1) // (2 * LANES) * 2 * LANES
    wide = np.zeros(n * width, np.float32)
    lanes = np.zeros((_ROWS, LANES), np.uint64)
    usable = np.zeros(LANES, np.uint64)
    for start in range(0, m, LANES):
        for lane in range(LANES):
            j = start + lane
            usable[lane] = j < m and usable_b[j]
            if j < m:
                for k in range(WORDS):
                    lanes[k, lane] = bits_b[j, k]
                for k in range(VALID_WORDS):
                    lanes[WORDS + k, lane] = valid_b[j, k]
        for i in range(n):
            if usable_a[i]:
                _compare_eight(bits_a, valid_a, i, lanes, usable, wide, i * width + start)
    return wide.reshape((n, width))


@kernel("float32[:,::1](uint64[:,::1], uint64[:,::1], uint8[::1], uint64[:,::1], uint64[:,::1], uint8[::1])")
def similarities(bits_a: U64, valid_a: U64, usable_a: U8, bits_b: U64, valid_b: U64, usable_b: U8) -> F32:
    """Similarity in [0, 1] of each cylinder of a with each of b, shape (n, m): see
    `lssr.similarities`, from which it differs by rounding (single precision) only.
    """
    return padded(bits_a, valid_a, usable_a, bits_b, valid_b, usable_b)[:, : bits_b.shape[0]].copy()
