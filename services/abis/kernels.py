"""How every numerical kernel of this service is compiled, and the array types they speak.

The flags are literals in this one place: Numba's disk cache does not notice a changed flag, so they must
never depend on configuration. `nogil` lets the threads of the RPC server compare templates side by side;
without it one search blocks the health check. Signatures are explicit, so importing a module compiles its
kernels (once a machine, then from the disk cache) and no request ever pays for that.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import config, types
from numba.extending import intrinsic
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I8 = NDArray[np.int8]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]

numba_types: Any = types
"""Numba's types, for signatures that no string can spell."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PACKAGE = "services.abis"


_ROOT = Path(__file__).parents[2]
_CACHE = Path(cast(Any, config).CACHE_DIR or Path(__file__).parent / "__pycache__")


@functools.cache
def _sources(module: str) -> frozenset[Path]:
    """Files of a module and of all modules of this package that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _ROOT.joinpath(*name.split(".")).with_suffix(".py")
        if path in found or not path.is_file():
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_PACKAGE):
                # What is imported may be a module of the package or a name of the module.
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return frozenset(found)


@functools.cache
def _cache_directory(module: str) -> str:
    """Where the compiled kernels of a module are kept: named by the sources that they are made of.

    By itself Numba's cache sees a change of the file that holds a kernel, but neither of the kernels it calls
    nor of the constants it takes from other files: it would go on using those as they were.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(_sources(module)):
        digest.update(path.read_bytes())
    return str(_CACHE / f"kernels-{digest.hexdigest()[:16]}")


def kernel(*signatures: Any) -> Callable[[_Function], _Function]:
    """Compile a function for the given signatures (strings or Numba's types), without GIL, cached on disk.

    Sums may be reassociated (that is what lets LLVM use vector registers); NaN and infinity keep their
    meaning.
    """

    def compile_(function: _Function) -> _Function:
        settings: Any = config
        before, settings.CACHE_DIR = settings.CACHE_DIR, _cache_directory(function.__module__)
        try:
            compiled = numba.njit(
                list(signatures),
                nogil=True,
                cache=True,
                fastmath={"reassoc", "contract", "nsz"},
            )(function)
        finally:
            settings.CACHE_DIR = before
        return cast(_Function, compiled)

    return compile_


@intrinsic
def _ctpop(_typing_context: Any, value: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), codegen


@intrinsic
def _ctpop_short(_typing_context: Any, value: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint16(types.uint16), codegen


popcount_short = cast(Callable[[Any], Any], _ctpop_short)
"""Number of one bits of a uint16: loops over it fill registers with four times as many."""
popcount = cast(Callable[[Any], Any], _ctpop)
"""Number of one bits of a uint64, as one machine instruction (`llvm.ctpop`)."""
