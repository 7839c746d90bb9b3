"""The errors a service may raise, and their one translation to and from ``google.rpc.Status``.

A handler raises a typed error where the fault is known; the interceptors turn it into a rich status
(AIP-193); a client turns the rich status back into the same typed error with :func:`remote_error`. Every
status carries an ``ErrorInfo`` with a stable reason and, where there is one, the remedy.
"""

# The classes are named after the codes of gRPC.
# ruff: noqa: N818
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

# Statuses travel in HTTP/2 trailers, of which every peer accepts 8 KiB: in base64, with the message beside
# them in percent-encoding. A status that is longer is lost whole.
MAX_MESSAGE_BYTES = 600
MAX_VALUE_BYTES = 300
MAX_STATUS_BYTES = 4500


class ConfigurationError(RuntimeError):
    """The process cannot start as it is configured; the message names what to change."""


class FieldViolation(NamedTuple):
    """A field that is wrong: its dotted path (``fingers[2].position``), what is wrong, and the rule's id."""

    field: str
    description: str
    rule: str = ""


class TunggalError(Exception):
    """A fault with a name: what is wrong (``reason``, ``message``), where (``field``) and what to do
    (``remedy``).

    ``reason`` is UPPER_SNAKE_CASE and stable, for programs; ``message`` is for people. ``domain`` is empty
    for an error of this process and names the service (``tunggal.abis``) when the error came from another
    one.
    """

    code: ClassVar[grpc.StatusCode]

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        field: str | None = None,
        remedy: str | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
        domain: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        if field is None and self.violations:
            field = self.violations[0].field
        elif field is not None and not self.violations:
            self.violations = (FieldViolation(field, message, reason),)
        self.field = field
        self.remedy = remedy
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after
        self.domain = domain

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{self.reason}: {self.message}{where}{remedy}"


class InvalidArgument(TunggalError):
    """The request is wrong whatever the state of the system."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(TunggalError):
    """The named resource does not exist."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(TunggalError):
    """The resource to be made exists, or a request id was used for something else."""

    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(TunggalError):
    """The system is not in the state that the operation needs; retrying alone does not help."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class PermissionDenied(TunggalError):
    """The caller is known and may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(TunggalError):
    """The caller is not known."""

    code = grpc.StatusCode.UNAUTHENTICATED


class ResourceExhausted(TunggalError):
    """A quota, a stock or a size limit is used up."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(TunggalError):
    """Not now; the same request may be sent again after ``retry_after`` seconds (1 unless given)."""

    code = grpc.StatusCode.UNAVAILABLE


class Aborted(TunggalError):
    """A concurrent change got in the way; read again, then decide again."""

    code = grpc.StatusCode.ABORTED


class DeadlineExceeded(TunggalError):
    """The caller's time was up; the work may or may not have been done."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class DataLoss(TunggalError):
    """Stored data is damaged or cannot be decrypted."""

    code = grpc.StatusCode.DATA_LOSS


class Internal(TunggalError):
    """A fault of ours; the incident id in the metadata finds it in the log."""

    code = grpc.StatusCode.INTERNAL


class OutOfRange(TunggalError):
    """A position or a date lies outside of what is known."""

    code = grpc.StatusCode.OUT_OF_RANGE


class Cancelled(TunggalError):
    """The caller went away."""

    code = grpc.StatusCode.CANCELLED


class Unimplemented(TunggalError):
    """The method does not exist here."""

    code = grpc.StatusCode.UNIMPLEMENTED


_BY_CODE: dict[grpc.StatusCode, type[TunggalError]] = {
    kind.code: kind for kind in TunggalError.__subclasses__()
}


def to_status(error: TunggalError, domain: str) -> status_pb2.Status:
    """The rich status of ``error``; ``domain`` (``tunggal.<service>``) applies to errors that have none of
    their own.
    """
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=error.domain or domain)
    for key, value in error.metadata.items():
        info.metadata[key] = _clip(value, MAX_VALUE_BYTES)
    if error.remedy:
        info.metadata["remedy"] = _clip(error.remedy, MAX_VALUE_BYTES)
    message = _clip(error.message, MAX_MESSAGE_BYTES)
    status = status_pb2.Status(code=_number(error.code), message=message)
    status.details.append(_packed(info))
    if isinstance(error, FailedPrecondition):
        failure = error_details_pb2.PreconditionFailure()
        failure.violations.add(type=error.reason, subject=error.field or "", description=message)
        status.details.append(_packed(failure))
    if isinstance(error, Unavailable) or error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(
            int((1.0 if error.retry_after is None else error.retry_after) * 1e9)
        )
        status.details.append(_packed(retry))
    if error.violations:
        status.details.append(_packed(_bad_request(error.violations, MAX_STATUS_BYTES - status.ByteSize())))
    return status


