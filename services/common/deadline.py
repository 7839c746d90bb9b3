"""Deadlines: refuse work that cannot be finished in time, and tell handlers and their own calls what is left.

As in Let's Encrypt's boulder, the server keeps a little of each deadline for itself, so that its answer still
arrives.
"""

from __future__ import annotations

import math
import time
from contextvars import ContextVar, Token
from types import TracebackType

import grpc

from services.common.errors import DeadlineExceeded, abort
from services.common.interceptors import Around, Layer, Method, Surround

RESERVE_SECONDS = 0.020
LEAST_SECONDS = 0.100
# gRPC tells "no deadline" as a moment centuries away.
_NEVER_SECONDS = 10 * 365 * 86400.0

_until: ContextVar[float] = ContextVar("tunggal_deadline", default=math.inf)


def time_left(context: grpc.ServicerContext | None = None) -> float:
    """Seconds that the handler of the current RPC may still spend; ``math.inf`` without a deadline.

    Without ``context`` it is the RPC that this thread handles.
    """
    if context is None:
        return max(_until.get() - time.monotonic(), 0.0)
    remaining = context.time_remaining()
    if remaining > _NEVER_SECONDS:
        return math.inf
    return max(remaining - RESERVE_SECONDS, 0.0)


class DeadlineLayer(Layer):
    """Refuses an RPC that has less than 100 ms left: its answer would come too late, its work would be for
    nothing.
    """

    def __init__(self, domain: str) -> None:
        self._domain = domain

    def around(self, method: Method) -> Around:
        """Refuse, or let the handler's thread know the time it has."""

        def check(context: grpc.ServicerContext) -> _Until:
            left = time_left(context)
            if left + RESERVE_SECONDS < LEAST_SECONDS:
                error = DeadlineExceeded(
                    "DEADLINE_TOO_SHORT",
                    f"{method.name} was given less than {LEAST_SECONDS * 1000:.0f} ms.",
                    remedy="Give the call more time; if it had more, the server is overloaded.",
                )
                abort(context, error, self._domain)
            return _Until(time.monotonic() + left)

        return check


class _Until(Surround):
    """The thread's RPC has time until ``moment``."""

    __slots__ = ("_moment", "_token")

    def __init__(self, moment: float) -> None:
        self._moment = moment
        self._token: Token[float]

    def __enter__(self) -> None:
        self._token = _until.set(self._moment)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _until.reset(self._token)
