"""What others rely on is taken back by two people; a typo of the same day by the one who made it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import ledger_pb2, movements_pb2, spoilage_pb2, stock_pb2
from tunggal.inventory.v1 import reversals_pb2 as pb

from services.common.clock import FixedClock
from services.common.errors import TunggalError
from services.inventory import adapter, tables
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office

A_DAY = timedelta(days=1)


@pytest.fixture
def stocked(office: Office) -> Office:
    office.sign(1000)
    office.deliver(1, 1000)
    return office


@pytest.fixture
def another_certificate(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on the calls come with the certificate of another workplace."""
    return lambda: monkeypatch.setattr(adapter, "caller", lambda _: "operator/bekasi")


def refused(office: Office, kind: type[Any], **fields: Any) -> TunggalError:
    before = office.balances(), office.holdings()
    with pytest.raises(TunggalError) as error:
        office.do(kind, **fields)
    assert error.value.field
    assert error.value.remedy
    assert (office.balances(), office.holdings()) == before
    return error.value


def propose(office: Office, operator: str = "siti", **subject: str) -> pb.Reversal:
    made: pb.Reversal = office.do(
        pb.ProposeReversalRequest, reason="wrong box", operator=operator, **subject
    ).reversal
    return made


def approve(office: Office, reversal_id: str, operator: str = "budi") -> pb.Reversal:
    done: pb.Reversal = office.do(
        pb.ApproveReversalRequest, reversal_id=reversal_id, operator=operator
    ).reversal
    return done


def posted(office: Office, source: str, target: str, quantity: int) -> str:
    (made,) = office.do(
        ledger_pb2.PostTransfersRequest,
        transfers=[
            ledger_pb2.NewTransfer(
                item="blank", quantity=quantity, from_location=source, to_location=target, reason="need"
            )
        ],
    ).transfers
    return str(made.transfer_id)


def test_a_receipt_of_yesterday_is_taken_back_by_two_people(stocked: Office, clock: FixedClock) -> None:
    allocation_id = stocked.move(CENTRE, BEKASI, 100).allocation_id
    clock.advance(A_DAY)
    alone = refused(
        stocked, movements_pb2.ReverseShipmentRequest, allocation_id=allocation_id, reason="wrong box"
    )
    assert (alone.reason, alone.field) == ("REVERSAL_NEEDS_TWO", "allocation_id")
    made = propose(stocked, allocation_id=allocation_id)
    assert (made.kind, made.state) == ("allocation.received", pb.REVERSAL_STATE_PROPOSED)
    assert stocked.level(BEKASI) == {"on_hand": 100}
    again = refused(stocked, pb.ApproveReversalRequest, reversal_id=made.reversal_id, operator="S.I.T.I")
    assert again.reason == "SECOND_PERSON_NEEDED"
    done = approve(stocked, made.reversal_id)
    assert (done.state, done.proposed_by, done.decided_by) == (
        pb.REVERSAL_STATE_APPROVED,
        "operator/cli:siti",
        "operator/cli:budi",
    )
    assert stocked.level(BEKASI) == {"in_transit": 100}
    decided = refused(stocked, pb.ApproveReversalRequest, reversal_id=made.reversal_id, operator="citra")
    assert decided.reason == "REVERSAL_DECIDED"
    stocked.check_books()


def test_what_another_certificate_received_today_takes_two_as_well(
    stocked: Office, another_certificate: Callable[[], None]
) -> None:
    allocation_id = stocked.move(CENTRE, BEKASI, 100).allocation_id
    transfer_id = posted(stocked, CENTRE, DKI, 5)
    another_certificate()
    for kind, subject in (
        (movements_pb2.ReverseShipmentRequest, {"allocation_id": allocation_id}),
        (ledger_pb2.ReverseTransferRequest, {"transfer_id": transfer_id}),
    ):
        assert refused(stocked, kind, **subject, reason="mine now").reason == "REVERSAL_NEEDS_TWO"
        approve(stocked, propose(stocked, **subject).reversal_id)
    assert stocked.level(DKI) == {}
    assert stocked.level(BEKASI) == {"in_transit": 100}
    stocked.check_books()


