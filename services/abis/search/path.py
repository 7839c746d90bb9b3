"""Which of the three kernels this processor runs, chosen once at start."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import cast

from llvmlite import binding  # type: ignore[import-untyped]

from services.abis.kernels import I32, U64
from services.abis.search.plain import U16

Score = Callable[[U64, int, I32, U64, U64, U16, bool], None]

NAMES = ("avx512", "avx2", "plain")
_NEEDS = {"avx512": ("avx512vpopcntdq", "avx512bw"), "avx2": ("avx2",), "plain": ()}


def available() -> tuple[str, ...]:
    """Names of the kernels that run on this processor, fastest first."""
    features = binding.get_host_cpu_features()
    return tuple(name for name in NAMES if all(features.get(need, False) for need in _NEEDS[name]))


def load(name: str) -> Score:
    """The kernel of that name. Its module is imported, and so compiled, only here: others may not compile."""
    return cast(Score, importlib.import_module(f"services.abis.search.{name}").score)


@functools.cache
def fastest() -> Score:
    """The kernel that searches use."""
    return load(available()[0])
