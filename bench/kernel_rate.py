"""How fast the first-stage kernel is, and how fast it could be: the same arithmetic without a gallery."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

from services.abis.kernels import U64, kernel
from services.abis.search import path
from services.abis.vectors import LANES, minimum, native_popcount, splat

CODES = 36
"""Codes of either finger: the figure that others report is for 36 x 36."""
_AT_ONCE = 12
_ROUNDS = 15


@intrinsic
def _arithmetic(_context: Any, codes: Any, many: Any) -> Any:
    """The innermost loop of the kernel, `many` times, with the loop's counter in place of a gallery."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        word = ir.IntType(64)
        probe = [
            splat(builder, builder.load(builder.gep(data, [ir.Constant(word, k)])), LANES)
            for k in range(_AT_ONCE)
        ]
        variable = cast(Callable[..., Any], cgutils.alloca_once)
        least = [variable(builder, code.type) for code in probe]
        for slot, code in zip(least, probe, strict=True):
            builder.store(code, slot)
        with cgutils.for_range(builder, arguments[1]) as loop:
            row = splat(builder, loop.index, LANES)
            for slot, code in zip(least, probe, strict=True):
                distance = native_popcount(builder, builder.xor(row, code))
                builder.store(minimum(builder, distance, builder.load(slot)), slot)
        total = builder.load(least[0])
        for slot in least[1:]:
            total = builder.add(total, builder.load(slot))
        lane = ir.IntType(32)
        words = [builder.extract_element(total, ir.Constant(lane, k)) for k in range(LANES)]
        result = words[0]
        for one in words[1:]:
            result = builder.add(result, one)
        return result

    return types.uint64(codes, many), codegen


_loop = cast(Callable[[U64, int], int], _arithmetic)


@kernel("uint64(uint64[::1], int64)")
def _spin(codes: U64, many: int) -> int:
    return int(_loop(codes, many))


@dataclass(frozen=True)
class KernelRate:
    """name: of the kernel. fingers_per_second: on one core, 36 x 36 codes. ceiling: the same, were there
    nothing but XOR, popcount and minimum between registers.
    """

    name: str
    fingers_per_second: float
    ceiling: float


def measure() -> KernelRate:
    """Both rates, in turns, best of many: what else runs on the machine slows both."""
    score = path.fastest()
    rng = np.random.default_rng(1)
    probe = rng.integers(0, 2**64, CODES, dtype=np.uint64)
    limits = np.full(CODES, 20, np.uint64)
    groups, rounds, spins = 64, 400, 1_000_000
    rows = rng.integers(0, 2**64, (groups * CODES, LANES), dtype=np.uint64)
    owners = np.arange(groups * LANES, dtype=np.int32)
    sums = np.zeros(owners.size, np.uint16)
    _spin(probe, 1)
    rate = ceiling = 0.0
    for _ in range(_ROUNDS):
        start = time.thread_time()
        for _ in range(rounds):
            score(rows, CODES, owners, probe, limits, sums, True)
        between = time.thread_time()
        _spin(probe, spins)
        end = time.thread_time()
        rate = max(rate, rounds * owners.size / (between - start))
        ceiling = max(ceiling, spins * LANES * _AT_ONCE / CODES**2 / (end - between))
    return KernelRate(path.available()[0], rate, ceiling)
