"""Protocols that went stale, and rolls that nobody can tell apart."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import (
    conveyances_pb2,
    ledger_pb2,
    movements_pb2,
    reversals_pb2,
)
from tunggal.inventory.v1 import spoilage_pb2 as pb

from services.common.errors import FailedPrecondition
from services.inventory import tables
from tests.inventory.inventory_office import BEKASI, CENTRE, Office
from tests.inventory.scrap_papers import prepare, refusal, review, span, spoil, witness


@pytest.fixture
def stocked(office: Office) -> Office:
    """At Bekasi: blanks 1 to 100 and 20 rolls of ribbon."""
    office.sign(5000)
    office.deliver(1, 5000)
    office.move(CENTRE, BEKASI, 100)
    office.supply("ribbon", 20, BEKASI)
    return office


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
