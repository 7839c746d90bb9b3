"""Whoever waits holds nothing that the other waits for: no order of locks makes a circle."""

from __future__ import annotations

import pytest
from tunggal.inventory.v1 import ledger_pb2, movements_pb2

from services.common import db
from tests.inventory.at_once import all_at_once, outcome
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office


@pytest.fixture
def stocked(replicas: list[Office], monkeypatch: pytest.MonkeyPatch) -> list[Office]:
    """100 blanks and 100 rolls at two places each; a deadlock is not tried again and so is seen."""
    monkeypatch.setattr(db, "ATTEMPTS", 1)
    office = replicas[0]
    office.sign(300)
    office.deliver(1, 300)
    for place in (DKI, BEKASI):
        office.move(CENTRE, place, 100)
        office.supply("ribbon", 100, place)
    return replicas


def lent(office: Office, quantity: int, lender: str, borrower: str) -> str:
    loan = office.do(
        movements_pb2.ProposeLoanRequest,
        lender=lender,
        borrower=borrower,
        item="ribbon",
        quantity=quantity,
        due="2026-12-31",
        reason="r",
        operator="siti",
    ).loan
    sent = office.do(movements_pb2.ApproveLoanRequest, loan_id=loan.loan_id, operator="budi").allocation
    office.dispatch(sent.allocation_id)
    office.receive(sent.allocation_id)
    return str(loan.loan_id)


def test_a_return_that_arrives_or_is_called_off_while_more_goes_back(stocked: list[Office]) -> None:
    office, loan_id = stocked[0], lent(stocked[0], 60, DKI, BEKASI)
    for _ in range(6):
        first, second = (
            office.do(movements_pb2.ReturnLoanRequest, loan_id=loan_id, quantity=1).allocation.allocation_id
            for _ in range(2)
        )
        office.dispatch(first)

        def step(office: Office, number: int, first: str = first, second: str = second) -> str:
            if number == 0:
                return outcome(lambda: office.receive(first))
            if number == 1:
                return outcome(lambda: office.cancel(second))
            return outcome(lambda: office.do(movements_pb2.ReturnLoanRequest, loan_id=loan_id, quantity=1))

        assert set(all_at_once(stocked, step, threads=6)) == {"done"}
    office.check_books()


def test_two_places_that_find_each_other_s_surplus(stocked: list[Office]) -> None:
    office = stocked[0]
    for _ in range(6):
        sent = {}
        for source, target in ((DKI, BEKASI), (BEKASI, DKI)):
            made = office.do(
                movements_pb2.AllocateItemRequest,
                item="ribbon",
                from_location=source,
                to_location=target,
                quantity=2,
                reason="r",
            ).allocation
            office.dispatch(made.allocation_id)
            sent[target] = made.allocation_id

        def receive(office: Office, number: int, sent: dict[str, str] = sent) -> str:
            return outcome(
                lambda: office.do(
                    movements_pb2.ReceiveShipmentRequest,
                    allocation_id=sent[(DKI, BEKASI)[number]],
                    surplus=movements_pb2.Parcel(quantity=1),
                )
            )

        assert all_at_once(stocked, receive, threads=2) == ["done", "done"]
    office.check_books()


def test_batches_that_name_the_same_places_in_another_order(stocked: list[Office]) -> None:
    def order(source: str, target: str) -> ledger_pb2.NewTransfer:
        return ledger_pb2.NewTransfer(
            item="ribbon", quantity=1, from_location=source, to_location=target, reason="r"
        )

    there, back = order(DKI, "33"), order(BEKASI, "34")

    def post(office: Office, number: int) -> list[str]:
        transfers = [there, back] if number % 2 else [back, there]
        return [
            outcome(lambda: office.do(ledger_pb2.PostTransfersRequest, transfers=transfers)) for _ in range(8)
        ]

    assert {each for made in all_at_once(stocked, post) for each in made} == {"done"}
    stocked[0].check_books()
