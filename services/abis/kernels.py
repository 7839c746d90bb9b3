"""How every numerical kernel of this service is compiled, and the array types they speak.

The flags are literals in this one place: Numba's disk cache does not notice a changed flag, so they must
never depend on configuration. `nogil` lets the threads of the RPC server compare templates side by side;
without it one search blocks the health check. Signatures are explicit, so importing a module compiles its
kernels (once a machine, then from the disk cache) and no request ever pays for that.
"""

from __future__ import annotations

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
U64 = NDArray[np.uint64]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _cache_by_content() -> None:
    """Keep compiled kernels under a name made of the sources of all of them.

    By itself Numba's cache sees a change of the file that holds a kernel, but not of the kernels it calls in
    other files: it would go on using those as they were.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        source = path.read_bytes()
        if b"@kernel(" in source or b"@intrinsic" in source:
            digest.update(source)
    settings: Any = config
    base = Path(settings.CACHE_DIR or Path(__file__).parent / "__pycache__")
    settings.CACHE_DIR = str(base / f"kernels-{digest.hexdigest()[:16]}")


_cache_by_content()


def kernel(*signatures: str) -> Callable[[_Function], _Function]:
    """Compile a function for the given Numba signatures, releasing the GIL, cached on disk.

    Sums may be reassociated (that is what lets LLVM use vector registers); NaN and infinity keep their
    meaning.
    """

    def compile_(function: _Function) -> _Function:
        compiled = numba.njit(
            list(signatures),
            nogil=True,
            cache=True,
            fastmath={"reassoc", "contract", "nsz"},
        )(function)
        return cast(_Function, compiled)

    return compile_


@intrinsic
def _ctpop(_typing_context: Any, value: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), codegen


popcount = cast(Callable[[Any], Any], _ctpop)
"""Number of one bits of a uint64, as one machine instruction (`llvm.ctpop`)."""
