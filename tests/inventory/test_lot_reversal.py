"""A lot that was received by mistake: taken back by two people, with its serials, its chips and its debt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tunggal.inventory.v1 import chips_pb2, contracts_pb2
from tunggal.inventory.v1 import inventory_pb2 as pb

from services.common.clock import FixedClock
from services.common.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    TunggalError,
)
from tests.inventory.inventory_office import BEKASI, CENTRE, CONTRACT, DKI, Office


def propose(office: Office, lot_id: str, **fields: Any) -> contracts_pb2.ContractChange:
    terms = {"lot_id": lot_id} if lot_id else {}
    asked = {"contract_id": CONTRACT, "terms": terms, "reason": "typed wrong", "operator": "ani"} | fields
    change: contracts_pb2.ContractChange = office.do(
        contracts_pb2.ProposeChangeRequest, kind=contracts_pb2.CHANGE_KIND_REVERSE_LOT, **asked
    ).change
    return change


def approve(office: Office, change_id: str, operator: str = "budi") -> contracts_pb2.ContractFile:
    file: contracts_pb2.ContractFile = office.do(
        contracts_pb2.ApproveChangeRequest, change_id=change_id, operator=operator
    ).contract
    return file


def reverse(office: Office, lot_id: str) -> contracts_pb2.ContractFile:
    return approve(office, propose(office, lot_id).change_id)


def refusal(work: Any) -> TunggalError:
    with pytest.raises(TunggalError) as refused:
        work()
    assert refused.value.field
    assert refused.value.remedy
    return refused.value


def test_seven_million_typed_for_seven_hundred_thousand_is_mended_without_deleting_anything(
    office: Office,
) -> None:
    office.sign(7_000_000)
    wrong = office.deliver(1, 7_000_000)
    file = reverse(office, wrong.lot_id)
    assert (file.delivered, file.outstanding) == (0, 7_000_000)
    assert [gone.lot.lot_id for gone in file.reversed_lots] == [wrong.lot_id]
    assert office.level(CENTRE) == {}
    assert office.holdings() == []
    office.check_books()

    right = office.deliver(1, 700_000)
    assert office.level(CENTRE) == {"on_hand": 700_000}
    assert office.blank(1).blank.lot_id == right.lot_id
    kinds = [step.kind for step in office.blank(1).custody]
    assert kinds == ["lot.received", "lot.reversed", "lot.received"]
    office.check_books()


def test_its_serials_are_nobodys_until_they_come_again(office: Office) -> None:
    office.sign(100)
    reverse(office, office.deliver(1, 100).lot_id)
    for serial in (1, 50, 100, 101):
        with pytest.raises(NotFound) as unknown:
            office.blank(serial)
        assert unknown.value.reason == "BLANK_UNKNOWN"
        assert ("taken back" in unknown.value.message) == (serial <= 100)
    assert office.send(pb.ListLotsRequest()).lots == []


def test_one_person_cannot_make_a_lot_vanish(office: Office) -> None:
    office.sign(100)
    change = propose(office, office.deliver(1, 100).lot_id)
    assert office.level(CENTRE) == {"on_hand": 100}, "a proposal moves nothing"
    with pytest.raises(PermissionDenied):
        approve(office, change.change_id, "A.N.I")
    assert office.level(CENTRE) == {"on_hand": 100}


def test_a_lot_of_which_a_blank_has_moved_on_stays_until_it_is_back(office: Office) -> None:
    office.sign(100)
    lot = office.deliver(1, 100)
    change = propose(office, lot.lot_id)
    office.move(CENTRE, DKI, 1)
    refused = refusal(lambda: approve(office, change.change_id))
    assert (refused.reason, refused.metadata["first"]) == ("LOT_MOVED_ON", "1")
    office.move(DKI, CENTRE, 1)
    assert approve(office, change.change_id).outstanding == 100
    office.check_books()


def test_its_neighbours_of_another_lot_stay(office: Office) -> None:
    office.sign(300)
    office.deliver(1, 100)
    middle = office.deliver(101, 200)
    office.deliver(201, 300)
    assert office.holdings() == [(1, 300, "ID/on-hand")], "three lots, one holding"
    reverse(office, middle.lot_id)
    assert office.holdings() == [(1, 100, "ID/on-hand"), (201, 300, "ID/on-hand")]
    office.check_books()


def test_a_lot_is_taken_back_once(office: Office) -> None:
    office.sign(100)
    lot = office.deliver(1, 100)
    twice = [propose(office, lot.lot_id).change_id for _ in range(2)]
    approve(office, twice[0])
    assert refusal(lambda: approve(office, twice[1])).reason == "LOT_REVERSED_BEFORE"
    assert refusal(lambda: propose(office, lot.lot_id)).reason == "LOT_REVERSED_BEFORE"
    office.check_books()


@pytest.mark.parametrize(
    ("lot_id", "kind", "reason"),
    [("", InvalidArgument, "LOT_MISSING"), ("another", NotFound, "LOT_UNKNOWN")],
)
def test_a_reversal_that_names_no_lot_of_the_contract_is_refused(
    office: Office, lot_id: str, kind: type[TunggalError], reason: str
) -> None:
    office.sign(100)
    office.deliver(1, 50)
    refused = refusal(lambda: propose(office, lot_id))
    assert isinstance(refused, kind)
    assert refused.reason == reason


def test_a_lot_of_another_contract_is_not_taken_back_under_this_one(office: Office) -> None:
    office.sign(100)
    office.sign(100, "KTP-2018-01")
    other = office.deliver(1, 100, "KTP-2018-01")
    assert refusal(lambda: propose(office, other.lot_id)).reason == "LOT_UNKNOWN"


def test_the_chips_of_a_lot_may_come_again_with_the_right_one(office: Office) -> None:
    office.sign(100)
    uids = [f"04A1B2{n:02X}" for n in range(10)]
    wrong = office.deliver(1, 10)
    office.do(chips_pb2.ListChipsRequest, lot_id=wrong.lot_id, chip_uids=uids)
    reverse(office, wrong.lot_id)
    right = office.deliver(11, 20)
    office.do(chips_pb2.ListChipsRequest, lot_id=right.lot_id, chip_uids=uids)
    office.move(CENTRE, BEKASI, 1)
    assert office.consume(office.reserve(BEKASI).reservation_id, uids[0]).chip_uid == uids[0]


def test_the_chips_of_other_lots_stay_listed(office: Office) -> None:
    office.sign(100)
    wrong, other = office.deliver(1, 10), office.deliver(11, 20)
    office.do(chips_pb2.ListChipsRequest, lot_id=wrong.lot_id, chip_uids=["04A1B201"])
    office.do(chips_pb2.ListChipsRequest, lot_id=other.lot_id, chip_uids=["04A1B202"])
    reverse(office, wrong.lot_id)
    office.move(CENTRE, BEKASI, 1)
    held = office.reserve(BEKASI).reservation_id
    seen = office.send(chips_pb2.CheckChipRequest(reservation_id=held, chip_uid="04A1B202"))
    assert seen.standing == chips_pb2.CHIP_STANDING_LISTED


def test_a_closed_day_keeps_the_lot_and_today_takes_it_back(office: Office, clock: FixedClock) -> None:
    office.sign(100)
    lot = office.deliver(1, 100)
    received = clock.now()
    clock.advance(timedelta(days=2))
    office.upkeep.catch_up()
    reverse(office, lot.lot_id)
    assert office.balances("ID", at=received)["ID/blank/on-hand"] == 100
    assert "ID/blank/on-hand" not in office.balances("ID")
    office.check_books()
