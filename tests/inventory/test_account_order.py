"""Who books on several accounts locks them in the order of their codes, contracts before all of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tunggal.inventory.v1 import counts_pb2, movements_pb2, stock_pb2

from services.common import db
from services.common.clock import FixedClock
from services.inventory.contracts.store import ContractStore
from services.inventory.desk import Clerk, Desk
from services.inventory.exchange import importing
from services.inventory.exchange.delivery_notes import DeliveryLine
from services.inventory.journal import new_id
from services.inventory.ledger.books import Books
from services.inventory.ledger.entries import Account, Condition
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import Location
from services.inventory.planning import plans
from services.inventory.planning.proposal import Move, PlanState, Proposal, ProposedShare
from services.inventory.planning.store import PlanningStore
from services.inventory.store import Store
from tests.inventory.at_once import outcome, until_it_waits
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office


@pytest.fixture
def stocked(on_postgresql: list[Office], monkeypatch: pytest.MonkeyPatch) -> list[Office]:
    """Stock at two places; a deadlock is not tried again and so is seen."""
    monkeypatch.setattr(db, "ATTEMPTS", 1)
    office = on_postgresql[0]
    office.sign(300)
    office.deliver(1, 300)
    for place in (DKI, BEKASI):
        office.move(CENTRE, place, 100)
        office.supply("ribbon", 100, place)
    return on_postgresql


def agreed(office: Office, item: str, **found: object) -> str:
    """A count at Bekasi, by two people who found the same."""
    count = office.do(counts_pb2.BeginCountRequest, location=BEKASI, item=item, operator="kepala").count
    for operator in ("siti", "budi"):
        office.do(counts_pb2.SubmitCountRequest, count_id=count.count_id, operator=operator, **found)
    return str(count.count_id)


def approving(office: Office, count_id: str) -> str:
    request = {"count_id": count_id, "reason": "searched", "operator": "inspektur"}
    return outcome(lambda: office.do(counts_pb2.ApproveCountRequest, **request))


def meets(stocked: list[Office], first: Account, second: Account, call: Callable[[Office], str]) -> str:
    """What becomes of ``call`` when another transaction has ``first`` and then needs ``second``."""
    office, other = stocked
    with ThreadPoolExecutor(1) as pool:
        with office.database.transaction() as booking:
            books = Books(booking)
            books.lock(first)
            called = pool.submit(call, other)
            until_it_waits(office, called)
            assert not called.done()
            books.lock(second)
        return called.result(timeout=60)


@pytest.mark.parametrize("found", [95, 105])
def test_a_count_of_rolls(stocked: list[Office], found: int) -> None:
    count_id = agreed(stocked[0], "ribbon", quantity=found)
    stock = Account(BEKASI, Condition.ON_HAND, "ribbon")
    other_side = stock.to(Condition.MISSING if found < 100 else Condition.FOUND)
    assert meets(stocked, other_side, stock, lambda office: approving(office, count_id)) == "done"
    stocked[0].check_books()


def test_a_count_that_finds_what_another_place_misses(stocked: list[Office]) -> None:
    office = stocked[0]
    sent = office.allocate(CENTRE, DKI, 10)
    office.dispatch(sent.allocation_id)
    lost = stock_pb2.SerialRange(first=sent.serials[0].first, last=sent.serials[0].first)
    office.do(
        movements_pb2.ReceiveShipmentRequest,
        allocation_id=sent.allocation_id,
        missing=movements_pb2.Parcel(serials=[lost]),
    )
    here = stock_pb2.SerialRange(first=101, last=200)
    count_id = agreed(office, "blank", serials=[here, lost])
    stock, missing = Account(BEKASI, Condition.ON_HAND), Account(DKI, Condition.MISSING)
    assert meets(stocked, missing, stock, lambda replica: approving(replica, count_id)) == "done"
    assert office.level(BEKASI)["on_hand"] == 101
    office.check_books()


@pytest.mark.parametrize(("part", "condition"), [("missing", "missing"), ("damaged", "spoiled")])
def test_a_receipt_with_differences(stocked: list[Office], part: str, condition: str) -> None:
    office = stocked[0]
    request = {"item": "ribbon", "from_location": DKI, "to_location": BEKASI, "quantity": 3, "reason": "r"}
    sent = office.do(movements_pb2.AllocateItemRequest, **request).allocation.allocation_id
    office.dispatch(sent)
    found = {part: movements_pb2.Parcel(quantity=1), "operator": "siti"}

    def receive(replica: Office) -> str:
        request = movements_pb2.ReceiveShipmentRequest
        return outcome(lambda: replica.do(request, allocation_id=sent, **found))

    stock = Account(BEKASI, Condition.ON_HAND, "ribbon")
    first, second = sorted([stock, stock.to(Condition(condition))], key=lambda account: account.code)
    assert meets(stocked, first, second, receive) == "done"
    office.check_books()


def test_a_plan_of_several_places(stocked: list[Office], clock: FixedClock) -> None:
    office = stocked[0]
    plan = Proposal(
        plan_id=new_id(),
        state=PlanState.APPROVED,
        scope=Location(CENTRE),
        source=Location(CENTRE),
        item="ribbon",
        available=0,
        lot=1,
        minimum=0,
        lending=True,
        left_over=0,
        days_before=0.0,
        days_after=0.0,
        reason="r",
        proposed_by="operator/cli:siti",
        propose_time=clock.now(),
        shares=tuple(ProposedShare(place, 1, 0, 0, 0.0, 0.0, 0.0, "", "needs it") for place in ("33", "34")),
        moves=(Move(BEKASI, "33", 1), Move(DKI, "34", 1)),
    )
    with office.database.transaction() as connection:
        PlanningStore(connection).plans.add(plan)

    def carry_out(replica: Office) -> str:
        def work() -> None:
            with replica.database.transaction() as connection:
                desk = Desk(Store(connection), Clerk("operator/cli", clock.now(), new_id, clock))
                assert len(plans.carry_out(desk, plan.plan_id, "budi").allocation_ids) == 2

        return outcome(work)

    first, second = (Account(place, Condition.ON_HAND, "ribbon") for place in (DKI, BEKASI))
    assert meets(stocked, first, second, carry_out) == "done"
    office.check_books()


def test_a_file_with_deliveries_of_two_contracts(stocked: list[Office], clock: FixedClock) -> None:
    office, other = stocked
    for contract_id in ("KTP-2018-01", "KTP-2018-02"):
        office.sign(100, contract_id)
    lines = [
        DeliveryLine(2, "KTP-2018-02", "SJ-1", SerialRange(1001, 1010)),
        DeliveryLine(3, "KTP-2018-01", "SJ-2", SerialRange(2001, 2010)),
    ]

    def load() -> None:
        with other.database.transaction() as connection:
            desk = Desk(Store(connection), Clerk("operator/cli", clock.now(), new_id, clock))
            assert len(importing.book(desk, lines)) == 2

    with ThreadPoolExecutor(1) as pool:
        with office.database.transaction() as booking:
            ContractStore(booking).locked("KTP-2018-01")
            loading = pool.submit(outcome, load)
            until_it_waits(office, loading)
            assert not loading.done()
            ContractStore(booking).locked("KTP-2018-02")
            Books(booking).lock(Account(CENTRE, Condition.ON_HAND))
        assert loading.result(timeout=60) == "done"
    office.check_books()
