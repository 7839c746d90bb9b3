"""What is spoiled has a reason and a reviewer, and ends before a witness with a signed protocol."""

from __future__ import annotations

import hashlib
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from tunggal.inventory.v1 import (
    inventory_pb2,
    movements_pb2,
    stock_pb2,
)
from tunggal.inventory.v1 import spoilage_pb2 as pb

from services.common.errors import FailedPrecondition, TunggalError
from services.inventory import tables
from services.inventory.statement.signing import is_signed
from tests.inventory.inventory_office import BEKASI, CENTRE, CONTRACT, Office, new_id
from tests.inventory.scrap_papers import prepare, refusal, review, span, spoil, witness


@pytest.fixture
def stocked(office: Office) -> Office:
    """At Bekasi: blanks 1 to 100 and 20 rolls of ribbon."""
    office.sign(5000)
    office.deliver(1, 5000)
    office.move(CENTRE, BEKASI, 100)
    office.supply("ribbon", 20, BEKASI)
    return office


def test_stock_spoils_with_a_reason_and_a_reviewer(stocked: Office) -> None:
    booked = spoil(stocked, serials=[span(41, 50), span(61, 61)])
    assert (booked.quantity, booked.state) == (11, pb.SPOILAGE_STATE_BOOKED)
    assert stocked.level(BEKASI) == {"on_hand": 89, "spoiled": 11}
    with pytest.raises(TunggalError) as error:
        review(stocked, booked.spoilage_id, operator="siti")
    assert error.value.reason == "SECOND_PERSON_NEEDED"
    said = review(stocked, booked.spoilage_id)
    assert (said.state, said.reviewed_by) == (pb.SPOILAGE_STATE_ACCEPTED, "operator/cli:budi")
    review(stocked, booked.spoilage_id, accepted=False, operator="citra")
    (listed,) = stocked.send(pb.ListSpoilageRequest()).spoilage
    assert [(word.reviewed_by, word.state) for word in listed.reviews] == [
        ("operator/cli:budi", pb.SPOILAGE_STATE_ACCEPTED),
        ("operator/cli:citra", pb.SPOILAGE_STATE_QUESTIONED),
    ]
    stocked.check_books()


def test_a_card_that_a_job_spoiled_waits_for_its_reviewer_too(stocked: Office) -> None:
    stocked.spoil(stocked.reserve(BEKASI).reservation_id, "printed askew")
    (booked,) = stocked.send(pb.ListSpoilageRequest(location=BEKASI)).spoilage
    assert (booked.quantity, booked.reason, booked.booked_by) == (1, "printed askew", "operator/cli:loket-3")
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
        witness(stocked, prepared, "siti")
    assert error.value.reason == "SECOND_PERSON_NEEDED"

    done = witness(stocked, prepared)
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
        witness(stocked, prepared, "lain")
    assert again.value.reason == "DESTRUCTION_WITNESSED"
    stocked.check_books()


def test_a_protocol_comes_with_the_key_that_signed_it_whoever_is_asked(replicas: list[Office]) -> None:
    office, other = replicas
    assert office.key.public_key() != other.key.public_key()
    office.sign(100)
    office.deliver(1, 100)
    booked = spoil(office, location=CENTRE, serials=[span(1, 2)])
    review(office, booked.spoilage_id)
    done = witness(office, prepare(office, span(1, 2), location=CENTRE))
    asked = other.send(pb.GetDestructionRequest(destruction_id=done.destruction_id)).destruction
    (listed,) = other.send(pb.ListDestructionsRequest()).destructions
    assert asked == listed == done
    assert is_signed(asked.public_key.encode(), asked.protocol, asked.signature)


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
    witness(stocked, prepare(stocked, span(held.serial, held.serial)))
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


def test_a_reviewer_who_changes_their_word_stops_the_witness(stocked: Office) -> None:
    booked = spoil(stocked, serials=[span(41, 50)])
    review(stocked, booked.spoilage_id)
    made = prepare(stocked, span(41, 50))
    what = {"destruction_id": made.destruction_id, "prepared_sha256": made.prepared_sha256}
    review(stocked, booked.spoilage_id, accepted=False)
    assert refusal(stocked, pb.WitnessDestructionRequest, **what, operator="saksi") == "SPOILAGE_NOT_ACCEPTED"
    review(stocked, booked.spoilage_id, operator="dewi")  # accepted again, but by somebody else
    assert refusal(stocked, pb.WitnessDestructionRequest, **what, operator="saksi") == "DESTRUCTION_CHANGED"
    assert stocked.level(BEKASI) == {"on_hand": 90, "spoiled": 10}
    done = witness(stocked, prepare(stocked, span(41, 50)))
    assert json.loads(done.protocol)["spoilage"] == [booked.spoilage_id]


