"""One call takes back one step, once: whoever else calls, repeats, approves, or dies meanwhile."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import inventory_pb2, movements_pb2, stock_pb2
from tunggal.inventory.v1 import reversals_pb2 as pb

from services.common.errors import Aborted, TunggalError
from services.inventory import tables
from services.inventory.reversals import tables as reversal_tables
from tests.inventory.at_once import all_at_once, outcome
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office, new_id

PLACES = (CENTRE, DKI, BEKASI)
#: How many steps an allocation in this state has behind it.
STEPS = {"allocated": 0, "dispatched": 1, "received": 2}
MADE = ("allocation.dispatched", "allocation.received", "receipt.short", "receipt.damaged", "receipt.surplus")


@pytest.fixture
def stocked(replicas: list[Office]) -> list[Office]:
    office = replicas[0]
    office.sign(3000)
    office.deliver(1, 3000)
    for place in (DKI, BEKASI):
        office.move(CENTRE, place, 500)
        office.supply("ribbon", 500, place)
    return replicas


def reversing(allocation_id: str) -> movements_pb2.ReverseShipmentRequest:
    return movements_pb2.ReverseShipmentRequest(
        request_id=new_id(), allocation_id=allocation_id, reason="wrong box"
    )


def proposing(**subject: str) -> pb.ProposeReversalRequest:
    return pb.ProposeReversalRequest(request_id=new_id(), reason="wrong box", operator="siti", **subject)


def approving(reversal_id: str, operator: str = "budi") -> pb.ApproveReversalRequest:
    return pb.ApproveReversalRequest(request_id=new_id(), reversal_id=reversal_id, operator=operator)


def receive_with_differences(office: Office, allocation: stock_pb2.Allocation) -> None:
    """One of it is missing, one damaged."""
    first = allocation.serials[0].first if allocation.serials else 0
    missing, damaged = (
        movements_pb2.Parcel(quantity=1, serials=[stock_pb2.SerialRange(first=n, last=n)] if first else [])
        for n in (first, first + 1)
    )
    office.do(
        movements_pb2.ReceiveShipmentRequest,
        allocation_id=allocation.allocation_id,
        missing=missing,
        damaged=damaged,
        operator="siti",
    )


def booked(office: Office, *kinds: str) -> list[Any]:
    with office.database.read() as connection:
        query = sa.select(tables.transfer).where(tables.transfer.c.kind.in_(kinds))
        return list(connection.execute(query.order_by(tables.transfer.c.entry)))


def audited(office: Office, action: str) -> int:
    log = sa.table("audit_log", sa.column("action"))
    with office.database.read() as connection:
        query = sa.select(sa.func.count()).select_from(log).where(log.c.action == action)
        return int(connection.scalar(query) or 0)


def test_one_call_books_the_opposite_of_each_transfer_that_the_receipt_booked(stocked: list[Office]) -> None:
    """So reversals that are counted in the ledger may be more than the calls were."""
    office = stocked[0]
    loan = office.do(
        movements_pb2.ProposeLoanRequest,
        lender=DKI,
        borrower=BEKASI,
        item="blank",
        quantity=10,
        due="2030-01-01",
        reason="r",
        operator="siti",
    ).loan
    sent = office.do(movements_pb2.ApproveLoanRequest, loan_id=loan.loan_id, operator="budi").allocation
    office.dispatch(sent.allocation_id)
    receive_with_differences(office, sent)
    office.send(reversing(sent.allocation_id))
    originals = {row.transfer_id: row.kind for row in booked(office, *MADE, "loan.owed")}
    back = Counter(originals[row.reverses] for row in booked(office, "shipment.reversed"))
    assert back == {"allocation.received": 1, "receipt.short": 1, "receipt.damaged": 1, "loan.owed": 1}
    assert audited(office, "ReverseShipment") == 1
    office.check_books()


def test_the_same_call_at_two_replicas_at_once_is_one(stocked: list[Office]) -> None:
    for _ in range(5):
        allocation_id = stocked[0].move(CENTRE, BEKASI, 10).allocation_id
        request = reversing(allocation_id)
        assert set(all_at_once(stocked, partial(sent_by_number, [request] * 8))) == {"done"}
    assert len(booked(stocked[0], "shipment.reversed")) == 5
    stocked[0].check_books()


def sent_by_number(requests: list[Any], office: Office, number: int) -> str:
    return outcome(partial(office.send, requests[number]))


def test_of_all_who_decide_at_once_one_does(stocked: list[Office]) -> None:
    """Two proposals of one receipt, two approvers and one who refuses for each, and who received it alone."""
    office = stocked[0]
    for _ in range(4):
        allocation_id = office.move(CENTRE, BEKASI, 10).allocation_id
        first, second = (
            office.send(proposing(allocation_id=allocation_id)).reversal.reversal_id for _ in range(2)
        )
        requests: list[Any] = [
            approving(proposed, who) for proposed in (first, second) for who in ("budi", "citra")
        ]
        requests += [
            pb.RejectReversalRequest(request_id=new_id(), reversal_id=proposed, operator="dewi")
            for proposed in (first, second)
        ]
        requests.append(proposing(allocation_id=allocation_id))
        answers = all_at_once(stocked, partial(sent_by_number, requests), threads=len(requests))
        states = Counter(one.state for one in reversals(office) if one.allocation_id == allocation_id)
        assert states["approved"] == answers[:4].count("done") <= 1
        assert states["rejected"] == answers[4:6].count("done")
        assert set(answers) <= {"done", "REVERSAL_DECIDED", "REVERSAL_STALE"}
        found = office.send(inventory_pb2.GetAllocationRequest(allocation_id=allocation_id)).allocation
        taken_back = found.state == stock_pb2.ALLOCATION_STATE_DISPATCHED
        assert taken_back == (states["approved"] == 1)
    office.check_books()


def reversals(office: Office) -> list[Any]:
    with office.database.read() as connection:
        return list(connection.execute(sa.select(reversal_tables.reversal)))


class Clerk:
    """Does at random what clerks do with shipments, and repeats some of it at another replica."""

    def __init__(self, replicas: list[Office], seed: int) -> None:
        self.replicas = replicas
        self.random = random.Random(seed)
        self.done: Counter[tuple[str, str]] = Counter()

    def work(self, shared: list[str], steps: int) -> None:
        for _ in range(steps):
            self.step(shared)

    def step(self, shared: list[str]) -> None:
        office = self.random.choice(self.replicas)
        if not shared or self.random.random() < 0.08:
            source, target = self.random.sample(PLACES, 2)
            item = self.random.choice(("blank", "ribbon"))
            made = self.call(
                office,
                movements_pb2.AllocateItemRequest(
                    request_id=new_id(),
                    from_location=source,
                    to_location=target,
                    item=item,
                    quantity=4,
                    reason="need",
                ),
            )
            if made is not None:
                shared.append(made.allocation.allocation_id)
            return
        of = self.random.choice(shared)
        step = self.random.choice(("dispatch", "dispatch", "receive", "differ", "alone", "two"))
        if step == "dispatch":
            self.call(
                office, inventory_pb2.DispatchAllocationRequest(request_id=new_id(), allocation_id=of), of
            )
        elif step == "receive":
            self.call(
                office, inventory_pb2.ReceiveAllocationRequest(request_id=new_id(), allocation_id=of), of
            )
        elif step == "differ":
            sent = office.send(inventory_pb2.GetAllocationRequest(allocation_id=of)).allocation
            if outcome(lambda: receive_with_differences(office, sent)) == "done":
                self.done["receive", of] += 1
        elif step == "alone":
            self.call(office, reversing(of), of)
        else:
            self.two(office, of)

    def two(self, office: Office, of: str) -> None:
        made = self.call(office, proposing(allocation_id=of))
        if made is not None:
            approvers = [approving(made.reversal.reversal_id, who) for who in ("budi", "citra")]
            for request in approvers:
                self.call(self.random.choice(self.replicas), request, of)

    def call(self, office: Office, request: Any, of: str = "") -> Any:
        try:
            answer = office.send(request)
        except Aborted as conflict:
            raise AssertionError(f"gave up: {conflict}") from conflict
        except TunggalError:
            return None
        verb = type(request).__name__.removesuffix("Request")
        words = {
            "DispatchAllocation": "dispatch",
            "ReceiveAllocation": "receive",
            "ReverseShipment": "reverse",
            "ApproveReversal": "reverse",
        }
        self.done[words.get(verb, verb), of] += 1
        if self.random.random() < 0.3:
            assert self.random.choice(self.replicas).send(request) == answer
        return answer


@pytest.mark.parametrize("seed", [1, 2])
def test_random_reversals_on_two_replicas_are_as_many_as_were_answered(
    stocked: list[Office], seed: int
) -> None:
    office, shared = stocked[0], list[str]()
    clerks = [Clerk(stocked, 10 * seed + number) for number in range(4)]
    all_at_once(stocked, lambda _, number: clerks[number].work(shared, 40), threads=4)
    done: Counter[tuple[str, str]] = Counter()
    for clerk in clerks:
        done += clerk.done
    with office.database.read() as connection:
        states = {row.allocation_id: row.state for row in connection.execute(sa.select(tables.allocation))}
    for allocation_id in shared:
        steps = done["dispatch", allocation_id] + done["receive", allocation_id]
        assert done["reverse", allocation_id] == steps - STEPS[states[allocation_id]]
    answered = sum(times for (verb, _), times in done.items() if verb == "reverse")
    assert answered
    assert audited(office, "ReverseShipment") + audited(office, "ApproveReversal") == answered

    back = [row.reverses for row in booked(office, "shipment.reversed")]
    assert len(back) == len(set(back)) >= answered
    standing = Counter(row.subject for row in booked(office, *MADE) if row.transfer_id not in set(back))
    for allocation_id in shared:
        dispatched, received = (STEPS[states[allocation_id]] > n for n in (0, 1))
        assert bool(standing[allocation_id]) == dispatched
        assert standing[allocation_id] >= dispatched + received
    approved = [one for one in reversals(office) if one.state == "approved"]
    assert {one.transfer_id for one in approved} <= set(back)
    assert len({one.transfer_id for one in approved}) == len(approved)
    office.check_books()
