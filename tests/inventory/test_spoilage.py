"""What is spoiled has a reason and a reviewer, and ends before a witness with a signed protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from tunggal.inventory.v1 import spoilage_pb2 as pb
from tunggal.inventory.v1 import stock_pb2

from services.common.errors import FailedPrecondition, TunggalError
from services.inventory import tables
from tests.inventory.inventory_office import BEKASI, CENTRE, CONTRACT, Office


@pytest.fixture
def stocked(office: Office) -> Office:
    """At Bekasi: blanks 1 to 100 and 20 rolls of ribbon."""
    office.sign(5000)
    office.deliver(1, 5000)
    office.move(CENTRE, BEKASI, 100)
    office.supply("ribbon", 20, BEKASI)
    return office


def span(first: int, last: int) -> stock_pb2.SerialRange:
    return stock_pb2.SerialRange(first=first, last=last)


def spoil(office: Office, item: str = "blank", **fields: Any) -> pb.Spoilage:
    booked: pb.Spoilage = office.do(
        pb.SpoilStockRequest,
        location=BEKASI,
        item=item,
        reason="the roof leaked on box 4",
        operator="siti",
        **fields,
    ).spoilage
    return booked


def review(office: Office, spoilage_id: str, accepted: bool = True, operator: str = "budi") -> pb.Spoilage:
    said: pb.Spoilage = office.do(
        pb.ReviewSpoilageRequest,
        spoilage_id=spoilage_id,
        accepted=accepted,
        review="seen",
        operator=operator,
    ).spoilage
    return said


def prepare(office: Office, *serials: stock_pb2.SerialRange, **fields: Any) -> pb.Destruction:
    made: pb.Destruction = office.do(
        pb.PrepareDestructionRequest,
        location=BEKASI,
        item=fields.pop("item", "blank"),
        serials=serials,
        method="burned",
        operator="siti",
        **fields,
    ).destruction
    return made


def witness(office: Office, destruction_id: str, operator: str = "saksi") -> pb.Destruction:
    seen: pb.Destruction = office.do(
        pb.WitnessDestructionRequest, destruction_id=destruction_id, operator=operator
    ).destruction
    return seen


def test_stock_spoils_with_a_reason_and_a_reviewer(stocked: Office) -> None:
    booked = spoil(stocked, serials=[span(41, 50), span(61, 61)])
    assert (booked.quantity, booked.state) == (11, pb.SPOILAGE_STATE_BOOKED)
    assert stocked.level(BEKASI) == {"on_hand": 89, "spoiled": 11}
    with pytest.raises(TunggalError) as error:
        review(stocked, booked.spoilage_id, operator="siti")
    assert error.value.reason == "SECOND_PERSON_NEEDED"
    said = review(stocked, booked.spoilage_id)
    assert (said.state, said.reviewed_by) == (pb.SPOILAGE_STATE_ACCEPTED, "operator/cli:budi")
    stocked.check_books()


def test_a_card_that_a_job_spoiled_waits_for_its_reviewer_too(stocked: Office) -> None:
    stocked.spoil(stocked.reserve(BEKASI).reservation_id, "printed askew")
    (booked,) = stocked.send(pb.ListSpoilageRequest(location=BEKASI)).spoilage
    assert (booked.quantity, booked.reason, booked.booked_by) == (1, "printed askew", "operator/cli")
    assert review(stocked, booked.spoilage_id).state == pb.SPOILAGE_STATE_ACCEPTED
    waiting = stocked.send(pb.ListSpoilageRequest(state=pb.SPOILAGE_STATE_BOOKED)).spoilage
    assert list(waiting) == []


def test_rolls_spoil_by_units(stocked: Office) -> None:
    spoil(stocked, "ribbon", quantity=2)
    assert stocked.balances(BEKASI, "ribbon") == {"32.16/ribbon/on-hand": 18, "32.16/ribbon/spoiled": 2}


def test_nothing_is_destroyed_before_its_spoilage_was_accepted(stocked: Office) -> None:
    booked = spoil(stocked, serials=[span(41, 50)])
    for accepted in (None, False):
        if accepted is not None:
            review(stocked, booked.spoilage_id, accepted)
        with pytest.raises(FailedPrecondition) as error:
            prepare(stocked, span(41, 50))
        assert error.value.reason == "SPOILAGE_NOT_ACCEPTED"
    review(stocked, booked.spoilage_id)
    assert prepare(stocked, span(41, 50)).quantity == 10


def test_destruction_needs_a_witness_and_leaves_a_signed_protocol(stocked: Office) -> None:
    review(stocked, spoil(stocked, serials=[span(41, 50)]).spoilage_id)
    prepared = prepare(stocked, span(41, 45), span(46, 48))
    assert (prepared.quantity, prepared.protocol) == (8, "")
    assert stocked.level(BEKASI) == {"on_hand": 90, "spoiled": 10}
    with pytest.raises(TunggalError) as error:
        witness(stocked, prepared.destruction_id, "siti")
    assert error.value.reason == "SECOND_PERSON_NEEDED"

    done = witness(stocked, prepared.destruction_id)
    assert stocked.level(BEKASI) == {"on_hand": 90, "spoiled": 2, "destroyed": 8}
    protocol = json.loads(done.protocol)
    assert protocol["serials"] == [[41, 48]]
    assert (protocol["prepared_by"], protocol["witnessed_by"]) == ("operator/cli:siti", "operator/cli:saksi")
    key = load_pem_public_key(done.public_key.encode())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(done.signature, done.protocol.encode())
    with pytest.raises(InvalidSignature):
        key.verify(done.signature, done.protocol.replace("48", "49").encode())
    assert stocked.send(pb.GetDestructionRequest(destruction_id=done.destruction_id)).destruction == done
    with pytest.raises(FailedPrecondition) as again:
        witness(stocked, prepared.destruction_id, "lain")
    assert again.value.reason == "DESTRUCTION_WITNESSED"
    stocked.check_books()


def test_only_what_is_spoiled_can_be_destroyed(stocked: Office) -> None:
    with pytest.raises(FailedPrecondition) as error:
        prepare(stocked, span(1, 5))
    assert (error.value.reason, error.value.field) == ("SERIALS_NOT_THERE", "serials")
    assert stocked.level(BEKASI) == {"on_hand": 100}


def test_custody_tells_the_life_of_a_blank_from_the_contract_to_the_fire(stocked: Office) -> None:
    held = stocked.reserve(BEKASI, "card-job/7")
    stocked.spoil(held.reservation_id, "chip did not answer")
    (booked,) = stocked.send(pb.ListSpoilageRequest()).spoilage
    review(stocked, booked.spoilage_id)
    witness(stocked, prepare(stocked, span(held.serial, held.serial)).destruction_id)
    found = stocked.blank(held.serial)
    assert found.blank.state == stock_pb2.BLANK_STATE_DESTROYED
    assert [(step.kind, step.to_account) for step in found.custody] == [
        ("lot.received", "ID/on-hand"),
        ("allocation.created", "ID/allocated"),
        ("allocation.dispatched", "32.16/in-transit"),
        ("allocation.received", "32.16/on-hand"),
        ("blank.reserved", "32.16/reserved"),
        ("blank.spoiled", "32.16/spoiled"),
        ("stock.destroyed", "32.16/destroyed"),
    ]
    assert found.custody[0].from_account == f"{CONTRACT}/outstanding"


def test_2707_of_57540_blanks_spoiled_in_boxes_cost_rows_by_box(office: Office) -> None:
    """Pekalongan 2016: 4.7 %."""
    office.sign(57_540)
    office.deliver(1, 57_540)
    office.move(CENTRE, "33.26", 57_540)
    boxes = [(1 + 20_000 * number, last) for number, last in enumerate((1000, 21_000, 40_707))]
    for first, last in boxes:
        booked = office.do(
            pb.SpoilStockRequest,
            location="33.26",
            item="blank",
            serials=[span(first, last)],
            reason="faulty antenna",
            operator="siti",
        ).spoilage
        review(office, booked.spoilage_id)
    level = office.level("33.26")
    assert level["spoiled"] == 2707
    assert round(100 * level["spoiled"] / 57_540, 1) == 4.7
    assert office.rows(tables.holding) == 6
    office.check_books()
