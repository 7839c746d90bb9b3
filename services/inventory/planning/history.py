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
from services.inventory.ledger import BLANK, Condition
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
    first = (start - _EPOCH).days
    consumed, spoiled, shelf = (
        _series(connection, region, condition, value, start)
        for condition, value in (
            (Condition.CONSUMED, _snapshot.c.added),
            (Condition.SPOILED, _snapshot.c.added),
            (Condition.ON_HAND, _snapshot.c.balance),
        )
    )
    locations = tuple(sorted({*consumed, *spoiled, *also}))
    shape = (len(locations), days)
    used = Used(locations, start, np.zeros(shape), np.zeros(shape), np.zeros(shape, bool))
    for row, location in enumerate(locations):
        for series, part in ((consumed, used.consumed), (spoiled, used.spoiled)):
            if location in series:
                numbers, amounts = series[location]
                part[row, numbers - first] = amounts
        if location in shelf:
            numbers, balances = shelf[location]
            used.empty[row] = _empty(numbers - first, balances, days)
    return used


def _series(
    connection: sa.Connection, region: Location, condition: Condition, value: sa.Column[Any], start: date
) -> dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Day numbers, ascending, and values by place: of the shelf all, because what was on it long ago may be
    there still.

    Each account is one row of text: half a million rows of numbers take ten times as long.
    """
    number = _number_of_day(connection, _snapshot.c.day)
    query = (
        sa.select(
            _account.c.place,
            sa.func.aggregate_strings(sa.cast(number, sa.String), ","),
            sa.func.aggregate_strings(sa.cast(value, sa.String), ","),
        )
        .join_from(_snapshot, _account, _account.c.code == _snapshot.c.code)
        .where(*_wanted(region, condition))
        .group_by(_account.c.place)
    )
    if condition is not Condition.ON_HAND:
        query = query.where(_snapshot.c.day >= start)
    found = {}
    for place, numbers, values in connection.execute(query):
        at, amounts = _numbers(numbers), _numbers(values)
        order = np.argsort(at, kind="stable")
        found[place] = at[order], amounts[order]
    return found


def _numbers(text: str) -> npt.NDArray[np.int64]:
    return np.array(text.split(","), np.int64)


def _empty(at: npt.NDArray[np.int64], balances: npt.NDArray[np.int64], days: int) -> npt.NDArray[np.bool_]:
    """Days that ended without free stock: before the first movement, and from a zero to the next movement."""
    empty = np.zeros(days, bool)
    ends = np.append(at[1:], days)
    empty[: max(int(at[0]), 0)] = True
    for k in np.flatnonzero(balances == 0):
        empty[max(int(at[k]), 0) : max(int(ends[k]), 0)] = True
    return empty


def _wanted(region: Location, condition: Condition) -> list[Any]:
    place = _account.c.place
    wanted: list[Any] = [_account.c.item == BLANK, _account.c.condition == condition]
    if region != CENTRE:
        wanted.append(sa.or_(place == region, place.startswith(f"{region}."), place.startswith(f"{region}:")))
    return wanted


def _number_of_day(connection: sa.Connection, day: sa.Column[Any]) -> Any:
    """The day as a number of days since :data:`_EPOCH`."""
    if connection.dialect.name == "postgresql":
        return sa.type_coerce(day - sa.literal(_EPOCH, sa.Date), sa.Integer)
    return sa.cast(sa.func.julianday(day) - sa.func.julianday(_EPOCH.isoformat()), sa.Integer)
