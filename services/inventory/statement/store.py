"""The SQL of statements: what a location had and saw on a closed day, and the statements made of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from services.common.regions import in_region
from services.inventory import tables
from services.inventory.ledger import days
from services.inventory.ledger.balances import Balances
from services.inventory.ledger.entries import Account, Condition
from services.inventory.location import Location
from services.inventory.movements import tables as movement_tables
from services.inventory.records import Page, one_more, paged
from services.inventory.statement.content import Day, Movement, Refused, levels
from services.inventory.statement.tables import statement
from services.inventory.statement.verify import Published

_account, _line, _transfer = tables.account, tables.line, tables.transfer
_closed, _snapshot = tables.ledger_day, tables.account_day
_refusal, _late = movement_tables.refusal, tables.late_event

#: Balances by place, and by item and condition.
Opening = dict[str, dict[tuple[str, str], int]]

#: Accounts of contracts are no stock of a place.
_NOT_OF_A_PLACE = (Condition.CONTRACTED, Condition.OUTSTANDING)


@dataclass(frozen=True)
class Issued:
    """A statement as it is kept."""

    location: str
    day: date
    sequence: int
    digest: str
    published: Published


class StatementStore:
    """Statements and what they are made of, over one open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def last_closed(self) -> date | None:
        """The last closed day of the ledger."""
        found: date | None = self.connection.scalar(sa.select(sa.func.max(_closed.c.day)))
        return found

    def last_day(self) -> date | None:
        """The last day that has statements."""
        # They are made day after day; to look for the greatest day would read an index of all of them.
        newest = sa.select(statement.c.day).order_by(statement.c.entry.desc()).limit(1)
        found: date | None = self.connection.scalar(newest)
        return found

    def next_day(self) -> date | None:
        """The first closed day without statements; ``None`` when there is none.

        Before the first statement that is the first day on which a location moved stock or refused people: a
        contract may be in the books for months before its first delivery.
        """
        done, last = self.last_day(), self.last_closed()
        first = self._first_told() if done is None else done + timedelta(days=1)
        return None if first is None or last is None or first > last else first

    def _first_told(self) -> date | None:
        """The first closed day that a location can tell anything of."""
        moved = self.connection.scalar(
            sa.select(sa.func.min(_snapshot.c.day))
            .join_from(_snapshot, _account, _account.c.code == _snapshot.c.code)
            .where(_account.c.condition.not_in(_NOT_OF_A_PLACE))
        )
        first_closed = self.connection.scalar(sa.select(sa.func.min(_closed.c.day)))
        if first_closed is None:
            return None
        refused = self.connection.scalar(
            sa.select(sa.func.min(_refusal.c.book_time)).where(
                _refusal.c.book_time >= days.start_of(first_closed)
            )
        )
        return min((day for day in (moved, refused and days.day_of(refused)) if day), default=None)

    def heads(self) -> dict[str, tuple[int, str]]:
        """Number and hash of the latest statement of each location."""
        # By the day, which an index has beside the location: years of statements are not read for it.
        latest = (
            sa.select(statement.c.location, sa.func.max(statement.c.day).label("day"))
            .group_by(statement.c.location)
            .subquery()
        )
        query = sa.select(statement.c.location, statement.c.sequence, statement.c.digest).join(
            latest,
            sa.and_(latest.c.location == statement.c.location, latest.c.day == statement.c.day),
        )
        return {row.location: (row.sequence, row.digest) for row in self.connection.execute(query)}

    def days_of(self, day: date, opening: Opening, known: Collection[str]) -> list[Day]:
        """What every location had and saw on a closed ``day`` that began with ``opening``, by code.

        Those that are ``known`` from a statement before have one for ever, also without any stock: a counter
        may refuse people before its first blank comes, and a day left out would look like one taken away.
        """
        moved: dict[str, list[tuple[str, str, int, int, int]]] = {}
        query = (
            sa.select(_account.c.place, _account.c.item, _account.c.condition, _snapshot)
            .join_from(_snapshot, _account, _account.c.code == _snapshot.c.code)
            .where(_snapshot.c.day == day, _account.c.condition.not_in(_NOT_OF_A_PLACE))
        )
        for row in self.connection.execute(query):
            moved.setdefault(row.place, []).append(
                (row.item, row.condition, row.added, row.removed, row.balance)
            )
        movements, refusals = self._movements(day), self._refusals(day)
        return [
            Day(
                place,
                day,
                levels(opening.get(place, {}), moved.get(place, [])),
                tuple(movements.get(place, [])),
                tuple(refusals.get(place, [])),
            )
            for place in sorted({*known, *opening, *moved, *refusals})
        ]

    def add(self, issued: Iterable[Issued]) -> None:
        """Keep statements."""
        rows = [
            {
                "location": each.location,
                "day": each.day,
                "sequence": each.sequence,
                "content": each.published.content,
                "digest": each.digest,
                "signature": each.published.signature,
                "key_id": each.published.key_id,
            }
            for each in issued
        ]
        if rows:
            self.connection.execute(sa.insert(statement), rows)

    def page(
        self,
        location: Location,
        *,
        below: bool,
        first: date | None,
        last: date | None,
        after: int,
        limit: int,
    ) -> Page[Issued]:
        """Statements in order of entry: of a location, or of it and all below."""
        place = statement.c.location
        wanted: list[Any] = []
        wanted += in_region(place, location) if below else [place == location]
        if first is not None:
            wanted.append(statement.c.day >= first)
        if last is not None:
            wanted.append(statement.c.day <= last)
        rows = one_more(self.connection, sa.select(statement).where(*wanted), statement, after, limit)
        return paged(rows, [_to_issued(row) for row in rows], limit)

    def opening(self, day: date) -> Opening:
        """Balances at the end of the day before."""
        found: Opening = {}
        for account, balance in Balances(self.connection).at_end_of(day - timedelta(days=1)).items():
            if account.condition not in _NOT_OF_A_PLACE:
                found.setdefault(account.place, {})[account.item, account.condition] = balance
        return found

    def _movements(self, day: date) -> dict[str, list[Movement]]:
        """The bookings of the day by kind and accounts, under each of the two places."""
        known = self.connection.execute(sa.select(_closed).where(_closed.c.day == day)).one()
        before = self.connection.execute(
            sa.select(_closed.c.floor_entry).where(_closed.c.day == day - timedelta(days=1))
        ).scalar()
        query = (
            sa.select(
                _transfer.c.kind,
                _line.c.source,
                _line.c.target,
                sa.func.sum(_line.c.quantity).label("quantity"),
                sa.func.count(sa.distinct(_transfer.c.entry)).label("transfers"),
                sa.func.count(sa.distinct(_late.c.entry)).label("late"),
            )
            .join_from(_transfer, _line, _line.c.entry == _transfer.c.entry)
            .outerjoin(
                _late,
                sa.and_(_late.c.entry == _transfer.c.entry, _late.c.event_time < days.start_of(day)),
            )
            .where(
                _transfer.c.entry > (before or 0),
                _transfer.c.entry <= known.last_entry,
                _transfer.c.book_time >= days.start_of(day),
                _transfer.c.book_time < days.end_of(day),
            )
            .group_by(_transfer.c.kind, _line.c.source, _line.c.target)
        )
        found: dict[str, list[Movement]] = {}
        for row in self.connection.execute(query):
            source, target = Account.parse(row.source), Account.parse(row.target)
            movement = Movement(
                row.kind, source.item, row.source, row.target, int(row.quantity), row.transfers, row.late
            )
            for place in {source.place, target.place}:
                found.setdefault(place, []).append(movement)
        for movements in found.values():
            movements.sort(key=lambda each: (each.item, each.kind, each.source, each.target))
        return found

    def _refusals(self, day: date) -> dict[str, list[Refused]]:
        """People sent away, by the place; a refusal told late is in the statement of the day it was told."""
        query = (
            sa.select(_refusal)
            .where(
                _refusal.c.book_time >= days.start_of(day),
                _refusal.c.book_time < days.end_of(day),
            )
            .order_by(_refusal.c.event_time, _refusal.c.entry)
        )
        found: dict[str, list[Refused]] = {}
        for row in self.connection.execute(query):
            refused = Refused(row.event_time, row.book_time, row.item, row.people, row.reason, row.on_hand)
            found.setdefault(row.location, []).append(refused)
        return found


def _to_issued(row: sa.Row[Any]) -> Issued:
    published = Published(row.content, bytes(row.signature), row.key_id)
    return Issued(row.location, row.day, row.sequence, row.digest, published)
