"""Chips come with lots: a foreign or a used one is told apart, and never becomes a card."""

from __future__ import annotations

import pytest
from tunggal.inventory.v1 import chips_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2

from services.common.errors import AlreadyExists, FailedPrecondition, NotFound
from tests.inventory.inventory_office import BEKASI, CENTRE, Office, new_id

FIRST, SECOND, STRANGER = "04A1B2C3D4E5F6", "04A1B2C3D4E5F7", "04FFFFFFFFFFFF"


@pytest.fixture
def lot_id(office: Office) -> str:
    """Ten blanks at Bekasi; the lot that they came with."""
    office.sign(20)
    lot = office.deliver(1, 10)
    office.move(CENTRE, BEKASI, 10)
    return lot.lot_id


def reserve(office: Office) -> str:
    request = inventory_pb2.ReserveBlankRequest(request_id=new_id(), location=BEKASI, purpose="card-job/1")
    reservation_id: str = office.send(request).blank.reservation_id
    return reservation_id


def standing(office: Office, reservation_id: str, chip_uid: str) -> pb.CheckChipResponse:
    answer: pb.CheckChipResponse = office.send(
        pb.CheckChipRequest(reservation_id=reservation_id, chip_uid=chip_uid)
    )
    return answer


def enter(office: Office, lot_id: str, *chip_uids: str) -> int:
    listed: int = office.do(pb.ListChipsRequest, lot_id=lot_id, chip_uids=chip_uids).listed
    return listed


def consume(office: Office, reservation_id: str, chip_uid: str) -> None:
    office.do(inventory_pb2.ConsumeBlankRequest, reservation_id=reservation_id, chip_uid=chip_uid)


def test_without_a_list_any_new_chip_will_do(office: Office, lot_id: str) -> None:
    reservation_id = reserve(office)
    assert standing(office, reservation_id, STRANGER).standing == pb.CHIP_STANDING_UNLISTED
    consume(office, reservation_id, STRANGER)
    used = standing(office, reserve(office), STRANGER)
    assert (used.standing, used.serial) == (pb.CHIP_STANDING_USED, 1)


def test_with_a_list_only_its_chips_become_cards(office: Office, lot_id: str) -> None:
    assert enter(office, lot_id, FIRST) == 1
    assert enter(office, lot_id, SECOND) == 2
    reservation_id = reserve(office)
    assert standing(office, reservation_id, FIRST).standing == pb.CHIP_STANDING_LISTED
    assert standing(office, reservation_id, STRANGER).standing == pb.CHIP_STANDING_FOREIGN
    with pytest.raises(FailedPrecondition, match="did not come with the lot"):
        consume(office, reservation_id, STRANGER)
    consume(office, reservation_id, FIRST)


def test_a_chip_of_another_lot_is_foreign(office: Office, lot_id: str) -> None:
    other = office.deliver(11, 20)
    enter(office, other.lot_id, FIRST)
    assert standing(office, reserve(office), FIRST).standing == pb.CHIP_STANDING_FOREIGN


def test_a_wrong_list_is_refused_whole(office: Office, lot_id: str) -> None:
    enter(office, lot_id, FIRST)
    with pytest.raises(AlreadyExists, match=FIRST) as twice:
        enter(office, lot_id, SECOND, FIRST)
    assert twice.value.field == "chip_uids[1]"
    with pytest.raises(FailedPrecondition, match="10 blanks; its list would have 11 chips"):
        enter(office, lot_id, *(f"04{n:012X}" for n in range(10)))
    with pytest.raises(NotFound):
        enter(office, new_id(), SECOND)
    assert enter(office, lot_id, SECOND) == 2


def test_a_chip_that_was_used_cannot_be_listed(office: Office, lot_id: str) -> None:
    consume(office, reserve(office), FIRST)
    with pytest.raises(AlreadyExists):
        enter(office, lot_id, FIRST)
