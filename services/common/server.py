"""One builder for every service's server, after Let's Encrypt's boulder: settings in, a running mTLS server
out.

The layers around each RPC are always the same, outermost first: metrics, tracing, access log, identity and
allow-list, deadline, validation, error translation.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, NoReturn, Self

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from services.common import logs, metrics, signals, tls
from services.common.client import channel
from services.common.clock import Clock
from services.common.deadline import DeadlineLayer
from services.common.errors import ConfigurationError, TunggalError
from services.common.identity import IdentityLayer
from services.common.interceptors import Method, Pipeline
from services.common.metrics import MetricsLayer
from services.common.settings import ServiceSettings
from services.common.tracing import AccessLogLayer, Hook, TracingLayer
from services.common.translation import TranslationLayer
from services.common.validation import ValidationLayer, compile_rules

# The health of this name tells whether the process should be restarted; that of "" whether it should get
# work.
LIVENESS = "liveness"
_UNDER_GRPC = frozenset({health.SERVICE_NAME, reflection.SERVICE_NAME})
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

_log = logs.get_logger()


class _Service(NamedTuple):
    descriptor: ServiceDescriptor
    register: Callable[[Any, grpc.Server], None]
    servicer: object
    allow: Mapping[str, frozenset[str]]


class ServerBuilder:
    """Collects what a service consists of; :meth:`build` checks that it fits together."""

    def __init__(self, settings: ServiceSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        # Now and not at the start: what is built next may open channels to other services.
        if settings.dev_ca:
            tls.ensure_dev_ca(settings.tls_dir, settings.trust_domain)
        # For the service's own metrics, shown beside those of its RPCs.
        self.registry: CollectorRegistry = metrics.new_registry()
        # Set when the server begins to drain: streams that wait for news end then.
        self.stopping = threading.Event()
        self._services: list[_Service] = []
        self._background: list[tuple[str, Callable[[threading.Event], None]]] = []
        self._on_start: list[Callable[[], None]] = []
        self._on_close: list[Callable[[], None]] = []
        self._hook: Hook | None = None

    def add(
        self,
        service_descriptor: ServiceDescriptor,
        register: Callable[[Any, grpc.Server], None],
        servicer: object,
        allow: Mapping[str, frozenset[str]],
    ) -> Self:
        """Serve ``servicer``. ``register`` is the generated ``add_XxxServiceServicer_to_server``; ``allow``
        names for **each** method the SPIFFE paths (fnmatch patterns such as ``operator/*``) that may call
        it.
        """
        self._services.append(_Service(service_descriptor, register, servicer, allow))
        return self

    def on_start(self, fn: Callable[[], None]) -> Self:
        """Run ``fn`` before the port opens and health says SERVING: migrations, loading a gallery. May be
        slow.
        """
        self._on_start.append(fn)
        return self

    def background(self, name: str, start: Callable[[threading.Event], None]) -> Self:
        """Run ``start(stop)`` in a thread of its own once the server serves; it returns soon after ``stop``
        is set.

        If it raises, the error is logged and health turns to NOT_SERVING: the process wants a restart.
        """
        self._background.append((name, start))
        return self

    def on_close(self, fn: Callable[[], None]) -> Self:
        """Run ``fn`` after the last RPC and the last background thread have ended; last registered, first
        run.
        """
        self._on_close.append(fn)
        return self

    def peer(self, service: str, endpoint: str) -> grpc.Channel:
        """A channel to another service, in the name of this one; it is closed with the server."""
        own = self.settings
        opened = channel(endpoint, own.tls_dir, own.service, own.trust_domain, server=service)
        self.on_close(opened.close)
        return opened

    def trace_with(self, hook: Hook) -> Self:
        """Surround every RPC with ``hook(method, span, parent)``, say to make an OpenTelemetry span of it."""
        self._hook = hook
        return self

    def build(self) -> RunningServer:
        """A server ready to start. Raises :class:`ConfigurationError` on a method without an allow-list
        entry, an entry without a method, or a validation rule that does not compile.
        """
        if not self._services:
            raise ConfigurationError("A server needs at least one service.")
        allow: dict[str, frozenset[str]] = {}
        for service in self._services:
            known = {method.name for method in service.descriptor.methods}
            wrong = known.symmetric_difference(service.allow)
            if wrong:
                raise ConfigurationError(
                    f"The allow-list of {service.descriptor.full_name} and its methods differ in: "
                    f"{', '.join(sorted(wrong))}."
                )
            for method in service.descriptor.methods:
                compile_rules(method)
                allow[f"/{service.descriptor.full_name}/{method.name}"] = frozenset(
                    service.allow[method.name]
                )
        return RunningServer(self, allow)

    def _methods(self) -> list[Method]:
        return [
            Method(
                f"/{service.descriptor.full_name}/{method.name}",
                method.client_streaming,
                method.server_streaming,
            )
            for service in self._services
            for method in service.descriptor.methods
        ]


class RunningServer:
    """A server made by :class:`ServerBuilder`: start it, wait, stop it."""

    def __init__(self, builder: ServerBuilder, allow: Mapping[str, frozenset[str]]) -> None:
        self._builder = builder
        self._settings = builder.settings
        domain = f"tunggal.{self._settings.service}"
        counting = MetricsLayer(builder.registry)
        counting.expect(builder._methods())
        self._pipeline = Pipeline(
            (
                counting,
                TracingLayer(builder._hook),
                AccessLogLayer(),
                IdentityLayer(self._settings.trust_domain, allow, domain),
                DeadlineLayer(domain),
                ValidationLayer(),
                TranslationLayer(domain),
            ),
            domain,
            exempt=_UNDER_GRPC,
        )
        self._health = health.HealthServicer()
        self._names = ["", *(service.descriptor.full_name for service in builder._services)]
        self._pool = ThreadPoolExecutor(self._settings.workers, thread_name_prefix="rpc")
        self._health_pool = ThreadPoolExecutor(2, thread_name_prefix="health")
        self._server: grpc.Server | None = None
        self._health_server: grpc.Server | None = None
        self._metrics: metrics.MetricsEndpoint | None = None
        self._crashed = threading.Event()
        self._stop_lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self.port = 0
        self.health_port = 0
        self.metrics_port = 0

    def start(self) -> Self:
        """Open the health and metrics ports, run the start hooks, then serve. Ports are known afterwards.

        Raises :class:`ConfigurationError` when a port is taken or a certificate is missing.
        """
        try:
            self._start()
        except BaseException:
            self.stop(grace=0)
            raise
        return self

    def stop(self, grace: float | None = None) -> None:
        """Drain: health says NOT_SERVING, new RPCs are refused, those in flight get ``grace`` seconds
        (``drain_seconds`` unless given), background threads are told to stop, then everything closes.
        Idempotent.
        """
        with self._stop_lock:
            if self._stopped.is_set():
                return
            grace = self._settings.drain_seconds if grace is None else grace
            until = time.monotonic() + grace
            self._set_health(_NOT_SERVING)
            self._builder.stopping.set()
            if self._server is not None:
                self._server.stop(grace).wait()
            self._pool.shutdown(wait=False, cancel_futures=True)
            for thread in self._threads:
                thread.join(max(until - time.monotonic(), 0.1))
            for fn in reversed(self._builder._on_close):
                try:
                    fn()
                except Exception:
                    _log.exception("close_hook_failed")
            if self._health_server is not None:
                self._health_server.stop(0).wait()
            self._health_pool.shutdown(wait=False, cancel_futures=True)
            if self._metrics is not None:
                self._metrics.stop()
            self._stopped.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until :meth:`stop` has finished; whether it has."""
        return self._stopped.wait(timeout)

    def unfinished(self) -> list[str]:
        """Names of background threads that did not end with the drain."""
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _start(self) -> None:
        settings = self._settings
        self._set_health(_NOT_SERVING)
        self._health.set(LIVENESS, _SERVING)
        if settings.health_listen:
            self._health_server = grpc.server(self._health_pool, options=[("grpc.so_reuseport", 0)])
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._health_server)
            self.health_port = _bind(
                self._health_server, settings.health_listen, None, "TUNGGAL_HEALTH_LISTEN"
            )
            self._health_server.start()
        if settings.metrics_listen:
            self._metrics = metrics.serve(settings.metrics_listen, self._builder.registry)
            self.metrics_port = self._metrics.port
        credentials = tls.server_credentials(settings)
        for hook in self._builder._on_start:
            hook()
        self._server = self._make_server()
        self.port = _bind(self._server, settings.listen, credentials, "TUNGGAL_LISTEN")
        self._server.start()
        for name, work in self._builder._background:
            thread = threading.Thread(target=self._run_background, args=(name, work), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._set_health(_SERVING)

    def _make_server(self) -> grpc.Server:
        server = grpc.server(
            self._pool,
            interceptors=[self._pipeline],
            options=[
                ("grpc.max_receive_message_length", self._settings.max_message_bytes),
                # Two processes on one port would share its calls silently.
                ("grpc.so_reuseport", 0),
                ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
                ("grpc.keepalive_time_ms", 120_000),
                ("grpc.keepalive_timeout_ms", 20_000),
            ],
        )
        for service in self._builder._services:
            service.register(service.servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection([*self._names[1:], *_UNDER_GRPC], server)
        return server

    def _run_background(self, name: str, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self._builder.stopping)
        except Exception:
            _log.exception("background_crashed", thread=name)
            self._crashed.set()
            self._set_health(_NOT_SERVING)
            self._health.set(LIVENESS, _NOT_SERVING)

    def _set_health(self, status: int) -> None:
        # A thread may crash before the start has ended.
        if self._crashed.is_set():
            status = _NOT_SERVING
        for name in self._names:
            self._health.set(name, status)


def run(builder: ServerBuilder | Callable[[], ServerBuilder]) -> NoReturn:
    """The main function of a service: start, log one ``ready`` line with the bound ports, drain on SIGTERM or
    SIGINT.

    Given a function that builds, it tells what keeps it from building in one line, as it does for the start.
    """
    wait_for_signal = signals.watch()
    try:
        builder = builder if isinstance(builder, ServerBuilder) else builder()
        logs.configure(builder.settings)
        server = builder.build().start()
    except (ConfigurationError, TunggalError, ValidationError, OSError) as error:
        sys.exit(f"cannot start: {error}")
    _log.info("ready", port=server.port, health_port=server.health_port, metrics_port=server.metrics_port)
    wait_for_signal()
    _log.info("draining", seconds=builder.settings.drain_seconds)
    server.stop()
    _log.info("stopped", unfinished=server.unfinished())
    sys.stdout.flush()
    # A handler or thread that outlived the drain would keep the process for ever. What it had acknowledged is
    # committed, so leaving it behind is no worse than a kill.
    os._exit(0)


def _bind(server: grpc.Server, listen: str, credentials: grpc.ServerCredentials | None, variable: str) -> int:
    try:
        if credentials is None:
            return server.add_insecure_port(listen)
        return server.add_secure_port(listen, credentials)
    except RuntimeError as error:
        raise ConfigurationError(
            f"The port {listen} cannot be opened; is it taken? Set {variable}."
        ) from error
