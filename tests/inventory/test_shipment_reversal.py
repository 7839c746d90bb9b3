"""Receipts and dispatches taken back: balances, custody, spoilage and debts are as they were before."""

from __future__ import annotations

from typing import Any

import pytest
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import movements_pb2, spoilage_pb2, stock_pb2

from services.common.clock import FixedClock
from services.common.errors import FailedPrecondition
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office


@pytest.fixture
def stocked(office: Office) -> Office:
    office.sign(1000)
    office.deliver(1, 1000)
    return office


def span(first: int, last: int) -> list[stock_pb2.SerialRange]:
    return [stock_pb2.SerialRange(first=first, last=last)]


def reverse(office: Office, allocation_id: str, reason: str = "counted the wrong box") -> Any:
    return office.do(
        movements_pb2.ReverseShipmentRequest, allocation_id=allocation_id, reason=reason
    ).allocation


def sent(office: Office, quantity: int = 100, source: str = CENTRE, target: str = BEKASI) -> str:
    allocation_id: str = office.allocate(source, target, quantity).allocation_id
    office.dispatch(allocation_id)
    return allocation_id


def test_a_receipt_with_everything_wrong_is_taken_back_and_done_again(stocked: Office) -> None:
    allocation_id = sent(stocked)
    before = stocked.balances()
    stocked.do(
        movements_pb2.ReceiveShipmentRequest,
        allocation_id=allocation_id,
        missing=movements_pb2.Parcel(serials=span(1, 2)),
        damaged=movements_pb2.Parcel(serials=span(50, 50)),
        surplus=movements_pb2.Parcel(serials=span(200, 209)),
        reason="box 7",
        operator="siti",
    )
    assert stocked.level(BEKASI) == {"on_hand": 107, "spoiled": 1, "missing": 2}
    again = reverse(stocked, allocation_id)
    assert again.state == stock_pb2.ALLOCATION_STATE_DISPATCHED
    assert (again.missing, again.damaged, again.surplus) == (0, 0, 0)
    assert stocked.blank(50).blank.spoil_reason == "", "it is stock again, whatever it was taken for"
    assert stocked.balances() == before
    assert stocked.holdings() == [(1, 100, "32.16/in-transit"), (101, 1000, "ID/on-hand")]
    (spoilage,) = stocked.send(spoilage_pb2.ListSpoilageRequest()).spoilage
    assert spoilage.state == spoilage_pb2.SPOILAGE_STATE_REVERSED
    stocked.check_books()

    stocked.receive(allocation_id)
    assert stocked.level(BEKASI) == {"on_hand": 100}
    kinds = [step.kind for step in stocked.blank(50).custody]
    assert kinds[-3:] == ["receipt.damaged", "shipment.reversed", "allocation.received"]
    stocked.check_books()


def test_spoilage_that_was_taken_back_waits_for_nobody(stocked: Office) -> None:
    allocation_id = sent(stocked)
    stocked.do(
        movements_pb2.ReceiveShipmentRequest,
        allocation_id=allocation_id,
        damaged=movements_pb2.Parcel(serials=span(1, 1)),
        operator="siti",
    )
    (booked,) = stocked.send(spoilage_pb2.ListSpoilageRequest()).spoilage
    reverse(stocked, allocation_id)
    with pytest.raises(FailedPrecondition) as refused:
        stocked.do(
            spoilage_pb2.ReviewSpoilageRequest,
            spoilage_id=booked.spoilage_id,
            accepted=True,
            review="seen",
            operator="budi",
        )
    assert refused.value.reason == "SPOILAGE_REVERSED"


def test_a_dispatch_is_taken_back_and_the_allocation_can_be_withdrawn(stocked: Office) -> None:
    allocation_id = sent(stocked)
    again = reverse(stocked, allocation_id, "the lorry broke down in the yard")
    assert again.state == stock_pb2.ALLOCATION_STATE_ALLOCATED
    assert not again.HasField("dispatch_time")
    assert stocked.level(CENTRE) == {"on_hand": 900, "allocated": 100}
    assert stocked.level(BEKASI) == {}
    stocked.cancel(allocation_id)
    assert stocked.level(CENTRE) == {"on_hand": 1000}
    stocked.check_books()


