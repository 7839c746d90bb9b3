"""The SQL of what was used: daily use of each location from the closed days of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from services.inventory import tables
from services.inventory.ledger import BLANK, Account, Condition
from services.inventory.location import CENTRE, Location

_account, _snapshot, _day = tables.account, tables.account_day, tables.ledger_day

#: Three years: long enough to see each season, short enough to read.
MOST_DAYS: Final = 1096
_EPOCH: Final = date(2000, 1, 1)


@dataclass(frozen=True)
class Used:
    """What locations used, one row a location."""

    locations: tuple[str, ...]
    start: date
    #: Blanks that became cards, and that were spoiled, shape (locations, days).
    consumed: npt.NDArray[np.float64]
    spoiled: npt.NDArray[np.float64]
    #: Days on which the shelf was empty in the evening, shape (locations, days).
    empty: npt.NDArray[np.bool_]

    @property
    def last(self) -> date:
        """The last day."""
        return self.start + timedelta(days=self.consumed.shape[1] - 1)

    @property
    def known(self) -> npt.NDArray[np.float64]:
        """Use of each day, NaN where an empty shelf hid the demand."""
        return np.where(self.empty, np.nan, self.consumed + self.spoiled)


def read(connection: sa.Connection, region: Location, also: Sequence[str] = ()) -> Used | None:
    """The use of every location of ``region`` that has a history, and of those in ``also``; ``None`` before
    the first day is closed.
    """
    span = connection.execute(sa.select(sa.func.min(_day.c.day), sa.func.max(_day.c.day))).one()
    if span[0] is None:
        return None
    start = max(span[0], span[1] - timedelta(MOST_DAYS - 1))
    days = (span[1] - start).days + 1
    accounts = {
        code: Account(place, Condition(condition))
        for code, place, condition in connection.execute(
            sa.select(_account.c.code, _account.c.place, _account.c.condition).where(
                *_wanted(region, (Condition.CONSUMED, Condition.SPOILED))
            )
        )
    }
    locations = tuple(sorted({account.place for account in accounts.values()} | set(also)))
    row_of = {location: row for row, location in enumerate(locations)}
    shape = (len(locations), days)
    used = Used(locations, start, np.zeros(shape), np.zeros(shape), np.zeros(shape, bool))
    parts = {Condition.CONSUMED: used.consumed, Condition.SPOILED: used.spoiled}
    number = _number_of_day(connection, _snapshot.c.day)
    first = (start - _EPOCH).days
    moved = (
        sa.select(_snapshot.c.code, number, _snapshot.c.added)
        .join_from(_snapshot, _account, _account.c.code == _snapshot.c.code)
        .where(*_wanted(region, (Condition.CONSUMED, Condition.SPOILED)), _snapshot.c.day >= start)
    )
    rows = connection.execute(moved).all()
    if rows:
        codes, numbers, added = zip(*rows, strict=True)
        at = np.array(numbers, np.int64) - first
        amount = np.array(added, float)
        row = np.array([row_of[accounts[code].place] for code in codes], np.int64)
        spoiled = np.array([accounts[code].condition is Condition.SPOILED for code in codes])
        for condition, part in parts.items():
            chosen = spoiled == (condition is Condition.SPOILED)
            part[row[chosen], at[chosen]] = amount[chosen]
    _mark_empty(connection, region, used, row_of, number, first)
    return used


def _mark_empty(
    connection: sa.Connection, region: Location, used: Used, row_of: dict[str, int], number: Any, first: int
) -> None:
    """From an evening without free stock to the day before the next with some, and before the first."""
    shelf = (
        sa.select(
            _account.c.place,
            number.label("day"),
            sa.func.lead(number).over(partition_by=_snapshot.c.code, order_by=_snapshot.c.day).label("next"),
            sa.func.lag(number).over(partition_by=_snapshot.c.code, order_by=_snapshot.c.day).label("last"),
            _snapshot.c.balance,
        )
        .join_from(_snapshot, _account, _account.c.code == _snapshot.c.code)
        .where(*_wanted(region, (Condition.ON_HAND,)))
        .subquery()
    )
    begins = sa.select(shelf).where(sa.or_(shelf.c.balance == 0, shelf.c.last.is_(None)))
    days = used.empty.shape[1]
    for row in connection.execute(begins):
        place = row_of.get(row.place)
        if place is None:
            continue
        if row.last is None:
            # Nothing was there before the first movement, so nothing could be used.
            used.empty[place, : max(row.day - first, 0)] = True
        if row.balance == 0:
            end = days if row.next is None else row.next - first
            used.empty[place, max(row.day - first, 0) : max(end, 0)] = True


def _wanted(region: Location, conditions: Sequence[Condition]) -> list[Any]:
    place = _account.c.place
    wanted: list[Any] = [_account.c.item == BLANK, _account.c.condition.in_(conditions)]
    if region != CENTRE:
        wanted.append(sa.or_(place == region, place.startswith(f"{region}."), place.startswith(f"{region}:")))
    return wanted


def _number_of_day(connection: sa.Connection, day: sa.Column[Any]) -> Any:
    """The day as a number of days since :data:`_EPOCH`: a third of the time that reading dates takes."""
    if connection.dialect.name == "postgresql":
        return sa.type_coerce(day - sa.literal(_EPOCH, sa.Date), sa.Integer)
    return sa.cast(sa.func.julianday(day) - sa.func.julianday(_EPOCH.isoformat()), sa.Integer)
