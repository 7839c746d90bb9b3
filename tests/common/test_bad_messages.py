"""Messages that no handler may see: each is refused with the rule that it breaks."""

from __future__ import annotations

from services.common import errors
from services.common.client import channel
from tests.common.conftest import Start
from tests.common.echo_service import SERVICE, Request, Response, failure, request


def test_each_broken_rule_is_named_with_its_path(start: Start) -> None:
    echo = start()
    error = failure(
        lambda: echo.stub().Say(request(text="x" * 101, parts=[{"position": 1}, {"position": 11}]))
    )
    assert isinstance(error, errors.InvalidArgument)
    assert error.reason == "INVALID_FIELD"
    assert [(violation.field, violation.rule) for violation in error.violations] == [
        ("text", "string.max_len"),
        ("parts[1].position", "int32.lte"),
    ]
    assert error.remedy
    assert echo.servicer.heard == []


def test_a_missing_request_id_is_refused(start: Start) -> None:
    error = failure(lambda: start().stub().Say(Request(text="no id")))
    assert (error.reason, error.field) == ("INVALID_FIELD", "request_id")


def test_a_bad_message_in_the_middle_of_a_stream_ends_it_there(start: Start) -> None:
    echo = start()
    answers: list[str] = []
    messages = iter([request(text="good"), request(text="x" * 101), request(text="late")])

    def talk() -> None:
        answers.extend(answer.text for answer in echo.stub().Chat(messages))

    assert failure(talk).field == "text"
    assert answers == ["good"]
    assert echo.servicer.heard == ["good"]


def test_a_bad_message_in_a_stream_of_requests_is_refused(start: Start) -> None:
    error = failure(lambda: start().stub().Gather(iter([request(text="good"), Request(text="bad")])))
    assert (error.reason, error.field) == ("INVALID_FIELD", "request_id")


def test_bytes_that_are_no_message_are_the_callers_fault(start: Start) -> None:
    error = failure(lambda: start().stub().Say(b"\xff\xff\xff"))
    assert (type(error), error.reason) == (errors.InvalidArgument, "MALFORMED_MESSAGE")


def test_a_method_that_does_not_exist_is_refused_with_a_reason(start: Start) -> None:
    echo = start()
    with channel(f"localhost:{echo.server.port}", echo.settings.tls_dir, "operator-cli") as plain:
        sing = plain.unary_unary(f"/{SERVICE.full_name}/Sing", Request.SerializeToString, Response.FromString)
        error = failure(lambda: sing(request()))
    assert (type(error), error.reason, error.domain) == (
        errors.Unimplemented,
        "METHOD_UNKNOWN",
        "tunggal.inventory",
    )


def test_an_oversize_message_is_refused_with_a_remedy(start: Start) -> None:
    error = failure(lambda: start().stub().Say(request(blob=bytes(100_000))))
    assert (type(error), error.reason) == (errors.ResourceExhausted, "MESSAGE_TOO_LARGE")
    assert "TUNGGAL_MAX_MESSAGE_BYTES" in (error.remedy or "")
