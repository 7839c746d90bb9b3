"""How the three services are asked: in which order, and again where a stream broke off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from tunggal.cardperso.v1 import reconciliation_pb2 as cardperso_pb2
from tunggal.enroll.v1 import reconciliation_pb2 as enroll_pb2
from tunggal.inventory.v1 import reconciliation_pb2 as inventory_pb2

from cli.cards_told import Scope
from cli.reconcile_sources import Services, resumed

NOBODY = "127.0.0.1:9"


class _Asked(grpc.UnaryUnaryClientInterceptor):
    """Answers in place of a service, and notes what was asked in which order."""

    def __init__(self, requests: list[Message], answer: Message) -> None:
        self._requests, self._answer = requests, answer

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self._requests.append(request)
        return self

    def result(self) -> Message:
        return self._answer


def test_a_card_is_asked_for_first_where_it_is_made_and_last_where_it_goes_first_when_it_is_void() -> None:
    requests: list[Message] = []
    chips = [
        cardperso_pb2.PersonalizedChip(chip_uid=f"04AA00000{step}", record_id=f"record-{step}", step=step)
        for step in cardperso_pb2.CardStep.values()
    ]
    answers = (
        inventory_pb2.FindConsumedBlanksResponse(),
        cardperso_pb2.FindPersonalizedChipsResponse(chips=chips),
        enroll_pb2.FindCardRecordsResponse(),
    )
    with grpc.insecure_channel(NOBODY) as nobody:
        stock, station, people = (
            grpc.intercept_channel(nobody, _Asked(requests, answer)) for answer in answers
        )
        Services(stock, station, people, Scope()).find([chip.chip_uid for chip in chips])
    assert [type(each).__name__ for each in requests] == [
        "FindPersonalizedChipsRequest",
        "FindConsumedBlanksRequest",
        "FindCardRecordsRequest",
    ]
    # Only of a card that is being booked the record may be on loan.
    assert list(requests[-1].record_ids) == [f"record-{cardperso_pb2.CARD_STEP_BOOK}"]  # type: ignore[attr-defined]


class _Cut(grpc.RpcError):
    """A service that goes away."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code


def _broken_off(code: grpc.StatusCode, times: int) -> Callable[[Any], Iterator[Any]]:
    """A list of four chips, two in each part, that breaks off behind the first part it sends."""
    chips = [cardperso_pb2.PersonalizedChip(chip_uid=f"04AA00000{number}") for number in range(4)]
    left = [times]

    def call(request: Any) -> Iterator[Any]:
        rest = [chip for chip in chips if chip.chip_uid > request.after]
        for part in (rest[:2], rest[2:]):
            if part:
                yield cardperso_pb2.ListPersonalizedChipsResponse(chips=part)
            if left[0]:
                left[0] -= 1
                raise _Cut(code)

    return call


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_stream_that_breaks_off_is_gone_on_with_behind_the_last_chip(times: int) -> None:
    call = _broken_off(grpc.StatusCode.UNAVAILABLE, times)
    found = resumed(call, cardperso_pb2.ListPersonalizedChipsRequest(), "chips")
    assert [chip.chip_uid[-1] for chip in found] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("code", "times"), [(grpc.StatusCode.PERMISSION_DENIED, 1), (grpc.StatusCode.UNAVAILABLE, 99)]
)
def test_a_service_that_stays_away_or_refuses_is_an_error(code: grpc.StatusCode, times: int) -> None:
    with pytest.raises(grpc.RpcError):
        list(resumed(_broken_off(code, times), cardperso_pb2.ListPersonalizedChipsRequest(), "chips"))
