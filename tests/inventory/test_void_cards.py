"""A card that was booked and then rejected: its blank is spoiled, its chip stays bound, a reviewer agrees."""

from __future__ import annotations

from typing import Any

import pytest
from tunggal.inventory.v1 import cards_pb2, exchange_pb2, inventory_pb2, spoilage_pb2, stock_pb2

from services.common.errors import AlreadyExists, FailedPrecondition, PermissionDenied
from services.inventory.exchange.service import ExchangeService
from tests.inventory.inventory_office import BEKASI, CENTRE, Office, new_id

CHIP = "04A1B2C3D4E5F6"


@pytest.fixture
def card(office: Office) -> stock_pb2.Blank:
    """A blank of Bekasi that became a card."""
    office.sign(100)
    office.deliver(1, 100)
    office.move(CENTRE, BEKASI, 10)
    return office.consume(office.reserve(BEKASI, "card-job/7").reservation_id, CHIP)


def void(office: Office, card: stock_pb2.Blank, **changes: str) -> cards_pb2.VoidCardResponse:
    fields = {
        "reservation_id": card.reservation_id,
        "chip_uid": CHIP,
        "reason": "REJECTED_PRINT: pale",
        "operator": "ani",
    }
    answer: cards_pb2.VoidCardResponse = office.do(cards_pb2.VoidCardRequest, **(fields | changes))
    return answer


def review(office: Office, spoilage_id: str, operator: str) -> spoilage_pb2.Spoilage:
    said: spoilage_pb2.Spoilage = office.do(
        spoilage_pb2.ReviewSpoilageRequest,
        spoilage_id=spoilage_id,
        accepted=True,
        review="seen",
        operator=operator,
    ).spoilage
    return said


def test_each_of_several_cards_is_known_by_its_own_chip(office: Office, card: stock_pb2.Blank) -> None:
    second = office.consume(office.reserve(BEKASI, "card-job/8").reservation_id, "04FFFFFFFFFF01")
    assert void(office, second, chip_uid="04FFFFFFFFFF01").blank.serial == second.serial
    assert void(office, card).blank.serial == card.serial


def test_its_blank_leaves_the_cards_and_waits_spoiled_for_its_reviewer(
    office: Office, card: stock_pb2.Blank
) -> None:
    answer = void(office, card)
    assert (answer.blank.state, answer.blank.chip_uid) == (stock_pb2.BLANK_STATE_SPOILED, CHIP)
    assert office.level(BEKASI) == {"on_hand": 9, "spoiled": 1}
    (booked,) = office.send(spoilage_pb2.ListSpoilageRequest(location=BEKASI)).spoilage
    assert (booked.spoilage_id, booked.state) == (answer.spoilage_id, spoilage_pb2.SPOILAGE_STATE_BOOKED)
    assert (booked.booked_by, booked.reason) == ("operator/cli:ani", "REJECTED_PRINT: pale")
    with pytest.raises(PermissionDenied):
        review(office, answer.spoilage_id, "Ani")
    assert review(office, answer.spoilage_id, "budi").state == spoilage_pb2.SPOILAGE_STATE_ACCEPTED
    office.check_books()
    steps = [step.kind for step in office.blank(card.serial).custody]
    assert steps[-3:] == ["blank.reserved", "blank.consumed", "card.voided"]


def test_told_twice_it_is_taken_back_once(office: Office, card: stock_pb2.Blank) -> None:
    request = cards_pb2.VoidCardRequest(
        request_id=new_id(),
        reservation_id=card.reservation_id,
        chip_uid=CHIP,
        reason="pale",
        operator="ani",
    )
    assert office.send(request) == office.send(request)
    with pytest.raises(FailedPrecondition) as error:
        void(office, card)
    assert error.value.reason == "RESERVATION_SPOILED"
    assert office.level(BEKASI) == {"on_hand": 9, "spoiled": 1}


def test_its_chip_never_makes_another_card(office: Office, card: stock_pb2.Blank) -> None:
    void(office, card)
    with pytest.raises(AlreadyExists) as error:
        office.consume(office.reserve(BEKASI).reservation_id, CHIP)
    assert error.value.reason == "CHIP_UID_BOUND"


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"chip_uid": "04A1B2C3D4E5F7"}, "CHIP_UID_DISAGREES", "chip_uid"),
        ({"reservation_id": "held"}, "RESERVATION_HELD", "reservation_id"),
    ],
)
def test_what_is_not_this_card_is_not_taken_back(
    office: Office, card: stock_pb2.Blank, changes: dict[str, str], reason: str, field: str
) -> None:
    if "reservation_id" in changes:
        changes = {"reservation_id": office.reserve(BEKASI).reservation_id}
    before = office.level(BEKASI)
    with pytest.raises(FailedPrecondition) as error:
        void(office, card, **changes)
    assert (error.value.reason, error.value.field) == (reason, field)
    assert error.value.remedy
    assert office.level(BEKASI) == before


def test_the_blanks_that_were_used_name_it_as_spoiled(office: Office, card: stock_pb2.Blank) -> None:
    void(office, card)
    service: Any = ExchangeService(office.database, None)  # type: ignore[arg-type]
    (used,) = service.ListUsedBlanks(exchange_pb2.ListUsedBlanksRequest(location=BEKASI), None).blanks
    assert (used.serial, used.spoiled, used.chip_uid) == (card.serial, True, CHIP)


def test_a_blank_that_a_torn_card_spoiled_names_who_had_it_in_hand(
    office: Office, card: stock_pb2.Blank
) -> None:
    held = office.reserve(BEKASI)
    answer = office.do(
        inventory_pb2.SpoilBlankRequest,
        reservation_id=held.reservation_id,
        reason="CARD_REMOVED: torn",
        operator="ani",
    )
    (booked,) = office.send(spoilage_pb2.ListSpoilageRequest(location=BEKASI)).spoilage
    assert (booked.spoilage_id, booked.booked_by) == (answer.spoilage_id, "operator/cli:ani")
    assert office.level(BEKASI) == {"on_hand": 8, "consumed": 1, "spoiled": 1}
