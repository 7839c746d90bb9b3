"""Prometheus metrics under the names that gRPC dashboards expect (go-grpc-middleware), on a port of their
own.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from functools import cache
from socketserver import ThreadingMixIn
from threading import Thread
from types import TracebackType
from typing import NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, make_wsgi_app

from services.common.errors import ConfigurationError
from services.common.interceptors import Around, Layer, Look, Method, Surround, status_code

_RPC = ("grpc_type", "grpc_service", "grpc_method")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def code_name(code: grpc.StatusCode) -> str:
    """The label of a status code as Go's gRPC spells it (``OK``, ``NotFound``), which dashboards expect."""
    if code is grpc.StatusCode.OK:
        return "OK"
    if code is grpc.StatusCode.CANCELLED:
        return "Canceled"
    return "".join(word.capitalize() for word in code.name.split("_"))


def outcome(context: grpc.ServicerContext, error: BaseException | None) -> str:
    """The status code's name with which a handled RPC ended, also when the client went away."""
    code = status_code(context)
    if code is None and not context.is_active():
        expired = context.time_remaining() == 0
        code = grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED
    if code is None:
        code = grpc.StatusCode.OK if error is None else grpc.StatusCode.UNKNOWN
    return code_name(code)


class RpcMetrics:
    """The five ``grpc_server_*`` or ``grpc_client_*`` families."""

    def __init__(self, side: str, registry: CollectorRegistry) -> None:
        name = f"grpc_{side}"
        self.started = Counter(f"{name}_started", "RPCs started.", _RPC, registry=registry)
        self.handled = Counter(
            f"{name}_handled", "RPCs completed, by code.", (*_RPC, "grpc_code"), registry=registry
        )
        self.received = Counter(f"{name}_msg_received", "Messages received.", _RPC, registry=registry)
        self.sent = Counter(f"{name}_msg_sent", "Messages sent.", _RPC, registry=registry)
        self.seconds = Histogram(
            f"{name}_handling_seconds",
            "Seconds until an RPC completed.",
            _RPC,
            registry=registry,
            buckets=_BUCKETS,
        )

    def expect(self, methods: Iterable[Method]) -> None:
        """Show these methods at zero, so that the first error is a rise and not a new series."""
        for method in methods:
            labels = _labels(method)
            self.handled.labels(*labels, "OK")
            for family in (self.started, self.received, self.sent, self.seconds):
                family.labels(*labels)


# Calls made by this process to others; every server of the process shows them too.
CLIENT_REGISTRY = CollectorRegistry()
CLIENT = RpcMetrics("client", CLIENT_REGISTRY)


class MetricsLayer(Layer):
    """Counts and times every RPC."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._metrics = RpcMetrics("server", registry)

    def expect(self, methods: Iterable[Method]) -> None:
        """See :meth:`RpcMetrics.expect`."""
        self._metrics.expect(methods)

    def around(self, method: Method) -> Around:
        """From before the first layer to after the last response."""
        labels = _labels(method)
        started = self._metrics.started.labels(*labels)
        seconds = self._metrics.seconds.labels(*labels)
        handled = cache(lambda code: self._metrics.handled.labels(*labels, code))
        return lambda context: _Counted(context, started, seconds, handled)

    def received(self, method: Method) -> Look:
        """Count a request message."""
        received = self._metrics.received.labels(*_labels(method))
        return lambda _: received.inc()

    def sent(self, method: Method) -> Look:
        """Count a response message."""
        sent = self._metrics.sent.labels(*_labels(method))
        return lambda _: sent.inc()


class _Counted(Surround):
    """One RPC, counted and timed."""

    __slots__ = ("_context", "_handled", "_seconds", "_start", "_started")

    def __init__(
        self,
        context: grpc.ServicerContext,
        started: Counter,
        seconds: Histogram,
        handled: Callable[[str], Counter],
    ) -> None:
        self._context = context
        self._started = started
        self._seconds = seconds
        self._handled = handled

    def __enter__(self) -> None:
        self._started.inc()
        self._start = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._seconds.observe(time.perf_counter() - self._start)
        self._handled(outcome(self._context, error)).inc()


class MetricsEndpoint(NamedTuple):
    """A running Prometheus endpoint."""

    server: WSGIServer
    port: int

    def stop(self) -> None:
        """Close the port."""
        self.server.shutdown()
        self.server.server_close()


class _Scrapes(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _ScrapesOverIpv6(_Scrapes):
    address_family = socket.AF_INET6


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """A scrape every few seconds is no news."""


def new_registry() -> CollectorRegistry:
    """A registry for one server: process figures, client calls, and whatever the service registers in it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(CLIENT_REGISTRY)
    return registry


def serve(listen: str, registry: CollectorRegistry) -> MetricsEndpoint:
    """Serve ``registry`` over HTTP at ``listen`` (host:port; port 0 takes a free one)."""
    host, _, port = listen.rpartition(":")
    try:
        kind = _ScrapesOverIpv6 if ":" in host else _Scrapes
        server = make_server(host.strip("[]"), int(port), make_wsgi_app(registry), kind, _Silent)
    except OSError as error:
        raise ConfigurationError(
            f"The metrics port {listen} cannot be opened: {error.strerror}. Set TUNGGAL_METRICS_LISTEN."
        ) from error
    # A short poll keeps the end of a drain short.
    Thread(target=server.serve_forever, args=(0.02,), name="metrics", daemon=True).start()
    return MetricsEndpoint(server, server.server_port)


def _labels(method: Method) -> tuple[str, str, str]:
    return method.type, method.service, method.name
