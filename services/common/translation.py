"""The innermost layer: whatever a handler raises becomes a status that says what is wrong and what to do."""

from __future__ import annotations

import sqlite3
import uuid
from types import TracebackType

import grpc
from sqlalchemy.exc import SQLAlchemyError

from services.common import database_errors
from services.common.errors import (
    DeadlineExceeded,
    Internal,
    ResourceExhausted,
    TunggalError,
    Unavailable,
    abort,
    remote_error,
)
from services.common.interceptors import Around, Layer, Method, Surround, status_code
from services.common.logs import get_logger

_log = get_logger()
# Faults of a service behind this one that its caller should see as they are.
_PASSED_ON = (Unavailable, DeadlineExceeded, ResourceExhausted)


class TranslationLayer(Layer):
    """Ends the RPC with the rich status of what was raised; an unexpected fault gets an incident id, never a
    trace.
    """

    def __init__(self, domain: str) -> None:
        self._domain = domain

    def around(self, method: Method) -> Around:
        """Around the handler alone."""
        return lambda context: _Translated(context, self._domain)


class _Translated(Surround):
    """One RPC, of which no error leaves as it is."""

    __slots__ = ("_context", "_domain")

    def __init__(self, context: grpc.ServicerContext, domain: str) -> None:
        self._context = context
        self._domain = domain

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, TunggalError):
            abort(self._context, error, self._domain)
        if isinstance(error, Exception) and not _is_grpcs_own(error, self._context):
            abort(self._context, _typed(error), self._domain)


def _typed(error: Exception) -> TunggalError:
    if isinstance(error, SQLAlchemyError | sqlite3.Error):
        known = database_errors.typed(error)
        if known is not None:
            return known
    if isinstance(error, grpc.RpcError):
        remote = remote_error(error)
        if isinstance(remote, _PASSED_ON):
            return remote
    incident = uuid.uuid4().hex[:12]
    _log.error("unexpected_error", incident=incident, exc_info=error)
    return Internal(
        "INTERNAL",
        f"Something unexpected happened here (incident {incident}).",
        remedy="Send the same request again; if it fails again, report the incident id.",
        metadata={"incident": incident},
    )


def _is_grpcs_own(error: Exception, context: grpc.ServicerContext) -> bool:
    """Whether gRPC raised it to unwind a handler: after ``context.abort``, or as the client went away."""
    if isinstance(error, grpc.RpcError) and not isinstance(error, grpc.Call):
        return True
    return type(error) is Exception and status_code(context) is not None