def test_a_transfer_of_yesterday_is_taken_back_by_two_people_and_once(
    stocked: Office, clock: FixedClock
) -> None:
    transfer_id = posted(stocked, CENTRE, DKI, 5)
    clock.advance(A_DAY)
    alone = refused(stocked, ledger_pb2.ReverseTransferRequest, transfer_id=transfer_id, reason="typo")
    assert alone.reason == "REVERSAL_NEEDS_TWO"
    first, second = (propose(stocked, transfer_id=transfer_id) for _ in range(2))
    approve(stocked, first.reversal_id)
    assert stocked.level(CENTRE) == {"on_hand": 1000}
    late = refused(stocked, pb.ApproveReversalRequest, reversal_id=second.reversal_id, operator="budi")
    assert late.reason == "REVERSED_BEFORE"
    back = stocked.send(ledger_pb2.GetTransferRequest(transfer_id=transfer_id)).transfer.reversed_by
    done, waits = stocked.send(pb.ListReversalsRequest()).reversals
    assert (done.stale, waits.stale) == ("", f"Transfer {back} has taken it back.")
    stocked.check_books()


def test_approval_of_a_receipt_never_takes_the_dispatch_back(stocked: Office) -> None:
    allocation_id = stocked.move(CENTRE, BEKASI, 100).allocation_id
    made = propose(stocked, allocation_id=allocation_id)
    waiting = pb.ListReversalsRequest(state=pb.REVERSAL_STATE_PROPOSED)
    assert not stocked.send(waiting).reversals[0].stale
    stocked.do(movements_pb2.ReverseShipmentRequest, allocation_id=allocation_id, reason="my typo")
    assert stocked.send(waiting).reversals[0].stale
    stale = refused(stocked, pb.ApproveReversalRequest, reversal_id=made.reversal_id, operator="budi")
    assert stale.reason == "REVERSAL_STALE"
    stocked.receive(allocation_id)
    stale = refused(stocked, pb.ApproveReversalRequest, reversal_id=made.reversal_id, operator="budi")
    assert stale.reason == "REVERSAL_STALE"


def test_a_second_person_may_let_it_stand(stocked: Office) -> None:
    made = propose(stocked, transfer_id=posted(stocked, CENTRE, DKI, 5))
    own = refused(stocked, pb.RejectReversalRequest, reversal_id=made.reversal_id, operator="siti")
    assert own.reason == "SECOND_PERSON_NEEDED"
    stocked.do(pb.RejectReversalRequest, reversal_id=made.reversal_id, operator="budi")
    assert stocked.level(DKI) == {"on_hand": 5}
    waiting = pb.ListReversalsRequest(state=pb.REVERSAL_STATE_PROPOSED)
    assert not stocked.send(waiting).reversals
    (listed,) = stocked.send(pb.ListReversalsRequest(state=pb.REVERSAL_STATE_REJECTED)).reversals
    assert listed.decided_by == "operator/cli:budi"


def test_what_cannot_be_taken_back_cannot_be_proposed(stocked: Office) -> None:
    made = stocked.allocate(CENTRE, BEKASI, 10)
    absent = "00000000-0000-4000-8000-000000000000"
    for subject, reason in (
        ({"allocation_id": made.allocation_id}, "NOTHING_TO_REVERSE"),
        ({"allocation_id": absent}, "ALLOCATION_UNKNOWN"),
        ({"transfer_id": absent}, "TRANSFER_UNKNOWN"),
        ({"transfer_id": stocked.blank(1).custody[-1].transfer_id}, "NOT_REVERSIBLE"),
    ):
        error = refused(stocked, pb.ProposeReversalRequest, reason="r", operator="siti", **subject)
        assert error.reason == reason
    error = refused(stocked, pb.ApproveReversalRequest, reversal_id=absent, operator="budi")
    assert error.reason == "REVERSAL_UNKNOWN"


