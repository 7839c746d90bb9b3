"""What happens to a call on its way to a handler and back, over real mTLS."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import grpc
import pytest
from sqlalchemy.exc import OperationalError

from services.common import errors
from services.common.deadline import time_left
from services.common.identity import caller
from tests.common.conftest import Start
from tests.common.echo_service import Response, eventually, failure, request


def test_every_kind_of_rpc_reaches_its_handler(start: Start) -> None:
    stub = start().stub()
    assert stub.Say(request(text="one")).text == "one"
    assert stub.Gather(iter([request(text="one"), request(text="two")])).text == "one two"
    assert [answer.text for answer in stub.Follow(request(text="one two"))] == ["one", "two"]
    assert [answer.text for answer in stub.Chat(iter([request(text="one"), request(text="two")]))] == [
        "one",
        "two",
    ]


def test_the_handler_knows_its_caller(start: Start) -> None:
    echo = start()
    echo.servicer.say = lambda _, context: Response(text=caller(context))
    assert echo.stub("operator-cli").Say(request()).text == "operator/cli"
    assert echo.stub("enroll").Say(request()).text == "service/enroll"


def test_a_service_that_is_not_on_the_list_is_refused_by_name(start: Start) -> None:
    echo = start()
    error = failure(lambda: echo.stub("abis").Say(request(text="no")))
    assert isinstance(error, errors.PermissionDenied)
    assert (error.reason, error.domain) == ("CALLER_NOT_ALLOWED", "tunggal.inventory")
    assert error.metadata["caller"] == "service/abis"
    assert error.remedy == "Call as one of: operator/*, service/enroll."
    assert echo.servicer.heard == []


def test_the_list_holds_for_each_method_on_its_own(start: Start) -> None:
    stub = start().stub("enroll")
    assert stub.Say(request(text="yes")).text == "yes"
    assert failure(lambda: list(stub.Follow(request(text="no")))).reason == "CALLER_NOT_ALLOWED"
    assert failure(lambda: stub.Gather(iter([request()]))).reason == "CALLER_NOT_ALLOWED"


def test_a_call_with_too_little_time_is_refused_before_the_handler(start: Start) -> None:
    echo = start()
    stub = echo.stub()
    stub.Say(request(text="connect first"))
    # On a busy machine the client may give up before the server has refused.
    answers = (failure(lambda: stub.Say(request(text="hurry"), timeout=0.09)) for _ in range(100))
    error = next(answer for answer in answers if answer.reason != "DEADLINE_EXCEEDED")
    assert (type(error), error.reason) == (errors.DeadlineExceeded, "DEADLINE_TOO_SHORT")
    assert echo.servicer.heard == ["connect first"]


def test_the_handler_knows_the_time_it_has(start: Start) -> None:
    echo = start()
    echo.servicer.say = lambda _, context: Response(text=f"{time_left(context)} {time_left()}")
    left = [float(word) for word in echo.stub().Say(request(), timeout=5).text.split()]
    assert all(0 < seconds <= 4.98 for seconds in left)
    forever = [answer.text.split() for answer in echo.stub().Follow(request(text="watch"))]
    assert [float(word) for word in forever[0]] == [math.inf, math.inf]
    assert time_left() == math.inf


def test_a_call_without_a_deadline_gets_one_from_its_client(start: Start) -> None:
    echo = start()
    echo.servicer.say = lambda _, context: Response(text=str(time_left(context)))
    assert 25 < float(echo.stub().Say(request()).text) < 30


def test_a_call_made_by_a_handler_inherits_its_deadline_and_trace(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    behind = start()
    behind.servicer.say = lambda _, context: Response(text=str(time_left(context)))
    front = start()
    stub = behind.stub("enroll")
    front.servicer.say = lambda message, _: stub.Say(message)
    assert 0 < float(front.stub().Say(request(), timeout=3).text) < 3
    lines = access_lines(capsys, 2)
    assert {line["caller"] for line in lines} == {"operator/cli", "service/enroll"}
    assert len({line["trace_id"] for line in lines}) == 1


def test_a_typed_error_reaches_the_client_as_it_was_raised(start: Start) -> None:
    echo = start()

    def refuse(*_: object) -> Any:
        raise errors.FailedPrecondition(
            "STOCK_EMPTY",
            "No blanks at 32.16.",
            field="location",
            remedy="Allocate some.",
            metadata={"left": "0"},
        )

    echo.servicer.say = refuse
    for call in (lambda: echo.stub().Say(request()), lambda: list(echo.stub().Follow(request(text="a")))):
        error = failure(call)
        assert (type(error), str(error)) == (
            errors.FailedPrecondition,
            "STOCK_EMPTY: No blanks at 32.16. (location) Allocate some.",
        )
        assert error.metadata == {"left": "0"}


def test_an_unexpected_fault_gives_an_incident_id_and_never_its_text(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    echo = start()

    def break_down(*_: object) -> Any:
        raise ZeroDivisionError("secret detail")

    echo.servicer.say = break_down
    error = failure(lambda: echo.stub().Say(request()))
    assert (type(error), error.reason) == (errors.Internal, "INTERNAL")
    assert "secret" not in str(error)
    logged = next(line for line in log_lines(capsys) if line.get("incident") == error.metadata["incident"])
    assert "secret detail" in logged["exception"]
    assert logged["rpc"].endswith("/Say")


def test_a_database_fault_that_a_handler_let_through_is_unavailable_not_unknown(start: Start) -> None:
    import sqlite3

    echo = start()

    def break_down(*_: object) -> Any:
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise OperationalError("INSERT", {"nik": "3216"}, full)

    echo.servicer.say = break_down
    error = failure(lambda: echo.stub().Say(request()))
    assert (type(error), error.reason, error.retry_after) == (errors.Unavailable, "DATABASE_FULL", 30)


def test_a_service_behind_that_is_down_shows_as_unavailable_with_its_remedy(start: Start) -> None:
    front, behind = start(), start()
    stub = behind.stub("enroll")
    behind.server.stop(grace=0)
    front.servicer.say = lambda message, _: stub.Say(message)
    error = failure(lambda: front.stub().Say(request(), timeout=20))
    assert (type(error), error.reason) == (errors.Unavailable, "UNREACHABLE")


def test_a_client_retries_what_was_unavailable(start: Start) -> None:
    echo = start()
    tries: list[int] = []

    def busy_twice(message: Any, _: object) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise errors.Unavailable("BUSY", "Busy.")
        return Response(text=message.text)

    echo.servicer.say = busy_twice
    assert echo.stub().Say(request(text="at last")).text == "at last"
    assert len(tries) == 3


def test_a_client_does_not_retry_a_refusal(start: Start) -> None:
    echo = start()
    tries: list[int] = []

    def refuse(*_: object) -> Any:
        tries.append(1)
        raise errors.Aborted("CONFLICT", "Decide again.")

    echo.servicer.say = refuse
    assert failure(lambda: echo.stub().Say(request())).reason == "CONFLICT"
    assert len(tries) == 1


def test_a_client_that_leaves_a_stream_ends_its_handler(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    echo = start()
    words: list[str] = []

    def say(message: Any, context: grpc.ServicerContext) -> Any:
        words.append(message.text)
        if message.text == "two":
            eventually(lambda: not context.is_active())
        return Response(text=message.text)

    echo.servicer.say = say
    answers = echo.stub().Follow(request(text="one two three"))
    assert next(answers).text == "one"
    eventually(lambda: "two" in words)
    answers.cancel()
    assert access_lines(capsys, 1)[0]["code"] == "Canceled"
    assert words == ["one", "two"]


def test_each_rpc_leaves_one_line_without_its_payload(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    echo = start()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    echo.stub().Say(request(text="private"), metadata=(("traceparent", f"00-{trace}-00f067aa0ba902b7-01"),))
    (line,) = access_lines(capsys, 1)
    assert (line["caller"], line["code"], line["trace_id"]) == ("operator/cli", "OK", trace)
    assert line["rpc"] == "/tunggal.test.v1.EchoService/Say"
    assert line["ms"] > 0
    assert "private" not in json.dumps(line)


def test_a_broken_traceparent_starts_a_new_trace(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start().stub().Say(request(), metadata=(("traceparent", "00-zz-00f067aa0ba902b7-01"),))
    assert re.fullmatch("[0-9a-f]{32}", access_lines(capsys, 1)[0]["trace_id"])


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Everything logged since the last look."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def access_lines(capsys: pytest.CaptureFixture[str], count: int) -> list[dict[str, Any]]:
    """The access lines of ``count`` RPCs; the server writes them after its answer."""
    lines: list[dict[str, Any]] = []

    def complete() -> bool:
        lines.extend(line for line in log_lines(capsys) if line["event"] == "rpc")
        return len(lines) >= count

    eventually(complete)
    assert len(lines) == count
    return lines
