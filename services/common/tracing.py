"""Traces and the access log: every RPC has a W3C trace id, in its log lines and in the calls it makes.

``traceparent`` follows W3C Trace Context level 1. There is no dependency on OpenTelemetry:
a process that has it passes a hook to ``ServerBuilder.trace_with``, which then surrounds every RPC.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass

import grpc
import structlog

from services.common.errors import Unauthenticated
from services.common.identity import caller
from services.common.interceptors import Layer, Method
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
_log = get_logger()


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
    """Continues or starts a trace, binds it to the log, and writes one access line when the RPC ends."""

    def __init__(self, hook: Hook | None = None) -> None:
        self._hook = hook

    @contextmanager
    def around(self, method: Method, context: grpc.ServicerContext) -> Iterator[None]:
        """The whole RPC is one span."""
        parent = _parent(context)
        span = parent.child() if parent else Trace(secrets.token_hex(16), secrets.token_hex(8))
        token = _current.set(span)
        start = time.perf_counter()
        error: BaseException | None = None
        try:
            with (
                structlog.contextvars.bound_contextvars(trace_id=span.trace_id, rpc=method.full_name),
                self._hook(method, span, parent) if self._hook else nullcontext(),
            ):
                try:
                    yield
                except BaseException as raised:
                    error = raised
                    raise
                finally:
                    _log.info(
                        "rpc",
                        caller=_caller(context),
                        code=outcome(context, error),
                        ms=round((time.perf_counter() - start) * 1000, 2),
                    )
        finally:
            _current.reset(token)


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
