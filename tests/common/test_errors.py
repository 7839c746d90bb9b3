"""Errors travel from a service to its client as google.rpc statuses and arrive as the same typed errors."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.common import errors
from services.common.errors import FieldViolation, TunggalError, from_status, remote_error, to_status

# Services refine these kinds; only those of the common package are meant.
KINDS = [kind for kind in TunggalError.__subclasses__() if kind.__module__ == errors.__name__]
short = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=60)


@given(
    kind=st.sampled_from(KINDS),
    reason=st.from_regex(r"[A-Z][A-Z_]{2,30}", fullmatch=True),
    message=short,
    remedy=st.none() | short,
    metadata=st.dictionaries(
        st.from_regex(r"[a-z_]{1,20}", fullmatch=True).filter("remedy".__ne__), short, max_size=4
    ),
    violations=st.lists(st.builds(FieldViolation, short, short, short), max_size=4),
)
def test_every_error_survives_the_way_to_the_client(
    kind: type[TunggalError],
    reason: str,
    message: str,
    remedy: str | None,
    metadata: dict[str, str],
    violations: list[FieldViolation],
) -> None:
    sent = kind(reason, message, remedy=remedy, metadata=metadata, violations=violations)
    received = from_status(to_status(sent, "tunggal.inventory"))
    assert type(received) is kind
    assert (received.reason, received.message, received.remedy) == (reason, message, remedy)
    assert received.metadata == metadata
    assert received.violations == tuple(violations)
    assert received.field == (violations[0].field if violations else None)
    assert received.domain == "tunggal.inventory"


def test_there_is_one_error_for_each_status_code_but_ok_and_unknown() -> None:
    assert {kind.code for kind in KINDS} == set(grpc.StatusCode) - {
        grpc.StatusCode.OK,
        grpc.StatusCode.UNKNOWN,
    }


def test_a_field_given_alone_becomes_a_field_violation() -> None:
    status = to_status(errors.NotFound("NO_LOT", "There is no such lot.", field="lot"), "tunggal.inventory")
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    assert [violation.field for violation in bad.field_violations] == ["lot"]


def test_a_failed_precondition_names_what_is_not_fulfilled() -> None:
    status = to_status(
        errors.FailedPrecondition("LOT_CLOSED", "The lot is closed.", field="lot"), "tunggal.inventory"
    )
    failure = error_details_pb2.PreconditionFailure()
    assert any(detail.Unpack(failure) for detail in status.details)
    assert (failure.violations[0].type, failure.violations[0].subject) == ("LOT_CLOSED", "lot")


def test_an_unavailable_service_says_when_to_try_again() -> None:
    assert from_status(to_status(errors.Unavailable("BUSY", "Busy."), "x")).retry_after == 1.0
    assert from_status(to_status(errors.Unavailable("FULL", "Full.", retry_after=30), "x")).retry_after == 30


def test_an_error_of_a_service_behind_keeps_its_domain() -> None:
    behind = from_status(to_status(errors.Unavailable("BUSY", "Busy."), "tunggal.abis"))
    assert from_status(to_status(behind, "tunggal.enroll")).domain == "tunggal.abis"


@pytest.mark.parametrize("letter", ["x", "ü", "🂡"])
def test_the_longest_error_fits_into_the_trailers_of_http2(letter: str) -> None:
    violations = [FieldViolation(letter * 5000, letter * 5000, "string.pattern") for _ in range(1000)]
    error = errors.InvalidArgument(
        "INVALID_FIELD", letter * 9000, remedy=letter * 9000, violations=violations
    )
    status = to_status(error, "tunggal.enroll")
    in_percent_encoding, in_base64 = 3 * len(status.message.encode()), status.ByteSize() * 4 / 3
    assert in_percent_encoding + in_base64 < 8192
    assert len(from_status(status).violations) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_reads_as_reason_message_field_and_remedy(kind: type[TunggalError]) -> None:
    assert str(kind("NO_LOT", "There is no lot.", field="lot", remedy="Receive one.")) == (
        "NO_LOT: There is no lot. (lot) Receive one."
    )


class _Bare(grpc.RpcError, grpc.Call):
    """What a client gets when gRPC itself ended the call."""

    def __init__(
        self, code: grpc.StatusCode, details: str, trailers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        self._code, self._details, self._trailers = code, details, trailers

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:  # type: ignore[override]
        return self._trailers

    def initial_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> float:
        return 0.0

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: object) -> bool:
        return False


@pytest.mark.parametrize(
    ("code", "details", "kind", "reason"),
    [
        (
            "RESOURCE_EXHAUSTED",
            "Received message larger than max (2 vs. 1)",
            errors.ResourceExhausted,
            "MESSAGE_TOO_LARGE",
        ),
        ("RESOURCE_EXHAUSTED", "out of memory", errors.ResourceExhausted, "RESOURCE_EXHAUSTED"),
        ("UNAVAILABLE", "failed to connect to all addresses", errors.Unavailable, "UNREACHABLE"),
        ("UNAVAILABLE", "Ssl handshake failed", errors.Unavailable, "TLS_HANDSHAKE_FAILED"),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", errors.DeadlineExceeded, "DEADLINE_EXCEEDED"),
        ("CANCELLED", "Cancelled", errors.Cancelled, "CANCELLED"),
        ("UNIMPLEMENTED", "Method not found!", errors.Unimplemented, "METHOD_UNKNOWN"),
        ("UNKNOWN", "", errors.Internal, "UNKNOWN"),
    ],
)
def test_a_bare_status_becomes_a_typed_error_with_a_remedy(
    code: str, details: str, kind: type[TunggalError], reason: str
) -> None:
    error = remote_error(_Bare(grpc.StatusCode[code], details))
    assert (type(error), error.reason) == (kind, reason)
    assert error.message
    assert error.remedy or reason == code


def test_a_status_that_a_proxy_changed_is_taken_as_bare() -> None:
    rich = status_pb2.Status(code=5, message="There is no lot.").SerializeToString()
    error = remote_error(
        _Bare(grpc.StatusCode.UNAVAILABLE, "bad gateway", (("grpc-status-details-bin", rich),))
    )
    assert (type(error), error.reason) == (errors.Unavailable, "UNREACHABLE")


def test_a_call_that_ended_without_any_status_is_an_internal_error() -> None:
    assert isinstance(remote_error(grpc.RpcError("gone")), errors.Internal)