def abort(context: grpc.ServicerContext, error: TunggalError, domain: str) -> NoReturn:
    """End the RPC with the rich status of ``error``. Does not return."""
    context.abort_with_status(rpc_status.to_status(to_status(error, domain)))
    raise AssertionError("abort_with_status returned")  # pragma: no cover


def remote_error(error: grpc.RpcError) -> TunggalError:
    """The typed error that a server raised, from the status its client received.

    A status without details (gRPC itself refused the message, the peer is not there, the time was up) becomes
    a typed error as well, with a reason and a remedy chosen here.
    """
    if not isinstance(error, grpc.Call):
        return Internal("UNKNOWN", f"The call failed without a status: {error}")
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # a proxy changed the code or the message: the bare status is what is left
        status = None
    if status is None:
        return _bare(error.code(), error.details() or "")
    return from_status(status)


def from_status(status: status_pb2.Status) -> TunggalError:
    """The typed error of a rich status; the inverse of :func:`to_status` up to clipped texts."""
    reason, domain, remedy, metadata = "UNKNOWN", "", None, dict[str, str]()
    violations: list[FieldViolation] = []
    retry_after = None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason, domain, metadata = info.reason, info.domain, dict(info.metadata)
            remedy = metadata.pop("remedy", None)
        elif detail.Unpack(bad):
            violations = [FieldViolation(v.field, v.description, v.reason) for v in bad.field_violations]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    kind = next((kind for code, kind in _BY_CODE.items() if _number(code) == status.code), Internal)
    return kind(
        reason,
        status.message,
        remedy=remedy,
        metadata=metadata,
        violations=violations,
        retry_after=retry_after,
        domain=domain,
    )


def _bare(code: grpc.StatusCode, details: str) -> TunggalError:
    text = details.lower()
    kind = _BY_CODE.get(code, Internal)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text:
        return kind(
            "MESSAGE_TOO_LARGE",
            details,
            remedy="Send less in one message, or raise TUNGGAL_MAX_MESSAGE_BYTES at the server.",
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        if any(word in text for word in ("handshake", "certificate", "ssl", "tls", "verification check")):
            return kind(
                "TLS_HANDSHAKE_FAILED",
                details,
                remedy="Check that both certificates are within their dates and issued by the same CA.",
            )
        return kind(
            "UNREACHABLE", details, remedy="Check that the service runs at this endpoint, then try again."
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return kind(
            "DEADLINE_EXCEEDED",
            details,
            remedy="Try again with the same request_id and more time: the work may have been done.",
        )
    if code is grpc.StatusCode.CANCELLED:
        return kind(
            "CANCELLED", details, remedy="Try again with the same request_id: the work may have been done."
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return kind(
            "METHOD_UNKNOWN", details, remedy="Check the endpoint and the version of the service behind it."
        )
    return kind(code.name, details or "The peer gave no reason.")


def _number(code: grpc.StatusCode) -> int:
    return int(code.value[0])


def _bad_request(violations: Sequence[FieldViolation], space: int) -> error_details_pb2.BadRequest:
    """As many of the violations as fit into ``space`` bytes."""
    bad = error_details_pb2.BadRequest()
    for violation in violations:
        bad.field_violations.add(
            field=_clip(violation.field, MAX_VALUE_BYTES),
            description=_clip(violation.description, MAX_VALUE_BYTES),
            reason=violation.rule,
        )
        if bad.ByteSize() > space:
            del bad.field_violations[-1]
            break
    return bad


def _clip(text: str, limit: int) -> str:
    data = text.encode()
    return text if len(data) <= limit else data[: limit - 3].decode(errors="ignore") + "…"


def _packed(
    message: error_details_pb2.ErrorInfo
    | error_details_pb2.BadRequest
    | error_details_pb2.PreconditionFailure
    | error_details_pb2.RetryInfo,
) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