def spoiled(office: Office) -> tuple[str, str]:
    booked = office.do(
        spoilage_pb2.SpoilStockRequest,
        location=CENTRE,
        item="blank",
        serials=[stock_pb2.SerialRange(first=11, last=20)],
        reason="wet",
        operator="siti",
    ).spoilage
    return booked.spoilage_id, office.blank(11).custody[-1].transfer_id


def test_the_wrong_box_called_wet_is_stock_again(stocked: Office) -> None:
    _, transfer_id = spoiled(stocked)
    stocked.do(ledger_pb2.ReverseTransferRequest, transfer_id=transfer_id, reason="box 2, not box 1")
    assert stocked.level(CENTRE) == {"on_hand": 1000}
    (booked,) = stocked.send(spoilage_pb2.ListSpoilageRequest()).spoilage
    assert booked.state == spoilage_pb2.SPOILAGE_STATE_REVERSED
    stocked.check_books()


def test_what_a_reviewer_has_seen_spoiled_takes_two_to_be_whole_again(stocked: Office) -> None:
    spoilage_id, transfer_id = spoiled(stocked)
    stocked.do(
        spoilage_pb2.ReviewSpoilageRequest,
        spoilage_id=spoilage_id,
        accepted=True,
        review="wet indeed",
        operator="budi",
    )
    alone = refused(stocked, ledger_pb2.ReverseTransferRequest, transfer_id=transfer_id, reason="dry again")
    assert alone.reason == "REVERSAL_NEEDS_TWO"
    approve(stocked, propose(stocked, transfer_id=transfer_id).reversal_id)
    assert stocked.level(CENTRE) == {"on_hand": 1000}


@pytest.mark.parametrize("item", ["blank", "ribbon"])
def test_what_two_phases_moved_comes_back_to_free_stock(
    stocked: Office, clock: FixedClock, item: str
) -> None:
    """Their first phase has ended for good: what went back to it could be neither posted nor voided."""
    stocked.supply("ribbon", 10)
    before = stocked.balances()
    order = ledger_pb2.NewTransfer(
        item=item, quantity=4, from_location=CENTRE, to_location=DKI, reason="perhaps"
    )
    order.pending_until.FromDatetime(clock.now() + A_DAY)
    (opened,) = stocked.do(ledger_pb2.PostTransfersRequest, transfers=[order]).transfers
    stocked.do(ledger_pb2.PostPendingRequest, transfer_id=opened.transfer_id)
    posted_id = last_transfer(stocked)
    back = stocked.do(ledger_pb2.ReverseTransferRequest, transfer_id=posted_id, reason="not needed").transfer
    assert {line.to_account for line in back.lines} == {
        "ID/on-hand" if item == "blank" else "ID/ribbon/on-hand"
    }
    assert stocked.balances() == before
    assert stocked.reserve(CENTRE).serial == 1
    stocked.check_books()


def last_transfer(office: Office) -> str:
    with office.database.read() as connection:
        newest = sa.select(tables.transfer.c.transfer_id).order_by(tables.transfer.c.entry.desc()).limit(1)
        return str(connection.scalar(newest))


def test_the_check_of_the_books_names_stock_that_is_set_aside_for_nothing(stocked: Office) -> None:
    reserved = stocked.reserve(CENTRE)
    allocated = stocked.allocate(CENTRE, DKI, 5)
    stocked.check_books()
    with stocked.database.transaction() as connection:
        for key, made, ended in (
            (tables.reservation.c.reservation_id, reserved.reservation_id, "released"),
            (tables.allocation.c.allocation_id, allocated.allocation_id, "received"),
        ):
            connection.execute(sa.update(key.table).where(key == made).values(state=ended))
    assert list(stocked.send(ledger_pb2.CheckBooksRequest()).findings) == [
        "ID/allocated has 5 set aside, 0 of it for something that is open.",
        "ID/reserved has 1 set aside, 0 of it for something that is open.",
    ]
