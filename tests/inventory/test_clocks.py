"""Replicas whose clocks differ, and a clock that is set back: the time of an account never goes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import ledger_pb2

from services.common.clock import FixedClock
from services.inventory import tables
from tests.inventory.at_once import all_at_once
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office

HOUR = timedelta(hours=1)


@pytest.fixture
def behind(database_url: str, office: Office, clock: FixedClock) -> Iterator[Office]:
    """A second replica, whose clock is an hour behind."""
    made = Office(database_url, FixedClock(clock.now() - HOUR))
    yield made
    made.database.dispose()


def transfer(office: Office, source: str, target: str, quantity: int) -> ledger_pb2.Transfer:
    order = ledger_pb2.NewTransfer(
        item="blank", quantity=quantity, from_location=source, to_location=target, reason="need"
    )
    answer: ledger_pb2.Transfer = office.do(ledger_pb2.PostTransfersRequest, transfers=[order]).transfers[0]
    return answer


def test_what_follows_is_booked_no_earlier_than_what_it_follows(
    office: Office, behind: Office, clock: FixedClock
) -> None:
    office.sign(100)
    office.deliver(1, 40)
    moved = transfer(behind, CENTRE, DKI, 5)
    assert moved.book_time.ToDatetime() == clock.now().replace(tzinfo=None)
    assert office.balances(at=clock.now() - HOUR / 2) == {}
    assert office.balances(at=clock.now()) == office.balances()
    first, second = office.blank(1).custody
    assert first.book_time.ToDatetime() <= second.book_time.ToDatetime()
    office.check_books()


def test_what_has_nothing_to_do_with_it_keeps_its_own_time(
    office: Office, behind: Office, clock: FixedClock
) -> None:
    office.sign(100)
    behind.supply("ribbon", 9)
    assert behind.balances(item="ribbon", at=clock.now() - HOUR)["ID/ribbon/on-hand"] == 9


def test_at_no_moment_did_anybody_have_less_than_nothing(
    office: Office, behind: Office, clock: FixedClock
) -> None:
    """Eight threads on both replicas hand the same blanks around while one clock is behind."""
    office.sign(100)
    office.deliver(1, 40)
    places = (CENTRE, DKI, BEKASI)

    def hand_around(at: Office, number: int) -> None:
        for step in range(6):
            source, target = places[(number + step) % 3], places[(number + step + 1) % 3]
            clock.advance(timedelta(seconds=1))
            if at.level(source).get("on_hand", 0) > 10:
                transfer(at, source, target, 1)

    all_at_once([office, behind], hand_around)
    with office.database.read() as connection:
        query = sa.select(tables.transfer.c.book_time, tables.line).join_from(tables.line, tables.transfer)
        rows = connection.execute(query.order_by(tables.line.c.entry, tables.line.c.number)).all()
    assert len(rows) > 10
    for account in {row.source for row in rows} | {row.target for row in rows}:
        times = [row.book_time for row in rows if account in (row.source, row.target)]
        assert times == sorted(times), account
    office.check_books()
