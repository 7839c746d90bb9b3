"""Calls of the demo: measured, and repeated with the same request until a service that died is back."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc

from services.common.errors import TunggalError, remote_error

T = TypeVar("T")

PATIENCE_SECONDS = 180.0
_PAUSE_SECONDS = 0.2

# What a client sees when its server is killed. Requests carry a request_id, so sending them again is safe.
_GONE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED})
# These mean the same only where no server of ours has said why.
_GONE_IF_BARE = frozenset({grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL})


def patiently(call: Callable[[], T], patience: float = PATIENCE_SECONDS) -> T:
    """`call()`, again and again while its service is away; any other error is raised as the typed one.

    Args:
        call: sends the same request each time.
        patience: seconds after which the service counts as lost.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return call()
        except grpc.RpcError as error:
            if not is_gone(error) or time.monotonic() > deadline:
                raise remote_error(error) from error
        except TunggalError as error:
            if error.code not in _GONE or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)


def is_gone(error: grpc.RpcError) -> bool:
    """Whether the error says that the service is away for now, not that it refuses."""
    fault = remote_error(error)
    return fault.code in _GONE or (fault.code in _GONE_IF_BARE and not fault.domain)


class Stopwatch(grpc.UnaryUnaryClientInterceptor, grpc.StreamUnaryClientInterceptor):
    """Measures answered calls at the client, by method; a call that ended in an error counts as none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def watch(self, channel: grpc.Channel) -> grpc.Channel:
        """The channel with this watch on its unary answers."""
        return grpc.intercept_channel(channel, self)

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Interceptor of calls with one request."""
        return self._measured(continuation, client_call_details, request)

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        """Interceptor of calls that send a stream."""
        return self._measured(continuation, client_call_details, request_iterator)

    def _measured(self, continuation: Any, details: Any, request: Any) -> Any:
        start = time.perf_counter()
        answer = continuation(details, request)
        answer.add_done_callback(lambda done: self._note(details.method, time.perf_counter() - start, done))
        return answer

    def _note(self, method: str, seconds: float, done: Any) -> None:
        if done.code() is grpc.StatusCode.OK:
            with self._lock:
                self._seconds[method.rpartition("/")[2]].append(seconds)

    def summary(self) -> dict[str, dict[str, float]]:
        """Count, p50 and p99 in milliseconds by method, slowest median first."""
        with self._lock:
            measured = {method: sorted(values) for method, values in self._seconds.items()}
        rows = {
            method: {
                "count": len(values),
                "p50_ms": round(percentile(values, 50) * 1000, 2),
                "p99_ms": round(percentile(values, 99) * 1000, 2),
            }
            for method, values in measured.items()
        }
        return dict(sorted(rows.items(), key=lambda row: -row[1]["p50_ms"]))


def percentile(ascending: list[float], percent: float) -> float:
    """The nearest-rank percentile of a list in ascending order."""
    rank = max(1, -(-len(ascending) * percent // 100))
    return ascending[int(rank) - 1]


def chunks(content: bytes, size: int) -> Iterator[bytes]:
    """`content` in pieces of at most `size` bytes."""
    for start in range(0, len(content), size):
        yield content[start : start + size]
