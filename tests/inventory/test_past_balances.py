"""Past balances against their definition: the sum of all lines booked, or known to have happened, by then."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.db import Database
from services.common.errors import FailedPrecondition
from services.inventory import tables
from services.inventory.ledger import balances as balances_of
from services.inventory.ledger import days
from services.inventory.ledger.balances import Balances
from services.inventory.ledger.books import Books
from services.inventory.ledger.closing import Closing
from services.inventory.ledger.entries import (
    Account,
    Condition,
    Kind,
    Line,
    OverdrawnError,
    OvertakenError,
    Transfer,
)
from services.inventory.location import CENTRE, Location

START = datetime(2026, 3, 2, 2, tzinfo=UTC)
PLACES = ("ID", "31.71", "32", "32.16", "32.16:expo", "32.17", "321")
ITEMS = ("blank", "ribbon")
REGIONS = tuple(map(Location, ("ID", "32", "32.16", "32.16:expo", "33")))


class Booked(NamedTuple):
    """A line, when it was booked and when it happened."""

    line: Line
    book_time: datetime
    event_time: datetime


class History:
    """Transfers at random moments of some days, of which some get closed; clocks of replicas differ."""

    def __init__(self, connection: sa.Connection, seed: int) -> None:
        self.connection = connection
        self.dice = random.Random(seed)
        self.booked: list[Booked] = []
        self.now = START

    def live(self, steps: int) -> None:
        for item in ITEMS:
            contract = Account(f"C-{item}", Condition.CONTRACTED, item)
            centre = Account("ID", Condition.ON_HAND, item)
            self.book(Line(contract, contract.to(Condition.OUTSTANDING), 1_000_000), self.now)
            self.book(Line(contract.to(Condition.OUTSTANDING), centre, 900_000), self.now)
        for _ in range(steps):
            self.now += timedelta(seconds=self.dice.choice((0, 1, 60, 3_600, 30_000, 200_000)))
            if self.dice.random() < 0.2:
                self.close()
            else:
                self.move()

    def close(self) -> None:
        Closing(self.connection).close(days.closable(self.now), self.now)

    def move(self) -> None:
        item = self.dice.choice(ITEMS)
        source = Account(self.dice.choice(PLACES), Condition.ON_HAND, item)
        places = [place for place in PLACES if place != source.place]
        target = self.dice.choice(
            [source.to(Condition.CONSUMED), Account(self.dice.choice(places), Condition.ON_HAND, item)]
        )
        # The clock of another replica may be behind, what is told may have happened long before.
        book_time = self.now - timedelta(seconds=self.dice.choice((0, 0, 1, 200)))
        late = timedelta(seconds=self.dice.choice((0, 0, 0, 5_000, 300_000)))
        with suppress(OverdrawnError, OvertakenError, FailedPrecondition):
            self.book(Line(source, target, self.dice.randrange(1, 9_000)), book_time, book_time - late)

    def book(self, line: Line, book_time: datetime, event_time: datetime | None = None) -> None:
        event_time = event_time or book_time
        with self.connection.begin_nested():
            books = Books(self.connection, book_time)
            books.shift(line.source, line.target, line.quantity)
            books.record(
                Transfer(
                    transfer_id=str(uuid4()),
                    kind=Kind.STOCK_MOVED,
                    subject="history",
                    actor="operator/cli",
                    reason="random",
                    book_time=book_time,
                    lines=(line,),
                    event_time=None if event_time == book_time else event_time,
                )
            )
        self.booked.append(Booked(line, book_time, event_time))

    def moment(self) -> datetime:
        """One that says something: of a booking, of what happened, of a midnight; or any."""
        booked = self.dice.choice(self.booked)
        midnight = days.end_of(days.day_of(booked.book_time))
        anchor = self.dice.choice((booked.book_time, booked.event_time, midnight))
        return anchor + self.dice.choice((timedelta(0), timedelta(microseconds=-1), timedelta(hours=9)))


def balance(lines: list[Line], region: Location, item: str) -> dict[Account, int]:
    """The definition: everything out of accounts and into them, added up."""
    sums: Counter[Account] = Counter()
    for line in lines:
        sums[line.source] -= line.quantity
        sums[line.target] += line.quantity
    return {account: n for account, n in sums.items() if n and _within(account, region, item)}


def _within(account: Account, region: Location, item: str) -> bool:
    below = account.place.startswith((f"{region}.", f"{region}:"))
    inside = below or region in {CENTRE, account.place}
    return inside and item in {"", account.item}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    found = Database(database_url)
    found.migrate("services.inventory")
    yield found
    found.dispose()


_EMPTY = ("late_event", "transfer_line", "transfer", "account_day", "ledger_day", "account")


@pytest.mark.parametrize(
    ("few", "named"), [(0, 100), (100, 100), (0, 0)], ids=["by day", "by account", "unnamed"]
)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(seed=st.integers(0, 2**32))
def test_a_past_balance_is_the_sum_of_what_was_booked_by_then(
    database: Database, monkeypatch: pytest.MonkeyPatch, few: int, named: int, seed: int
) -> None:
    monkeypatch.setattr(balances_of, "_FEW", few)
    monkeypatch.setattr(balances_of, "_NAMED", named)
    with database.transaction() as connection:
        for name in _EMPTY:
            connection.exec_driver_sql(f"DELETE FROM {name}")
        history = History(connection, seed)
        history.live(steps=40)
        balances = Balances(connection)
        for _ in range(15):
            moment, region = history.moment(), history.dice.choice(REGIONS)
            item = history.dice.choice(("", *ITEMS))
            booked = [line for line, booked, _ in history.booked if booked <= moment]
            happened = [line for line, _, happened in history.booked if happened <= moment]
            found = balances.at(moment, region, item)
            assert found == balance(booked, region, item)
            assert balances.as_happened(moment, region, item) == balance(happened, region, item)
            assert list(found) == sorted(found)


def test_a_past_balance_has_more_accounts_than_a_statement_has_values(database: Database) -> None:
    places = [f"32.{number % 90 + 10}:site-{number}" for number in range(70_000)]
    accounts = [Account(Location(place), Condition.ON_HAND, "ribbon") for place in places]
    with database.transaction() as connection:
        connection.execute(
            sa.insert(tables.account),
            [
                {
                    "code": each.code,
                    "place": each.place,
                    "condition": "on-hand",
                    "item": each.item,
                    "balance": 3,
                }
                for each in accounts
            ],
        )
        connection.execute(
            sa.insert(tables.ledger_day),
            {"day": START.date(), "last_entry": 0, "floor_entry": 0, "transfers": 0, "close_time": START},
        )
        connection.execute(
            sa.insert(tables.account_day),
            [
                {"day": START.date(), "code": each.code, "balance": 3, "added": 3, "removed": 0}
                for each in accounts
            ],
        )
    with database.read() as connection:
        for region in ("ID", "32"):
            found = Balances(connection).at(START + timedelta(days=9), Location(region), "")
            assert (len(found), sum(found.values())) == (70_000, 210_000)
