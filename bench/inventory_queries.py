"""What 514 regencies and three years of days do to the books: balances of any moment, custody, rows, bytes.

The history is written straight into the tables, as the ledger would have: half a million days of use would
take an hour to book one by one. The inspection of the service then finds nothing wrong with it.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from services.common.db import Database
from services.inventory import tables
from services.inventory.contracts import tables as contract_tables
from services.inventory.inspection import findings
from services.inventory.ledger import custody as custody_of
from services.inventory.ledger import days
from services.inventory.ledger.balances import Balances
from services.inventory.ledger.entries import Account, Condition, Kind
from services.inventory.location import CENTRE, Location
from services.inventory.store import Store

REGENCIES = 514
DAYS = 3 * 365
_LOT = 60_000_000
_CONTRACT = "BENCH-514"
_CHUNK = 20_000


class Queries(NamedTuple):
    """What was measured: median milliseconds, rows and bytes."""

    balance_ms: float
    country_ms: float
    custody_ms: float
    movements: int
    bytes: int
    fill_seconds: float


def measure(database: Database, regencies: int = REGENCIES, length: int = DAYS, probes: int = 200) -> Queries:
    """Fill the empty inventory and ask it; ``regencies`` use blanks on each of ``length`` days."""
    database.migrate("services.inventory")
    # Up to the last day that is over: the service would close all days since.
    start = days.closable(datetime.now(UTC)) - timedelta(days=length - 1)
    before = time.perf_counter()
    movements = _fill(database, regencies, start, length)
    filled = time.perf_counter() - before
    if database.dialect == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
    dice = random.Random(7)

    def balance(connection: sa.Connection) -> None:
        place = Location(_places(regencies)[dice.randrange(regencies)])
        at = days.end_of(start) + timedelta(seconds=dice.randrange(max(1, (length - 1) * 86_400)))
        found = Balances(connection).at(at, place)
        assert Account(place, Condition.ON_HAND) in found

    def country(connection: sa.Connection) -> None:
        at = days.end_of(start) + timedelta(seconds=dice.randrange(max(1, (length - 1) * 86_400)))
        assert len(Balances(connection).at(at)) > regencies

    def custody(connection: sa.Connection) -> None:
        serial = dice.randrange(1, _LOT)
        assert Store(connection).blank(serial) is not None
        assert custody_of.steps(connection, serial)

    return Queries(
        balance_ms=_median_ms(database, balance, probes),
        country_ms=_median_ms(database, country, max(5, probes // 20)),
        custody_ms=_median_ms(database, custody, probes),
        movements=movements,
        bytes=size(database),
        fill_seconds=filled,
    )


def sound(database: Database) -> list[str]:
    """What the inspection of the service says of the books."""
    with database.read() as connection:
        return findings(connection)


def size(database: Database) -> int:
    """Bytes that the database takes on its disk."""
    with database.read() as connection:
        if database.dialect == "postgresql":
            query = "SELECT pg_database_size(current_database())"
            return int(connection.scalar(sa.text(query)) or 0)
        pages, page = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("page_count", "page_size")
        )
        return int(pages or 0) * int(page or 0)


def _median_ms(database: Database, ask: Callable[[sa.Connection], None], probes: int) -> float:
    """The median of the time for one answer, its read transaction included."""
    times = []
    for _ in range(probes):
        begun = time.perf_counter()
        with database.read() as connection:
            ask(connection)
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


def _places(regencies: int) -> list[str]:
    return [f"{11 + number // 20}.{1 + number % 20:02}" for number in range(regencies)]


class _Writer:
    """Collects rows and writes them in chunks."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._rows: dict[sa.Table, list[dict[str, Any]]] = {}

    def add(self, table: sa.Table, **row: Any) -> None:
        rows = self._rows.setdefault(table, [])
        rows.append(row)
        if len(rows) >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        for table in (tables.transfer, tables.line, tables.ledger_day, tables.account_day):
            rows = self._rows.pop(table, [])
            if rows:
                self._connection.execute(sa.insert(table), rows)