def test_sent_and_taken_back_twice_each_reversal_has_its_own_original(stocked: Office) -> None:
    allocation_id = sent(stocked)
    for _ in range(2):
        stocked.receive(allocation_id)
        reverse(stocked, allocation_id)
        reverse(stocked, allocation_id)
        stocked.dispatch(allocation_id)
    stocked.receive(allocation_id)
    assert stocked.level(BEKASI) == {"on_hand": 100}
    stocked.check_books()


def test_a_receipt_stands_once_one_of_its_blanks_became_a_card(stocked: Office) -> None:
    allocation_id = sent(stocked)
    stocked.receive(allocation_id)
    stocked.consume(stocked.reserve(BEKASI).reservation_id, "04A1B2C3")
    before = stocked.balances()
    with pytest.raises(FailedPrecondition) as refused:
        reverse(stocked, allocation_id)
    assert refused.value.reason == "INSUFFICIENT_STOCK"
    stocked.move(CENTRE, BEKASI, 1)
    with pytest.raises(FailedPrecondition) as refused:
        reverse(stocked, allocation_id)
    assert (refused.value.reason, refused.value.field) == ("SERIALS_NOT_THERE", "allocation_id")
    assert "moved on" in str(refused.value.remedy)
    assert before.keys() == stocked.balances().keys()
    stocked.check_books()


def test_what_was_neither_sent_nor_received_is_not_taken_back(stocked: Office) -> None:
    made = stocked.allocate(CENTRE, BEKASI, 10)
    with pytest.raises(FailedPrecondition) as refused:
        reverse(stocked, made.allocation_id)
    assert refused.value.reason == "NOTHING_TO_REVERSE"


def lend(office: Office, quantity: int) -> tuple[str, str]:
    loan = office.do(
        movements_pb2.ProposeLoanRequest,
        lender=DKI,
        borrower=BEKASI,
        item="blank",
        quantity=quantity,
        due="2027-01-01",
        reason="equal run-out",
        operator="siti",
    ).loan
    approved = office.do(movements_pb2.ApproveLoanRequest, loan_id=loan.loan_id, operator="budi")
    office.dispatch(approved.allocation.allocation_id)
    return loan.loan_id, approved.allocation.allocation_id


def owed(office: Office, loan_id: str, clock: FixedClock) -> tuple[int, int]:
    (loan,) = office.send(movements_pb2.ListLoansRequest(location=BEKASI)).loans
    assert loan.loan_id == loan_id
    return loan.owed, office.balances(at=clock.now()).get("32.16/blank/borrowed", 0)


def test_the_debt_of_a_loan_goes_and_comes_with_its_receipts(stocked: Office, clock: FixedClock) -> None:
    stocked.move(CENTRE, DKI, 200)
    loan_id, allocation_id = lend(stocked, 40)
    stocked.receive(allocation_id)
    assert owed(stocked, loan_id, clock) == (40, -40)
    reverse(stocked, allocation_id)
    assert owed(stocked, loan_id, clock) == (0, 0)
    stocked.receive(allocation_id)
    back = stocked.do(movements_pb2.ReturnLoanRequest, loan_id=loan_id, quantity=40).allocation
    stocked.dispatch(back.allocation_id)
    stocked.receive(back.allocation_id)
    assert owed(stocked, loan_id, clock) == (0, 0)
    reverse(stocked, back.allocation_id)
    assert owed(stocked, loan_id, clock) == (40, -40)
    stocked.receive(back.allocation_id)
    assert owed(stocked, loan_id, clock) == (0, 0)
    stocked.check_books()


def test_rolls_have_no_serials_and_are_taken_back_all_the_same(office: Office) -> None:
    office.supply("ribbon", 20)
    made = office.do(
        movements_pb2.AllocateItemRequest,
        item="ribbon",
        from_location=CENTRE,
        to_location=BEKASI,
        quantity=8,
        reason="need",
    ).allocation
    office.dispatch(made.allocation_id)
    before = office.balances()
    office.do(
        movements_pb2.ReceiveShipmentRequest,
        allocation_id=made.allocation_id,
        missing=movements_pb2.Parcel(quantity=1),
        surplus=movements_pb2.Parcel(quantity=2),
    )
    reverse(office, made.allocation_id)
    assert office.balances() == before
    office.send(pb.GetAllocationRequest(allocation_id=made.allocation_id))
    office.check_books()
