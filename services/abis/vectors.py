"""Vector instructions that Numba has no names for, wrapped once; LLVM turns them into what the processor has.

All take an LLVM builder and values that it has made, and return another such value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils

LANES = 8
"""Numbers of 64 bits in one zmm register."""

_I64 = ir.IntType(64)
external = cast(Callable[..., Any], cgutils.get_or_insert_function)
"""Declares a function of LLVM: from module, type and name."""


def native_popcount(builder: Any, value: Any) -> Any:
    """`llvm.ctpop`: one `vpopcntq` where the processor has it."""
    # llvmlite's own ctpop takes scalars only.
    name = f"llvm.ctpop.v{value.type.count}i64"
    count = external(builder.module, ir.FunctionType(value.type, [value.type]), name)
    return builder.call(count, [value])


def shuffle_popcount(builder: Any, value: Any) -> Any:
    """Popcount of <4 x i64> by table look-up of nibbles (Muła): AVX2 has no instruction for it."""
    byte = ir.VectorType(ir.IntType(8), 32)
    table = ir.Constant(byte, [(k % 16).bit_count() for k in range(32)])
    low = ir.Constant(byte, [15] * 32)
    four = ir.Constant(ir.VectorType(ir.IntType(16), 16), [4] * 16)
    look_up = external(builder.module, ir.FunctionType(byte, [byte, byte]), "llvm.x86.avx2.pshuf.b")
    total = external(builder.module, ir.FunctionType(value.type, [byte, byte]), "llvm.x86.avx2.psad.bw")
    words = builder.bitcast(value, ir.VectorType(ir.IntType(16), 16))
    high = builder.and_(builder.bitcast(builder.lshr(words, four), byte), low)
    lower = builder.and_(builder.bitcast(value, byte), low)
    ones = builder.add(builder.call(look_up, [table, lower]), builder.call(look_up, [table, high]))
    return builder.call(total, [ones, ir.Constant(byte, [0] * 32)])


def minimum(builder: Any, a: Any, b: Any) -> Any:
    """The lesser of each 16-bit lane of two vectors of i64."""
    words = ir.VectorType(ir.IntType(16), a.type.count * 4)
    x, y = builder.bitcast(a, words), builder.bitcast(b, words)
    return builder.bitcast(builder.select(builder.icmp_unsigned("<", x, y), x, y), a.type)


def splat(builder: Any, value: Any, width: int) -> Any:
    """A vector of `width` times the same i64."""
    vector = ir.VectorType(_I64, width)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)