def _fill(database: Database, regencies: int, start: date, length: int) -> int:
    """Deliver one lot, move a share to each regency, and use some of it there every day; all days closed."""
    share = _LOT // regencies
    books = _Books(regencies, share)
    with database.transaction() as connection:
        connection.execute(
            sa.insert(contract_tables.contract),
            {
                "contract_id": _CONTRACT,
                "supplier": "PT Kartu",
                "quantity": _LOT,
                "create_time": _morning(start),
                "item": "blank",
            },
        )
        connection.execute(
            sa.insert(tables.lot),
            {
                "lot_id": str(UUID(int=1)),
                "contract_id": _CONTRACT,
                "delivery_note": "SJ-1",
                "first": 1,
                "last": _LOT,
                "receive_time": _morning(start),
            },
        )
        writer = _Writer(connection)
        for offset in range(length):
            books.live(writer, start + timedelta(days=offset), first=offset == 0)
        writer.flush()
        closed = start + timedelta(days=length - 1)
        for account, balance in books.balances.items():
            connection.execute(
                sa.insert(tables.account),
                {
                    "code": account.code,
                    "place": account.place,
                    "item": account.item,
                    "condition": account.condition,
                    "balance": balance,
                    "closed_through": closed,
                    "closed_balance": balance,
                },
            )
        connection.execute(sa.insert(tables.holding), list(books.holdings()))
        if database.dialect == "postgresql":
            query = "SELECT setval(pg_get_serial_sequence('transfer', 'entry'), :entry)"
            connection.execute(sa.text(query), {"entry": books.entry})
    return books.entry


class _Books:
    """The books as they grow, in memory."""

    def __init__(self, regencies: int, share: int) -> None:
        self.balances: dict[Account, int] = {}
        self.entry = 0
        self._share = share
        self._places = _places(regencies)
        self._next = [1 + number * share for number in range(regencies)]
        self._dice = random.Random(514)
        self._moved: dict[Account, list[int]] = {}

    def live(self, writer: _Writer, day: date, *, first: bool) -> None:
        """One day: on the first the lot arrives and is shared out; then each regency uses some of its own."""
        floor, at = self.entry, _morning(day)
        if first:
            contracted = Account(_CONTRACT, Condition.CONTRACTED)
            owed, centre = contracted.to(Condition.OUTSTANDING), Account(CENTRE, Condition.ON_HAND)
            self._move(writer, Kind.CONTRACT_SIGNED, at, contracted, owed, _LOT, None)
            self._move(writer, Kind.LOT_RECEIVED, at, owed, centre, _LOT, 1)
            for place, begin in zip(self._places, self._next, strict=True):
                stock = Account(place, Condition.ON_HAND)
                self._move(writer, Kind.STOCK_MOVED, at, centre, stock, self._share, begin)
        for number, place in enumerate(self._places):
            used = self._dice.randrange(20, 80)
            stock = Account(place, Condition.ON_HAND)
            begin = self._next[number]
            self._next[number] += used
            when = at + timedelta(seconds=30 * number)
            self._move(writer, Kind.BLANK_CONSUMED, when, stock, stock.to(Condition.CONSUMED), used, begin)
        writer.add(
            tables.ledger_day,
            day=day,
            floor_entry=self.entry,
            last_entry=self.entry,
            transfers=self.entry - floor,
            close_time=days.end_of(day) + days.GRACE,
        )
        for account, (added, removed) in self._moved.items():
            writer.add(
                tables.account_day,
                code=account.code,
                day=day,
                balance=self.balances[account],
                added=added,
                removed=removed,
            )
        self._moved.clear()

    def _move(
        self,
        writer: _Writer,
        kind: Kind,
        at: datetime,
        source: Account,
        target: Account,
        quantity: int,
        begin: int | None,
    ) -> None:
        self.entry += 1
        for account, change in ((source, -quantity), (target, quantity)):
            self.balances[account] = self.balances.get(account, 0) + change
            moved = self._moved.setdefault(account, [0, 0])
            moved[change < 0] += quantity
        writer.add(
            tables.transfer,
            entry=self.entry,
            transfer_id=str(UUID(int=self.entry)),
            kind=kind,
            subject=str(UUID(int=self.entry)),
            actor="service/cardperso",
            reason="made up",
            book_time=at,
        )
        writer.add(
            tables.line,
            entry=self.entry,
            number=0,
            source=source.code,
            target=target.code,
            quantity=quantity,
            first=begin,
            last=None if begin is None else begin + quantity - 1,
            width=None if begin is None else (quantity - 1).bit_length(),
        )

    def holdings(self) -> Iterator[dict[str, Any]]:
        """Used and unused serials of each regency, and what stayed at the centre."""
        for number, place in enumerate(self._places):
            begin, stock = 1 + number * self._share, Account(place, Condition.ON_HAND)
            used, last = self._next[number], begin + self._share - 1
            yield {"first": begin, "last": used - 1, "account": stock.to(Condition.CONSUMED).code}
            yield {"first": used, "last": last, "account": stock.code}
        rest = 1 + len(self._places) * self._share
        if rest <= _LOT:
            yield {"first": rest, "last": _LOT, "account": Account(CENTRE, Condition.ON_HAND).code}


def _morning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 1, tzinfo=UTC)
