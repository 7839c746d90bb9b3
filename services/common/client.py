"""Channels to other services: mTLS, a deadline on every call, retries, trace and metrics.

Every mutating request of Tunggal carries a ``request_id``, so every unary call may be sent again: gRPC itself
retries those that found the service unavailable.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from services.common import tls
from services.common.deadline import time_left
from services.common.interceptors import Method
from services.common.metrics import CLIENT, code_name
from services.common.tracing import HEADER, current

DEFAULT_DEADLINE_SECONDS = 30.0
# Answers may hold images; what a *server* accepts is its own setting.
MAX_ANSWER_BYTES = 64 * 1024 * 1024

_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)


def channel(
    endpoint: str, tls_dir: Path, name: str, trust_domain: str = "tunggal.local", *, server: str | None = None
) -> grpc.Channel:
    """A channel to ``endpoint`` (host:port) as ``name`` (``enroll``, ``operator-cli``).

    Calls without a timeout get 30 seconds, and never more than is left of the RPC that makes them. ``server``
    names the service that must answer: needed where the endpoint is an address that any certificate of the CA
    would fit. Where ``tls_dir`` holds the development CA, a missing certificate for ``name`` is made. Raises
    :class:`ConfigurationError` naming a missing file.
    """
    if (tls_dir / "ca.key").exists():
        tls.ensure_dev_ca(tls_dir, trust_domain, (name,))
    options: list[tuple[str, Any]] = [
        ("grpc.enable_retries", 1),
        ("grpc.service_config", _SERVICE_CONFIG),
        # What has left this buffer cannot be sent again; a request with ten finger images must fit.
        ("grpc.per_rpc_retry_buffer_size", 32 * 1024 * 1024),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    ]
    if server is not None:
        options.append(("grpc.ssl_target_name_override", server))
    plain = grpc.secure_channel(endpoint, tls.channel_credentials(tls_dir, name), options=options)
    return grpc.intercept_channel(plain, _Calls())


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class _CallDetails(_Details, grpc.ClientCallDetails):
    pass


class _Calls(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Deadline, trace and metrics of each call."""

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _call(continuation, client_call_details, request, streams_in=False, streams_out=False)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return _call(continuation, client_call_details, request, streams_in=False, streams_out=True)

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return _call(continuation, client_call_details, request_iterator, streams_in=True, streams_out=False)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return _call(continuation, client_call_details, request_iterator, streams_in=True, streams_out=True)


def _call(
    continuation: Callable[[Any, Any], Any],
    details: Any,
    request: Any,
    *,
    streams_in: bool,
    streams_out: bool,
) -> Any:
    method = Method(details.method, streams_in, streams_out)
    labels = (method.type, method.service, method.name)
    CLIENT.started.labels(*labels).inc()
    sent = CLIENT.sent.labels(*labels)
    if streams_in:
        request = _counted(request, sent.inc)
    else:
        sent.inc()
    start = time.perf_counter()
    call = continuation(_prepared(details, streams_out), request)

    def done(_: object = None) -> None:
        CLIENT.seconds.labels(*labels).observe(time.perf_counter() - start)
        code = call.code()
        CLIENT.handled.labels(*labels, code_name(code)).inc()
        if not streams_out and code is grpc.StatusCode.OK:
            CLIENT.received.labels(*labels).inc()

    call.add_done_callback(done)
    return call


def _prepared(details: Any, streams_out: bool) -> _CallDetails:
    timeout = details.timeout
    if timeout is None or timeout == math.inf:
        # A stream of answers may be followed for as long as its reader likes.
        timeout = None if streams_out else DEFAULT_DEADLINE_SECONDS
    left = time_left()
    if left < math.inf:
        timeout = left if timeout is None else min(timeout, left)
    metadata = tuple(details.metadata or ())
    span = current()
    if span is not None and all(key != HEADER for key, _ in metadata):
        metadata += ((HEADER, span.header),)
    return _CallDetails(
        details.method, timeout, metadata, details.credentials, details.wait_for_ready, details.compression
    )


def _counted(messages: Iterable[Any], count: Callable[[], None]) -> Iterator[Any]:
    for message in messages:
        count()
        yield message
