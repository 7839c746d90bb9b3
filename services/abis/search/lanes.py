"""The nearest code to each probe code, by vector instructions that Numba has no names for.

A *row* is one zmm register or eight uint64 in memory: one 64-bit code of each of eight fingers. All functions
made here read rows and keep, for every probe code and every finger, the least Hamming distance seen so far in
registers. The minimum is taken over 16-bit lanes because that instruction does not compete with the popcount
for the same execution port; distances of 64-bit codes fill the lowest 16 bits of each 64 only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

from services.abis.vectors import LANES, external, minimum, splat

AHEAD = 128
"""Rows between the one being read and the one asked for: hardware prefetchers stop at every page of 4 kB."""

_I64 = ir.IntType(64)
_variable = cast(Callable[..., Any], cgutils.alloca_once)
Popcount = Callable[[Any, Any], Any]
"""From a builder and a vector of i64 to the vector of their numbers of one bits."""


def prefetch(builder: Any, there: Any) -> None:
    """Ask for a cache line of the stream; addresses behind the end of the array do no harm."""
    pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
    prefetch = external(builder.module, kind, "llvm.prefetch.p0i8")
    read, near, data = (ir.Constant(number, k) for k in (0, 3, 1))
    builder.call(prefetch, [builder.bitcast(there, pointer), read, near, data])


@intrinsic
def _ask_for(_context: Any, array: Any, at: Any) -> Any:
    """Fetch the cache line of element `at` of a flat array ahead of its use."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        prefetch(builder, builder.gep(data, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(array, at), codegen


ask_for = cast(Callable[[Any, int], None], _ask_for)


def nearest(probes: int, width: int, popcount: Popcount) -> Callable[..., None]:
    """An intrinsic for `probes` probe codes on vectors of `width` lanes (4 or 8).

    The intrinsic is called as f(rows, first, count, codes, limits, at, out):

    rows: uint64 (r, 8), of which [first, first + count) are read. codes, limits: uint64 (n), of which
    [at, at + probes) are used: the probe's codes, and the value at which each minimum starts.
    out: uint64 (8), to which the minima are added, summed over the probe codes.
    """

    @intrinsic
    def call(
        _context: Any, rows: Any, first: Any, count: Any, codes: Any, limits: Any, at: Any, out: Any
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointers = [
                context.make_array(signature.args[k])(context, builder, arguments[k]).data
                for k in (0, 3, 4, 6)
            ]
            _, start, many, _, _, offset, _ = arguments
            vector = ir.VectorType(_I64, width)
            base, code, limit, sums = pointers
            wanted = [builder.add(offset, ir.Constant(_I64, k)) for k in range(probes)]
            for half in range(LANES // width):
                probe = [splat(builder, builder.load(builder.gep(code, [k])), width) for k in wanted]
                least = []
                for k in wanted:
                    slot = _variable(builder, vector)
                    builder.store(splat(builder, builder.load(builder.gep(limit, [k])), width), slot)
                    least.append(slot)
                with cgutils.for_range(builder, many) as loop:
                    row = builder.add(start, loop.index)
                    word = builder.add(
                        builder.mul(row, ir.Constant(_I64, LANES)), ir.Constant(_I64, half * width)
                    )
                    there = builder.bitcast(builder.gep(base, [word]), vector.as_pointer())
                    value = builder.load(there, align=8)
                    prefetch(
                        builder, builder.gep(base, [builder.add(word, ir.Constant(_I64, AHEAD * LANES))])
                    )
                    for code_here, slot in zip(probe, least, strict=True):
                        distance = popcount(builder, builder.xor(value, code_here))
                        builder.store(minimum(builder, distance, builder.load(slot)), slot)
                there = builder.gep(sums, [ir.Constant(_I64, half * width)])
                there = builder.bitcast(there, vector.as_pointer())
                total = builder.load(there, align=8)
                for slot in least:
                    total = builder.add(total, builder.load(slot))
                builder.store(total, there, align=8)
            return context.get_dummy_value()

        return types.void(rows, first, count, codes, limits, at, out), codegen

    return cast(Callable[..., None], call)
