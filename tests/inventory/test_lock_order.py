"""Whoever waits holds nothing that the other waits for: no order of locks makes a circle."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import chips_pb2, ledger_pb2, movements_pb2, spoilage_pb2

from services.common import db
from services.common.clock import FixedClock
from services.inventory import tables
from services.inventory.blanks import chips
from services.inventory.disposal import tables as disposal_tables
from services.inventory.ledger.books import Books
from services.inventory.ledger.clocks import Clocks
from services.inventory.ledger.entries import Account, Condition, OvertakenError
from tests.inventory.at_once import THREADS, all_at_once, outcome, until_it_waits
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


def test_nobody_takes_spoilage_back_alone_while_a_reviewer_speaks(on_postgresql: list[Office]) -> None:
    office = on_postgresql[0]
    office.supply("ribbon", 10)
    what = {"location": CENTRE, "item": "ribbon", "quantity": 1, "reason": "torn", "operator": "siti"}
    spoilage_id = office.do(spoilage_pb2.SpoilStockRequest, **what).spoilage.spoilage_id
    with office.database.read() as connection:
        newest = sa.select(tables.transfer.c.transfer_id).order_by(tables.transfer.c.entry.desc()).limit(1)
        booked = str(connection.scalar(newest))
    one, state = disposal_tables.spoilage, disposal_tables.spoilage.c.state
    with ThreadPoolExecutor(1) as pool:
        with office.database.transaction() as reviewing:
            reviewing.execute(sa.update(one).where(one.c.spoilage_id == spoilage_id).values(state="accepted"))
            reversing = pool.submit(
                outcome,
                lambda: on_postgresql[1].do(
                    ledger_pb2.ReverseTransferRequest, transfer_id=booked, reason="typo"
                ),
            )
            until_it_waits(office, reversing)
        assert reversing.result(timeout=60) == "REVERSAL_NEEDS_TWO"
    with office.database.read() as connection:
        assert connection.scalars(sa.select(state)).all() == ["accepted"]


def test_a_chip_is_not_used_in_one_lot_while_it_is_listed_with_another(on_postgresql: list[Office]) -> None:
    office, other = on_postgresql
    office.sign(20)
    office.deliver(1, 10)
    second = office.deliver(11, 20)
    held = office.reserve(CENTRE)
    assert held.serial == 1
    with ThreadPoolExecutor(1) as pool:
        with office.database.transaction() as listing:
            chips.enter(listing, second.lot_id, ["04A1B2C3"])
            using = pool.submit(outcome, lambda: other.consume(held.reservation_id, "04A1B2C3"))
            until_it_waits(office, using)
        assert using.result(timeout=60) == "CHIP_FOREIGN"
    office.check_books()


def test_a_chip_is_listed_with_one_lot(on_postgresql: list[Office]) -> None:
    office = on_postgresql[0]
    office.sign(20)
    lots = [office.deliver(first, first + 9).lot_id for first in (1, 11)]

    def enter(office: Office, number: int) -> str:
        listed = {"lot_id": lots[number % 2], "chip_uids": ["04A1B2C3"]}
        return outcome(lambda: office.do(chips_pb2.ListChipsRequest, **listed))

    outcomes = Counter(all_at_once(on_postgresql, enter))
    assert outcomes == {"done": 1, "CHIP_UID_KNOWN": THREADS - 1}


def test_a_lot_is_taken_back_while_its_chips_are_entered(on_postgresql: list[Office]) -> None:
    office, other = on_postgresql
    office.sign(20)
    lot_id = office.deliver(1, 10).lot_id
    with ThreadPoolExecutor(1) as pool:
        with office.database.transaction() as listing:
            chips.enter(listing, lot_id, ["04A1B2C3"])
            reversing = pool.submit(outcome, lambda: other.step("KTP-2017-03", "REVERSE_LOT", lot_id=lot_id))
            until_it_waits(office, reversing)
        assert reversing.result(timeout=60) == "done"
    assert office.rows(chips.LOT_CHIP) == 0
    office.check_books()


def test_who_waits_for_several_accounts_is_not_overtaken_on_the_first(
    on_postgresql: list[Office], clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, other = on_postgresql
    office.supply("ribbon", 10)
    tries: list[OvertakenError] = []
    follow = Clocks.follow

    def begin_again(clocks: Clocks, overtaken: OvertakenError) -> datetime:
        tries.append(overtaken)
        return follow(clocks, overtaken)

    monkeypatch.setattr(Clocks, "follow", begin_again)
    orders = [
        ledger_pb2.NewTransfer(item="ribbon", quantity=1, from_location=CENTRE, to_location=place, reason="r")
        for place in (DKI, BEKASI)
    ]
    with ThreadPoolExecutor(1) as pool:
        with office.database.transaction() as booking:
            books = Books(booking, clock.advance(timedelta(seconds=1)))
            assert books.lock(Account(CENTRE, Condition.ON_HAND, "ribbon")) == 10
            batch = pool.submit(outcome, lambda: other.do(ledger_pb2.PostTransfersRequest, transfers=orders))
            until_it_waits(office, batch)
            books.moment = clock.advance(timedelta(seconds=1))
            books.lock(Account(CENTRE, Condition.ON_HAND, "ribbon"))
        assert batch.result(timeout=60) == "done"
    assert tries == []
    other.check_books()
