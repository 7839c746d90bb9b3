"""Cards that come back: held at a place, in custody, destroyed before a witness, given back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.inventory.v1 import exchange_pb2, ledger_pb2, spoilage_pb2, stock_pb2
from tunggal.inventory.v1 import withdrawals_pb2 as pb

from services.common.clock import FixedClock
from services.common.errors import FailedPrecondition, NotFound, PermissionDenied, TunggalError
from services.inventory.exchange.service import ExchangeService
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office

CHIP = "04A1B2C3D4E5F6"


@pytest.fixture
def card(office: Office) -> stock_pb2.Blank:
    """A blank of Bekasi that became a card and is out."""
    office.sign(100)
    office.deliver(1, 100)
    office.move(CENTRE, BEKASI, 10)
    return office.consume(office.reserve(BEKASI, "card-job/7").reservation_id, CHIP)


def withdraw(office: Office, **changes: Any) -> pb.Withdrawal:
    fields = {
        "chip_uid": CHIP,
        "location": DKI,
        "cause": pb.WITHDRAWAL_CAUSE_REPLACED,
        "note": "photo faded",
        "operator": "siti",
    }
    taken: pb.Withdrawal = office.do(pb.WithdrawCardRequest, **(fields | changes)).withdrawal
    return taken


def refusal(kind: type[TunggalError], office: Office, **changes: Any) -> TunggalError:
    with pytest.raises(kind) as refused:
        withdraw(office, **changes)
    assert refused.value.field
    assert refused.value.remedy
    return refused.value


def test_a_replaced_card_is_held_where_it_was_handed_in(office: Office, card: stock_pb2.Blank) -> None:
    taken = withdraw(office)
    assert (taken.serial, taken.made_at, taken.location) == (card.serial, BEKASI, DKI)
    assert (taken.taken_by, taken.state) == ("operator/cli:siti", stock_pb2.BLANK_STATE_WITHDRAWN)
    assert office.level(DKI) == {"withdrawn": 1}
    assert office.level(BEKASI) == {"on_hand": 9}
    found = office.blank(card.serial)
    assert (found.blank.state, found.blank.location) == (stock_pb2.BLANK_STATE_WITHDRAWN, DKI)
    assert found.blank.spoil_reason == "REPLACED: photo faded"
    assert [step.kind for step in found.custody][-2:] == ["blank.consumed", "card.withdrawn"]
    office.check_books()


@pytest.mark.parametrize("cause", ["VOID", "REPLACED", "DECEASED", "FOUND"])
def test_every_cause_can_be_listed(office: Office, card: stock_pb2.Blank, cause: str) -> None:
    withdraw(office, cause=f"WITHDRAWAL_CAUSE_{cause}", note="")
    number = pb.WithdrawalCause.Value(f"WITHDRAWAL_CAUSE_{cause}")
    (listed,) = office.send(pb.ListWithdrawalsRequest(location="31", cause=number)).withdrawals
    assert (listed.serial, listed.cause) == (card.serial, number)
    assert not office.send(pb.ListWithdrawalsRequest(location="32")).withdrawals
    assert office.blank(card.serial).blank.spoil_reason == cause


def test_no_card_comes_back_tomorrow(office: Office, card: stock_pb2.Blank, clock: FixedClock) -> None:
    tomorrow = Timestamp()
    tomorrow.FromDatetime(clock.now() + timedelta(seconds=1))
    assert refusal(TunggalError, office, event_time=tomorrow).field == "event_time"
    assert office.level(DKI) == {}


def test_a_card_with_a_dead_chip_is_named_by_its_serial(office: Office, card: stock_pb2.Blank) -> None:
    assert withdraw(office, chip_uid="", serial=card.serial).chip_uid == CHIP


def test_withdrawn_and_spoiled_burn_under_one_protocol_of_two_people(
    office: Office, card: stock_pb2.Blank
) -> None:
    withdraw(office, location=BEKASI)
    torn = office.reserve(BEKASI)
    office.spoil(torn.reservation_id, "bent")
    both = [stock_pb2.SerialRange(first=card.serial, last=torn.serial)]
    fields = {"location": BEKASI, "item": "blank", "serials": both, "method": "burned", "operator": "siti"}
    with pytest.raises(FailedPrecondition) as waiting:
        office.do(spoilage_pb2.PrepareDestructionRequest, **fields)
    assert waiting.value.reason == "SPOILAGE_NOT_ACCEPTED"
    (booked,) = office.send(spoilage_pb2.ListSpoilageRequest()).spoilage
    office.do(
        spoilage_pb2.ReviewSpoilageRequest,
        spoilage_id=booked.spoilage_id,
        accepted=True,
        review="seen",
        operator="budi",
    )
    made = office.do(spoilage_pb2.PrepareDestructionRequest, **fields).destruction
    what = {"destruction_id": made.destruction_id, "prepared_sha256": made.prepared_sha256}
    with pytest.raises(PermissionDenied):
        office.do(spoilage_pb2.WitnessDestructionRequest, **what, operator="Si-ti")
    seen = office.do(spoilage_pb2.WitnessDestructionRequest, **what, operator="saksi").destruction
    protocol = json.loads(seen.protocol)
    assert protocol["serials"] == [[card.serial, torn.serial]]
    assert protocol["withdrawn_cards"] == [[card.serial, card.serial]]
    assert (protocol["prepared_by"], protocol["witnessed_by"]) == (
        "operator/cli:siti",
        "operator/cli:saksi",
    )
    key: Any = load_pem_public_key(seen.public_key.encode())
    key.verify(seen.signature, seen.protocol.encode())
    assert office.level(BEKASI) == {"on_hand": 8, "destroyed": 2}
    found = office.blank(card.serial)
    assert found.blank.state == stock_pb2.BLANK_STATE_DESTROYED
    assert [step.kind for step in found.custody][-2:] == ["card.withdrawn", "stock.destroyed"]
    (listed,) = office.send(pb.ListWithdrawalsRequest()).withdrawals
    assert listed.state == stock_pb2.BLANK_STATE_DESTROYED
    office.check_books()


def test_cards_alone_burn_while_spoilage_waits_for_its_reviewer(
    office: Office, card: stock_pb2.Blank
) -> None:
    withdraw(office, location=BEKASI)
    office.spoil(office.reserve(BEKASI).reservation_id, "bent")
    made = office.do(
        spoilage_pb2.PrepareDestructionRequest,
        location=BEKASI,
        item="blank",
        serials=[stock_pb2.SerialRange(first=card.serial, last=card.serial)],
        method="burned",
        operator="siti",
    ).destruction
    assert made.quantity == 1


def test_a_found_card_is_given_back_and_may_come_again(office: Office, card: stock_pb2.Blank) -> None:
    taken = withdraw(office, cause=pb.WITHDRAWAL_CAUSE_FOUND)
    office.do(ledger_pb2.ReverseTransferRequest, transfer_id=taken.transfer_id, reason="its holder came")
    assert office.blank(card.serial).blank.state == stock_pb2.BLANK_STATE_CONSUMED
    again = withdraw(office, cause=pb.WITHDRAWAL_CAUSE_DECEASED)
    states = [one.state for one in office.send(pb.ListWithdrawalsRequest()).withdrawals]
    assert states == [stock_pb2.BLANK_STATE_CONSUMED, stock_pb2.BLANK_STATE_WITHDRAWN]
    assert again.serial == card.serial
    office.check_books()


def test_what_nobody_has_cannot_come_back(office: Office, card: stock_pb2.Blank) -> None:
    assert refusal(NotFound, office, chip_uid="04FFFFFFFFFFFF").reason == "CARD_UNKNOWN"
    assert refusal(FailedPrecondition, office, chip_uid="", serial=card.serial + 1).reason == "CARD_NOT_OUT"
    assert refusal(TunggalError, office, chip_uid="").reason == "CARD_UNNAMED"
    assert refusal(FailedPrecondition, office, serial=card.serial + 1).reason == "CHIP_UID_DISAGREES"
    withdraw(office)
    assert refusal(FailedPrecondition, office).reason == "CARD_NOT_OUT"
    office.check_books()


def test_a_card_that_came_back_was_used_and_says_so(office: Office, card: stock_pb2.Blank) -> None:
    service: Any = ExchangeService(office.database, None)  # type: ignore[arg-type]
    request = exchange_pb2.ListUsedBlanksRequest(location=BEKASI)
    withdraw(office, cause=pb.WITHDRAWAL_CAUSE_DECEASED)
    (used,) = service.ListUsedBlanks(request, None).blanks
    assert (used.serial, used.spoiled, used.withdrawn) == (card.serial, False, "DECEASED")


def test_a_card_does_not_come_back_before_anybody_had_it(
    office: Office, card: stock_pb2.Blank, clock: FixedClock
) -> None:
    out_since = clock.now()
    clock.advance(timedelta(hours=2))
    early = Timestamp()
    early.FromDatetime(out_since - timedelta(minutes=1))
    error = refusal(TunggalError, office, event_time=early)
    assert (error.reason, error.field) == ("EVENT_BEFORE_CARD", "event_time")
    early.FromDatetime(out_since + timedelta(minutes=1))
    assert withdraw(office, event_time=early).event_time == early
