"""Two people press the same button, on two replicas: what was one step stays one step."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import (
    conveyances_pb2,
    counts_pb2,
    ledger_pb2,
    movements_pb2,
    reversals_pb2,
    spoilage_pb2,
    stock_pb2,
    withdrawals_pb2,
)
from tunggal.inventory.v1 import inventory_pb2 as pb

from services.common.clock import FixedClock
from services.inventory.ledger.books import Books
from services.inventory.ledger.entries import Account, Condition
from services.inventory.movements import tables as movement_tables
from tests.inventory.at_once import THREADS, all_at_once, outcome, until_it_waits
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office

FAIR = "32.16:fair"


@pytest.fixture
def stocked(replicas: list[Office]) -> list[Office]:
    """1,000 blanks and 100 rolls at the centre, on two replicas."""
    replicas[0].sign(1000)
    replicas[0].deliver(1, 1000)
    replicas[0].supply("ribbon", 100)
    return replicas


def everybody(replicas: list[Office], kind: type[Any], **fields: Any) -> Counter[str]:
    """What became of the same step, taken by eight people at once."""
    return Counter(
        all_at_once(
            replicas,
            lambda office, number: outcome(lambda: office.do(kind, **fields, operator=f"op-{number}")),
        )
    )


def test_a_requisition_is_granted_once(stocked: list[Office]) -> None:
    asked = (
        stocked[0]
        .do(
            movements_pb2.CreateRequisitionRequest,
            location=BEKASI,
            item="blank",
            quantity=10,
            reason="need",
            operator="siti",
        )
        .requisition
    )
    outcomes = everybody(
        stocked,
        movements_pb2.ApproveRequisitionRequest,
        requisition_id=asked.requisition_id,
        from_location=CENTRE,
        reason="equal run-out",
    )
    assert outcomes == {"done": 1, "REQUISITION_DECIDED": THREADS - 1}
    assert stocked[0].level(CENTRE) == {"on_hand": 990, "allocated": 10}
    stocked[0].check_books()


def lent(office: Office, quantity: int) -> str:
    loan = office.do(
        movements_pb2.ProposeLoanRequest,
        lender=CENTRE,
        borrower=BEKASI,
        item="blank",
        quantity=quantity,
        due="2026-12-31",
        reason="r",
        operator="siti",
    ).loan
    return str(loan.loan_id)


def test_a_loan_is_approved_once_and_given_back_once(stocked: list[Office]) -> None:
    office, loan_id = stocked[0], lent(stocked[0], 40)
    outcomes = everybody(stocked, movements_pb2.ApproveLoanRequest, loan_id=loan_id)
    assert outcomes == {"done": 1, "WRONG_LOAN_STATE": THREADS - 1}
    (shipment,) = office.send(
        pb.ListAllocationsRequest(location=BEKASI, state=stock_pb2.ALLOCATION_STATE_ALLOCATED)
    ).allocations
    office.dispatch(shipment.allocation_id)
    office.receive(shipment.allocation_id)

    def give_back(office: Office, _: int) -> str:
        return outcome(lambda: office.do(movements_pb2.ReturnLoanRequest, loan_id=loan_id, quantity=30))

    assert Counter(all_at_once(stocked, give_back)) == {"done": 1, "MORE_THAN_OWED": THREADS - 1}
    office.check_books()


def test_a_loan_that_is_refused_while_somebody_approves_it_is_not_lent(on_postgresql: list[Office]) -> None:
    office, other = on_postgresql
    office.sign(100)
    office.deliver(1, 100)
    loan_id, row = lent(office, 40), movement_tables.loan
    with ThreadPoolExecutor(1) as pool:
        with office.database.transaction() as refusing:
            refusing.execute(sa.update(row).where(row.c.loan_id == loan_id).values(state="rejected"))
            approve = {"loan_id": loan_id, "operator": "budi"}
            call = pool.submit(outcome, lambda: other.do(movements_pb2.ApproveLoanRequest, **approve))
            until_it_waits(office, call)
        assert call.result(timeout=60) == "WRONG_LOAN_STATE"
    assert office.level(CENTRE) == {"on_hand": 100}
    office.check_books()


def test_one_person_who_counts_in_two_windows_is_one_sheet(stocked: list[Office]) -> None:
    count = (
        stocked[0].do(counts_pb2.BeginCountRequest, location=CENTRE, item="ribbon", operator="kepala").count
    )
    spellings = ("siti", "Siti", "SITI", "si-ti", "s.iti", "si_ti", "S-I-T-I", "siTi")
    outcomes = Counter(
        all_at_once(
            stocked,
            lambda office, number: outcome(
                lambda: office.do(
                    counts_pb2.SubmitCountRequest,
                    count_id=count.count_id,
                    quantity=90,
                    operator=spellings[number],
                )
            ),
        )
    )
    assert outcomes == {"done": 1, "SECOND_PERSON_NEEDED": THREADS - 1}
    seen = stocked[0].send(counts_pb2.GetCountRequest(count_id=count.count_id)).count
    assert (seen.rounds, seen.state) == (1, counts_pb2.COUNT_STATE_COUNTING)


def test_a_count_of_a_place_that_never_had_any_is_stale_once_it_gets_some(stocked: list[Office]) -> None:
    office = stocked[0]
    for attempt in range(6):
        place = f"32.{attempt + 10}"
        count = office.do(
            counts_pb2.BeginCountRequest, location=place, item="ribbon", operator="kepala"
        ).count
        for operator in ("siti", "budi"):
            office.do(counts_pb2.SubmitCountRequest, count_id=count.count_id, quantity=7, operator=operator)
        move = ledger_pb2.NewTransfer(
            item="ribbon", quantity=1, from_location=CENTRE, to_location=place, reason="need"
        )

        def both(office: Office, number: int, count_id: str = count.count_id, move: Any = move) -> str:
            if number:
                return outcome(lambda: office.do(ledger_pb2.PostTransfersRequest, transfers=[move]))
            approve = {"count_id": count_id, "reason": "found", "operator": "inspektur"}
            return outcome(lambda: office.do(counts_pb2.ApproveCountRequest, **approve))

        approved, moved = all_at_once(stocked, both, threads=2)
        assert moved == "done"
        assert approved in ("done", "COUNT_STALE")
        has = office.balances(place, "ribbon")[f"{place}/ribbon/on-hand"]
        # Applied first, the transfer comes on top; after the transfer, it is not applied at all.
        assert has == (8 if approved == "done" else 1)
    office.check_books()


def test_an_account_that_never_was_can_be_locked(on_postgresql: list[Office]) -> None:
    """Else the first delivery slips in between the look at the books and what follows from it."""
    never, centre = (Account(place, Condition.ON_HAND, "ribbon") for place in (BEKASI, CENTRE))
    with (
        on_postgresql[0].database.transaction() as counting,
        on_postgresql[1].database.engine.connect() as delivering,
    ):
        assert Books(counting).lock(never) == 0
        delivering.execute(sa.text("SET LOCAL lock_timeout = '200ms'"))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            Books(delivering).shift(centre, never, 1)


def test_a_transfer_that_expires_while_it_is_posted_ends_once(
    stocked: list[Office], clock: FixedClock
) -> None:
    order = ledger_pb2.NewTransfer(
        item="blank", quantity=10, from_location=CENTRE, to_location=DKI, reason="perhaps"
    )
    order.pending_until.FromDatetime(clock.now() + timedelta(hours=1))
    opened = stocked[0].do(ledger_pb2.PostTransfersRequest, transfers=[order]).transfers[0].transfer_id
    clock.advance(timedelta(hours=1))

    def end(office: Office, number: int) -> str:
        if number % 2:
            return outcome(office.upkeep.catch_up)
        return outcome(lambda: office.do(ledger_pb2.PostPendingRequest, transfer_id=opened))

    outcomes = all_at_once(stocked, end)
    assert set(outcomes[::2]) == {"PENDING_EXPIRED"}
    assert stocked[0].level(CENTRE) == {"on_hand": 1000}
    late = outcome(
        lambda: stocked[1].do(ledger_pb2.VoidPendingRequest, transfer_id=opened, reason="after all")
    )
    assert late == "PENDING_EXPIRED"
    stocked[0].check_books()


def test_a_site_never_closes_around_stock_that_is_being_sent_there(stocked: list[Office]) -> None:
    office = stocked[0]
    for attempt in range(6):
        fair = f"{FAIR}-{attempt}"
        office.do(
            movements_pb2.OpenSiteRequest,
            location=fair,
            name="Fair",
            opens="2026-01-01",
            closes="2026-12-31",
            operator="siti",
        )
        allocation_id = office.allocate(CENTRE, fair, 1).allocation_id

        def both(office: Office, number: int, fair: str = fair, sent: str = allocation_id) -> str:
            if number:
                return outcome(lambda: office.dispatch(sent))
            return outcome(lambda: office.do(movements_pb2.CloseSiteRequest, location=fair))

        closed, sent = all_at_once(stocked, both, threads=2)
        assert (closed, sent) in {("done", "SITE_CLOSED"), ("SITE_NOT_EMPTY", "done")}
    office.check_books()


def spoiled(office: Office) -> list[stock_pb2.SerialRange]:
    serials = [stock_pb2.SerialRange(first=11, last=20)]
    what = {"location": CENTRE, "item": "blank", "serials": serials, "reason": "wet", "operator": "siti"}
    booked = office.do(spoilage_pb2.SpoilStockRequest, **what).spoilage
    office.do(
        spoilage_pb2.ReviewSpoilageRequest,
        spoilage_id=booked.spoilage_id,
        accepted=True,
        review="seen",
        operator="budi",
    )
    return serials


def test_what_burns_burns_once_and_does_not_travel_as_well(stocked: list[Office]) -> None:
    office, serials = stocked[0], spoiled(stocked[0])
    what = {"location": CENTRE, "item": "blank", "serials": serials, "method": "burned", "operator": "siti"}
    made = [office.do(spoilage_pb2.PrepareDestructionRequest, **what).destruction for _ in range(2)]

    def end(office: Office, number: int) -> str:
        if number % 3 == 2:
            way = {"from_location": CENTRE, "to_location": DKI, "item": "blank", "serials": serials}
            return outcome(
                lambda: office.do(
                    conveyances_pb2.SendConveyanceRequest, **way, reason="furnace", operator="siti"
                )
            )
        one = made[number % 3]
        seen = {"destruction_id": one.destruction_id, "prepared_sha256": one.prepared_sha256}
        return outcome(
            lambda: office.do(spoilage_pb2.WitnessDestructionRequest, **seen, operator=f"saksi-{number}")
        )

    outcomes = Counter(all_at_once(stocked, end))
    assert outcomes.pop("done") == 1
    assert set(outcomes) <= {"SERIALS_NOT_THERE", "INSUFFICIENT_STOCK", "DESTRUCTION_WITNESSED"}
    assert office.level(CENTRE)["on_hand"] == 990
    office.check_books()


def test_a_card_comes_back_once(stocked: list[Office]) -> None:
    stocked[0].consume(stocked[0].reserve(CENTRE).reservation_id, "04A1B2C3")
    outcomes = everybody(
        stocked,
        withdrawals_pb2.WithdrawCardRequest,
        chip_uid="04A1B2C3",
        location=DKI,
        cause=withdrawals_pb2.WITHDRAWAL_CAUSE_FOUND,
    )
    assert outcomes["done"] == 1
    assert set(outcomes) <= {"done", "CARD_NOT_OUT", "INSUFFICIENT_STOCK"}
    assert stocked[0].level(DKI) == {"withdrawn": 1}
    stocked[0].check_books()


def test_a_receipt_is_taken_back_once(stocked: list[Office]) -> None:
    office = stocked[0]
    allocation_id = office.move(CENTRE, BEKASI, 100).allocation_id
    made = [
        office.do(
            reversals_pb2.ProposeReversalRequest,
            allocation_id=allocation_id,
            reason="wrong box",
            operator="siti",
        ).reversal.reversal_id
        for _ in range(2)
    ]

    def end(office: Office, number: int) -> str:
        approve = {"reversal_id": made[number % 2], "operator": f"op-{number}"}
        return outcome(lambda: office.do(reversals_pb2.ApproveReversalRequest, **approve))

    outcomes = Counter(all_at_once(stocked, end))
    assert outcomes.pop("done") == 1
    assert set(outcomes) <= {"REVERSAL_DECIDED", "REVERSAL_STALE"}
    assert office.level(BEKASI) == {"in_transit": 100}
    office.check_books()


def test_a_transfer_is_taken_back_once(stocked: list[Office]) -> None:
    office = stocked[0]
    moved = ledger_pb2.NewTransfer(
        item="ribbon", quantity=10, from_location=CENTRE, to_location=BEKASI, reason="need"
    )
    for _ in range(2):
        (booked,) = office.do(ledger_pb2.PostTransfersRequest, transfers=[moved]).transfers
        # Another as large is there, which the second reversal would find.
        office.do(ledger_pb2.PostTransfersRequest, transfers=[moved])
        reverse = {"transfer_id": booked.transfer_id, "reason": "wrong box"}

        def take_back(office: Office, _: int, reverse: dict[str, str] = reverse) -> str:
            return outcome(lambda: office.do(ledger_pb2.ReverseTransferRequest, **reverse))

        outcomes = Counter(all_at_once(stocked, take_back))
        assert outcomes == {"done": 1, "REVERSED_BEFORE": THREADS - 1}
    assert office.balances(BEKASI, "ribbon") == {"32.16/ribbon/on-hand": 20}
    office.check_books()
