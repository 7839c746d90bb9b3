"""Traces and the access log: every RPC has a W3C trace id, in its log lines and in the calls it makes.

``traceparent`` follows W3C Trace Context level 1. There is no dependency on OpenTelemetry:
a process that has it passes a hook to ``ServerBuilder.trace_with``, which then surrounds every RPC.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType

import grpc
from structlog.contextvars import bind_contextvars, reset_contextvars
from structlog.typing import FilteringBoundLogger

from services.common.errors import Unauthenticated
from services.common.identity import caller
from services.common.interceptors import Around, Layer, Method, Surround
from services.common.logs import get_logger
from services.common.metrics import outcome

HEADER = "traceparent"
_PATTERN = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


# Of version 00; a later version may append fields.
_LENGTH = 55


@dataclass(frozen=True)
class Trace:
    """A span's place: the trace it belongs to (32 hex digits), its own id (16), and the caller's flags."""

    trace_id: str
    span_id: str
    flags: str = "01"

    @property
    def header(self) -> str:
        """The value of ``traceparent`` for calls made within this span."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    def child(self) -> Trace:
        """A new span of the same trace."""
        return Trace(self.trace_id, secrets.token_hex(8), self.flags)


Hook = Callable[[Method, Trace, Trace | None], AbstractContextManager[None]]

_current: ContextVar[Trace | None] = ContextVar("tunggal_trace", default=None)


def current() -> Trace | None:
    """The span that this thread works in, if it handles an RPC."""
    return _current.get()


def parse(header: str) -> Trace | None:
    """The trace named by a ``traceparent`` header; ``None`` when it is not well-formed."""
    match = _PATTERN.fullmatch(header)
    if match and header.startswith("00") and len(header) != _LENGTH:
        return None
    return Trace(match[1], match[2], match[3]) if match else None


class TracingLayer(Layer):
    """Continues or starts a trace for each RPC and binds it to the log."""

    def __init__(self, hook: Hook | None = None) -> None:
        self._hook = hook

    def around(self, method: Method) -> Around:
        """The whole RPC is one span."""
        hook = self._hook
        if hook is None:
            return lambda context: _Spanned(_span(_parent(context)), method.full_name)

        @contextmanager
        def hooked(context: grpc.ServicerContext) -> Iterator[None]:
            parent = _parent(context)
            span = _span(parent)
            with _Spanned(span, method.full_name), hook(method, span, parent):
                yield

        return hooked


class _Spanned(Surround):
    """One RPC as a span."""

    __slots__ = ("_bound", "_rpc", "_span", "_token")

    def __init__(self, span: Trace, rpc: str) -> None:
        self._span = span
        self._rpc = rpc

    def __enter__(self) -> None:
        self._token = _current.set(self._span)
        self._bound = bind_contextvars(trace_id=self._span.trace_id, rpc=self._rpc)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reset_contextvars(**self._bound)
        _current.reset(self._token)


class AccessLogLayer(Layer):
    """Writes one line when an RPC ends: who called, how it ended, how long it took."""

    def around(self, method: Method) -> Around:
        """Within the span, so that the line bears its trace."""
        log = get_logger().bind()
        return lambda context: _Logged(context, log)


class _Logged(Surround):
    """One RPC with a line in the log."""

    __slots__ = ("_context", "_log", "_start")

    def __init__(self, context: grpc.ServicerContext, log: FilteringBoundLogger) -> None:
        self._context = context
        self._log = log

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.info(
            "rpc",
            caller=_caller(self._context),
            code=outcome(self._context, error),
            ms=round((time.perf_counter() - self._start) * 1000, 2),
        )


def _span(parent: Trace | None) -> Trace:
    return parent.child() if parent else Trace(secrets.token_hex(16), secrets.token_hex(8))


def _parent(context: grpc.ServicerContext) -> Trace | None:
    for key, value in context.invocation_metadata() or ():
        if key == HEADER and isinstance(value, str):
            return parse(value)
    return None


def _caller(context: grpc.ServicerContext) -> str:
    try:
        return caller(context)
    except Unauthenticated:
        return "unknown"
