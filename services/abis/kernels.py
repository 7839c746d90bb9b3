"""How every numerical kernel of this service is compiled, and the array types they speak.

The flags are literals in this one place: Numba's disk cache does not notice a changed flag, so they must
never depend on configuration. `nogil` lets the threads of the RPC server compare templates side by side;
without it one search blocks the health check. Signatures are explicit, so importing a module compiles its
kernels (once a machine, then from the disk cache) and no request ever pays for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types
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
