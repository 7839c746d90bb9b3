"""A line of pixels at any angle out of an image of one bit a pixel: sixteen memory look-ups in one
instruction where the processor has it, wrapped once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

from services.abis.kernels import U32

PIXELS = 16
"""Pixels of a line."""

_declare = cast(Callable[..., Any], cgutils.get_or_insert_function)
_NUMBER, _LONG = ir.IntType(32), ir.IntType(64)
_FLOATS, _NUMBERS, _LONGS, _FLAGS = (
    ir.VectorType(kind, PIXELS) for kind in (ir.FloatType(), _NUMBER, _LONG, ir.IntType(1))
)


def _everywhere(builder: Any, value: Any) -> Any:
    """A vector of the same value."""
    vector = ir.VectorType(value.type, PIXELS)
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(_NUMBER, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(_NUMBERS, [0] * PIXELS))


@intrinsic
def _line(_context: Any, words: Any, width: Any, x: Any, y: Any, cos: Any, sin: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        # The first pixel becomes the highest bit, so it goes into the last entry.
        steps = ir.Constant(_FLOATS, [float(k) for k in reversed(range(PIXELS))])
        at_x, at_y = (
            builder.fptosi(
                builder.fadd(
                    _everywhere(builder, arguments[start]),
                    builder.fmul(steps, _everywhere(builder, arguments[step])),
                ),
                _NUMBERS,
            )
            for start, step in ((2, 4), (3, 5))
        )
        row = builder.mul(at_y, _everywhere(builder, arguments[1]))
        word = builder.add(row, builder.ashr(at_x, ir.Constant(_NUMBERS, [5] * PIXELS)))
        offset = builder.shl(builder.zext(word, _LONGS), ir.Constant(_LONGS, [2] * PIXELS))
        address = builder.add(_everywhere(builder, builder.ptrtoint(data, _LONG)), offset)
        pointers = ir.VectorType(data.type, PIXELS)
        kind = ir.FunctionType(_NUMBERS, [pointers, _NUMBER, _FLAGS, _NUMBERS])
        gather = _declare(builder.module, kind, "llvm.masked.gather.v16i32.v16p0")
        none = ir.Constant(_NUMBERS, [0] * PIXELS)
        everything = ir.Constant(_FLAGS, [True] * PIXELS)
        found = builder.call(
            gather, [builder.inttoptr(address, pointers), ir.Constant(_NUMBER, 4), everything, none]
        )
        # The pixel's bit, moved to where the sign is.
        bit = builder.and_(at_x, ir.Constant(_NUMBERS, [31] * PIXELS))
        return builder.bitcast(builder.icmp_signed("<", builder.shl(found, bit), none), ir.IntType(PIXELS))

    return types.uint16(words, width, x, y, cos, sin), codegen


line = cast(Callable[[U32, Any, np.float32, np.float32, np.float32, np.float32], Any], _line)
"""PIXELS pixels as a uint16, the first one highest, from (x, y) on in steps of (cos, sin).

words: flat uint32, 32 pixels each from the highest bit on. width: int32, words of a row of the image. x, y,
cos, sin: float32; every pixel has to lie within the image.
"""
