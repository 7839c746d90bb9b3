"""The innermost layer: whatever a handler raises becomes a status that says what is wrong and what to do."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

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
from services.common.interceptors import Layer, Method, status_code
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

    @contextmanager
    def around(self, method: Method, context: grpc.ServicerContext) -> Iterator[None]:
        """Around the handler alone."""
        try:
            yield
        except TunggalError as error:
            abort(context, error, self._domain)
        except Exception as error:
            if _is_grpcs_own(error, context):
                raise
            abort(context, _typed(error), self._domain)


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
