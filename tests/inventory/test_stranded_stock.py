"""Stock that an old fault left in a first phase which has ended is freed by two people, by a booking."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import ledger_pb2
from tunggal.inventory.v1 import reversals_pb2 as pb

from services.common.clock import FixedClock
from services.common.errors import TunggalError
from services.inventory import tables
from services.inventory.desk import Clerk, Desk, Event
from services.inventory.ledger.entries import Account, Condition, Kind
from services.inventory.store import Store
from tests.inventory.at_once import all_at_once, outcome
from tests.inventory.inventory_office import CENTRE, DKI, Office, new_id

A_DAY = timedelta(days=1)


def set_aside(office: Office, clock: FixedClock, item: str, quantity: int) -> str:
    order = ledger_pb2.NewTransfer(
        item=item, quantity=quantity, from_location=CENTRE, to_location=DKI, reason="perhaps"
    )
    order.pending_until.FromDatetime(clock.now() + A_DAY)
    (opened,) = office.do(ledger_pb2.PostTransfersRequest, transfers=[order]).transfers
    return str(opened.transfer_id)


def strand(office: Office, clock: FixedClock, item: str, quantity: int) -> str:
    """What reversals of posted two-phase transfers booked before they were mended."""
    office.do(ledger_pb2.PostPendingRequest, transfer_id=set_aside(office, clock, item, quantity))
    with office.database.transaction() as connection:
        newest = sa.select(tables.transfer).order_by(tables.transfer.c.entry.desc()).limit(1)
        posted = connection.execute(newest).one()
        desk = Desk(Store(connection), Clerk("operator/cli", clock.now(), new_id, clock))
        event = Event(Kind.STOCK_REVERSED, posted.subject, "not needed", reverses=posted.transfer_id)
        source, held = Account(DKI, Condition.ON_HAND, item), Account(CENTRE, Condition.PENDING, item)
        serials = desk.books.serials_of([posted.transfer_id])[posted.transfer_id]
        if serials:
            return desk.move_ranges(event, source, held, serials, field="transfer_id").transfer_id
        return desk.move(event, source, held, quantity, field="transfer_id").transfer_id


@pytest.fixture
def stocked(office: Office) -> Office:
    office.sign(1000)
    office.deliver(1, 1000)
    office.supply("ribbon", 10)
    return office


def propose(office: Office, transfer_id: str) -> str:
    return str(
        office.do(
            pb.ProposeReversalRequest, transfer_id=transfer_id, reason="stuck since March", operator="siti"
        ).reversal.reversal_id
    )


def approve(office: Office, reversal_id: str, operator: str = "budi") -> Any:
    return office.do(pb.ApproveReversalRequest, reversal_id=reversal_id, operator=operator)


def sound(office: Office) -> list[str]:
    return list(office.send(ledger_pb2.CheckBooksRequest()).findings)


@pytest.mark.parametrize("item", ["blank", "ribbon"])
def test_two_people_free_it_by_the_name_that_the_check_of_the_books_tells(
    stocked: Office, clock: FixedClock, item: str
) -> None:
    before = stocked.balances()
    stranding = strand(stocked, clock, item, 4)
    waiting = set_aside(stocked, clock, item, 3)
    code = "ID/pending" if item == "blank" else f"ID/{item}/pending"
    assert sound(stocked) == [
        f"{code} has 7 set aside, 3 of it for something that is open. "
        f"Two people free it: tunggal reversal propose --transfer {stranding}."
    ]
    alone = outcome(
        lambda: stocked.do(ledger_pb2.ReverseTransferRequest, transfer_id=stranding, reason="stuck")
    )
    assert alone == "REVERSAL_NEEDS_TWO"

    proposed = propose(stocked, stranding)
    assert outcome(lambda: approve(stocked, proposed, "SITI")) == "SECOND_PERSON_NEEDED"
    approve(stocked, proposed)
    assert sound(stocked) == []
    stocked.do(ledger_pb2.VoidPendingRequest, transfer_id=waiting, reason="not needed either")
    assert stocked.balances() == before
    freed = stocked.send(ledger_pb2.GetTransferRequest(transfer_id=stranding)).transfer.reversed_by
    (line, *_) = stocked.send(ledger_pb2.GetTransferRequest(transfer_id=freed)).transfer.lines
    assert (line.from_account, line.to_account) == (code, code.replace("pending", "on-hand"))
    stocked.check_books()


def test_what_was_freed_is_named_no_more_and_the_rest_still_is(stocked: Office, clock: FixedClock) -> None:
    first, second = strand(stocked, clock, "ribbon", 4), strand(stocked, clock, "ribbon", 2)
    approve(stocked, propose(stocked, first))
    assert sound(stocked) == [
        "ID/ribbon/pending has 2 set aside, 0 of it for something that is open. "
        f"Two people free it: tunggal reversal propose --transfer {second}."
    ]


def test_it_is_freed_once_however_many_approve(
    stocked: Office, replicas: list[Office], clock: FixedClock
) -> None:
    stranding = strand(stocked, clock, "ribbon", 4)
    proposed = [propose(stocked, stranding) for _ in range(2)]
    answers = all_at_once(replicas, lambda at, n: outcome(lambda: approve(at, proposed[n % 2], f"chief-{n}")))
    assert answers.count("done") == 1
    assert set(answers) <= {"done", "REVERSAL_DECIDED", "REVERSED_BEFORE"}
    assert outcome(lambda: propose(stocked, stranding)) == "REVERSED_BEFORE"
    stocked.check_books()


def test_rolls_that_wait_for_their_second_phase_are_never_freed_instead(
    stocked: Office, clock: FixedClock
) -> None:
    """Somebody has moved the stranded ones by hand meanwhile: the account has those of others alone."""
    stranding = strand(stocked, clock, "ribbon", 4)
    waiting = set_aside(stocked, clock, "ribbon", 5)
    with stocked.database.transaction() as connection:
        desk = Desk(Store(connection), Clerk("operator/cli", clock.now(), new_id, clock))
        held = Account(CENTRE, Condition.PENDING, "ribbon")
        event = Event(Kind.COUNT_ADJUSTED, new_id(), "by hand")
        desk.move(event, held, held.to(Condition.ON_HAND), 4, field="quantity")
    proposed = propose(stocked, stranding)
    with pytest.raises(TunggalError) as error:
        approve(stocked, proposed)
    assert (error.value.reason, error.value.field) == ("NOT_STRANDED", "reversal_id")
    stocked.do(ledger_pb2.PostPendingRequest, transfer_id=waiting)
    stocked.check_books()
