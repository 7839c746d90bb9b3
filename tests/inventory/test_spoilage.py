"""What is spoiled has a reason and a reviewer, and ends before a witness with a signed protocol."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from tunggal.inventory.v1 import (
    conveyances_pb2,
    inventory_pb2,
    ledger_pb2,
    movements_pb2,
    reversals_pb2,
    stock_pb2,
)
from tunggal.inventory.v1 import spoilage_pb2 as pb

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
        location=fields.pop("location", BEKASI),
        item=fields.pop("item", "blank"),
        serials=serials,
        method="burned",
        operator="siti",
        **fields,
    ).destruction
    return made


def witness(office: Office, made: pb.Destruction, operator: str = "saksi") -> pb.Destruction:
    seen: pb.Destruction = office.do(
        pb.WitnessDestructionRequest,
        destruction_id=made.destruction_id,
        prepared_sha256=made.prepared_sha256,
        operator=operator,
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


def refusal(office: Office, kind: type[Any], **fields: Any) -> str:
    with pytest.raises(TunggalError) as error:
        office.do(kind, **fields)
    assert error.value.field
    assert error.value.remedy
    return error.value.reason


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


def waiting(office: Office) -> list[pb.Destruction]:
    return list(office.send(pb.ListDestructionsRequest(prepared_only=True)).destructions)


def withdraw(office: Office, made: pb.Destruction) -> pb.Destruction:
    gone: pb.Destruction = office.do(
        pb.WithdrawDestructionRequest,
        destruction_id=made.destruction_id,
        reason="the box dried",
        operator="siti",
    ).destruction
    return gone


def test_a_destruction_that_cannot_be_witnessed_any_more_says_why_and_can_be_withdrawn(
    stocked: Office,
) -> None:
    booked = spoil(stocked, serials=[span(41, 50)])
    review(stocked, booked.spoilage_id)
    made = prepare(stocked, span(41, 50))
    (fresh,) = waiting(stocked)
    assert (fresh.destruction_id, fresh.stale) == (made.destruction_id, "")
    review(stocked, booked.spoilage_id, accepted=False)
    (stale,) = waiting(stocked)
    assert stale.stale == "10 spoiled blank at 32.16 are not accepted by a reviewer."
    review(stocked, booked.spoilage_id, operator="dewi")
    assert "a review or a card changed" in waiting(stocked)[0].stale

    gone = withdraw(stocked, made)
    assert (gone.withdrawn_by, gone.withdraw_reason) == ("operator/cli:siti", "the box dried")
    assert gone.HasField("withdraw_time")
    assert waiting(stocked) == []
    assert stocked.send(pb.GetDestructionRequest(destruction_id=made.destruction_id)).destruction == gone
    assert stocked.level(BEKASI) == {"on_hand": 90, "spoiled": 10}
    what = {"destruction_id": made.destruction_id, "operator": "saksi"}
    digest = {"prepared_sha256": made.prepared_sha256}
    assert refusal(stocked, pb.WitnessDestructionRequest, **what, **digest) == "DESTRUCTION_WITHDRAWN"
    again = refusal(stocked, pb.WithdrawDestructionRequest, **what, reason="again")
    assert again == "DESTRUCTION_WITHDRAWN"
    witness(stocked, prepare(stocked, span(41, 50)))
    stocked.check_books()


def test_what_burned_under_another_paper_makes_a_prepared_one_stale(stocked: Office) -> None:
    """The same box is written down twice, and rolls for which too few are left."""
    review(stocked, spoil(stocked, serials=[span(41, 50)]).spoilage_id)
    review(stocked, spoil(stocked, "ribbon", quantity=5).spoilage_id)
    papers = [prepare(stocked, span(41, 50)) for _ in range(2)]
    papers += [prepare(stocked, item="ribbon", quantity=quantity) for quantity in (3, 4)]
    witness(stocked, papers[0])
    witness(stocked, papers[2])
    assert [one.stale for one in waiting(stocked)] == [
        "Serials 41–50 are neither spoiled nor withdrawn at 32.16: they are in 32.16/destroyed.",
        "32.16 has 2 spoiled ribbon, asked for 4.",
    ]
    done = withdraw(stocked, papers[1])
    late = refusal(
        stocked,
        pb.WithdrawDestructionRequest,
        destruction_id=papers[0].destruction_id,
        reason="r",
        operator="siti",
    )
    assert (done.stale, late) == ("", "DESTRUCTION_WITNESSED")
    stocked.check_books()


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


def test_accepted_rolls_that_left_are_not_taken_back_with_the_rolls_of_others(stocked: Office) -> None:
    """Else five rolls would burn of which no reviewer accepted one."""
    accepted = spoil(stocked, "ribbon", quantity=5)
    review(stocked, accepted.spoilage_id)
    (first,) = transfers(stocked, "stock.spoiled")
    spoil(stocked, "ribbon", quantity=5)
    stocked.do(
        conveyances_pb2.SendConveyanceRequest,
        from_location=BEKASI,
        to_location="32",
        item="ribbon",
        quantity=4,
        reason="furnace",
        operator="siti",
    )
    back = stocked.do(
        reversals_pb2.ProposeReversalRequest, transfer_id=first, reason="dry again", operator="siti"
    ).reversal
    before = stocked.balances()
    with pytest.raises(FailedPrecondition) as error:
        stocked.do(reversals_pb2.ApproveReversalRequest, reversal_id=back.reversal_id, operator="budi")
    assert (error.value.reason, error.value.field) == ("SPOILED_MOVED_ON", "reversal_id")
    assert stocked.balances() == before
    _, second = transfers(stocked, "stock.spoiled")
    stocked.do(ledger_pb2.ReverseTransferRequest, transfer_id=second, reason="those are dry")
    assert stocked.balances(BEKASI, "ribbon")["32.16/ribbon/spoiled"] == 1
    stocked.check_books()


def test_damaged_rolls_that_were_sent_on_stop_the_reversal_of_their_receipt(stocked: Office) -> None:
    sent = stocked.do(
        movements_pb2.AllocateItemRequest,
        from_location=BEKASI,
        to_location=CENTRE,
        item="ribbon",
        quantity=6,
        reason="r",
    ).allocation
    stocked.dispatch(sent.allocation_id)
    stocked.do(
        movements_pb2.ReceiveShipmentRequest,
        allocation_id=sent.allocation_id,
        damaged=movements_pb2.Parcel(quantity=5),
        operator="siti",
    )
    (damaged,) = stocked.send(pb.ListSpoilageRequest(location=CENTRE)).spoilage
    review(stocked, damaged.spoilage_id)
    stocked.supply("ribbon", 5)
    stocked.do(
        pb.SpoilStockRequest, location=CENTRE, item="ribbon", quantity=5, reason="torn", operator="siti"
    )
    witness(stocked, prepare(stocked, item="ribbon", quantity=5, location=CENTRE))
    back = stocked.do(
        reversals_pb2.ProposeReversalRequest, allocation_id=sent.allocation_id, reason="r", operator="siti"
    ).reversal
    with pytest.raises(FailedPrecondition) as error:
        stocked.do(reversals_pb2.ApproveReversalRequest, reversal_id=back.reversal_id, operator="budi")
    assert error.value.reason == "SPOILED_MOVED_ON"
    stocked.check_books()


def transfers(office: Office, kind: str) -> list[str]:
    with office.database.read() as connection:
        booked = tables.transfer.c
        query = sa.select(booked.transfer_id).where(booked.kind == kind).order_by(booked.entry)
        return list(connection.scalars(query))