def test_the_witness_signs_what_they_read_and_nothing_else(stocked: Office) -> None:
    review(stocked, spoil(stocked, serials=[span(41, 50)]).spoilage_id)
    read, other = prepare(stocked, span(41, 45)), prepare(stocked, span(41, 50))
    swapped = refusal(
        stocked,
        pb.WitnessDestructionRequest,
        destruction_id=other.destruction_id,
        prepared_sha256=read.prepared_sha256,
        operator="saksi",
    )
    assert swapped == "NOT_WHAT_WAS_PREPARED"
    assert hashlib.sha256(read.prepared.encode()).hexdigest() == read.prepared_sha256
    prepared, protocol = json.loads(read.prepared), json.loads(witness(stocked, read).protocol)
    assert protocol["prepared_sha256"] == read.prepared_sha256
    assert {key: protocol[key] for key in prepared if key != "type"} == {
        key: value for key, value in prepared.items() if key != "type"
    }
    waiting = stocked.send(pb.ListDestructionsRequest(location=BEKASI, prepared_only=True)).destructions
    assert [one.destruction_id for one in waiting] == [other.destruction_id]


def test_other_spoilage_that_waits_does_not_hold_up_what_was_accepted(stocked: Office) -> None:
    review(stocked, spoil(stocked, serials=[span(41, 50)]).spoilage_id)
    made = prepare(stocked, span(41, 50))
    spoil(stocked, serials=[span(61, 61)])
    witness(stocked, made)
    with pytest.raises(FailedPrecondition) as error:
        prepare(stocked, span(61, 61))
    assert error.value.reason == "SPOILAGE_NOT_ACCEPTED"


def test_what_waits_between_two_ranges_does_not_hold_them_up(stocked: Office) -> None:
    around = [span(41, 42), span(45, 46)]
    review(stocked, spoil(stocked, serials=around).spoilage_id)
    spoil(stocked, serials=[span(43, 44)])
    witness(stocked, prepare(stocked, *around))
    assert stocked.level(BEKASI)["spoiled"] == 2


def test_a_destruction_that_nobody_prepared_has_no_papers(stocked: Office) -> None:
    with pytest.raises(TunggalError) as error:
        stocked.send(pb.GetDestructionRequest(destruction_id=new_id()))
    assert error.value.reason == "DESTRUCTION_UNKNOWN"


def test_no_more_rolls_are_destroyed_than_were_accepted(stocked: Office) -> None:
    review(stocked, spoil(stocked, "ribbon", quantity=3).spoilage_id)
    made = prepare(stocked, item="ribbon", quantity=3)
    doubted = spoil(stocked, "ribbon", quantity=2)
    with pytest.raises(FailedPrecondition) as error:
        prepare(stocked, item="ribbon", quantity=4)
    assert error.value.metadata["quantity"] == "1"
    witness(stocked, made)
    review(stocked, doubted.spoilage_id, accepted=False)
    with pytest.raises(FailedPrecondition):
        prepare(stocked, item="ribbon", quantity=1)


def test_who_found_the_damage_does_not_review_it(stocked: Office) -> None:
    made = stocked.allocate(CENTRE, BEKASI, 5)
    stocked.dispatch(made.allocation_id)
    stocked.do(
        movements_pb2.ReceiveShipmentRequest,
        allocation_id=made.allocation_id,
        damaged=movements_pb2.Parcel(serials=[span(101, 102)]),
        operator="siti",
    )
    (booked,) = stocked.send(pb.ListSpoilageRequest()).spoilage
    assert booked.booked_by == "operator/cli:siti"
    with pytest.raises(TunggalError) as error:
        review(stocked, booked.spoilage_id, operator="siti")
    assert error.value.reason == "SECOND_PERSON_NEEDED"


def test_nobody_reviews_what_their_own_certificate_spoiled_without_a_name(stocked: Office) -> None:
    held = stocked.reserve(BEKASI)
    stocked.do(inventory_pb2.SpoilBlankRequest, reservation_id=held.reservation_id, reason="bent")
    (booked,) = stocked.send(pb.ListSpoilageRequest()).spoilage
    with pytest.raises(TunggalError) as error:
        review(stocked, booked.spoilage_id)
    assert error.value.reason == "SECOND_PERSON_NEEDED"
