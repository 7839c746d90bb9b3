"""The SQL of what was used: daily use of each location from the closed days of the ledger.

A blank is used once, on the day on which it leaves the stock of its location: as a card, or spoiled. What
happens to it afterwards is no use: a card that is rejected and voided was consumed and is spoiled as well, a
card that was withdrawn and given back is consumed once more. Nor is what arrives damaged: it never was in the
stock, nor is spoilage that was taken back. Closed days tell how much came into each account; what these few
kinds of transfers brought is taken off again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from services.inventory import tables
from services.inventory.ledger import days as ledger_days
from services.inventory.ledger.entries import BLANK, Account, Condition

_account, _snapshot, _day = tables.account, tables.account_day, tables.ledger_day
_transfer, _line = tables.transfer, tables.line

#: Three years: long enough to see each season, short enough to read.
MOST_DAYS: Final = 1096
_EPOCH: Final = date(2000, 1, 1)
#: Where blanks are that were used.
_USED: Final = (Condition.CONSUMED, Condition.SPOILED)
_FROM_UTC: Final = np.timedelta64(7, "h")


@dataclass(frozen=True)
class Used:
    """What locations used, one row a location."""

    locations: tuple[str, ...]
    start: date
    #: Blanks that left the stock as cards, and spoiled, shape (locations, days).
    consumed: npt.NDArray[np.float64]
    spoiled: npt.NDArray[np.float64]
    #: Those cards, of this day or of one before, that were rejected on this day, shape (locations, days).
    voided: npt.NDArray[np.float64]
    #: Days on which the shelf was empty in the evening, shape (locations, days).
    empty: npt.NDArray[np.bool_]

    @property
    def last(self) -> date:
        """The last day."""
        return self.start + timedelta(days=self.consumed.shape[1] - 1)

    @property
    def known(self) -> npt.NDArray[np.float64]:
        """Use of each day, NaN where an empty shelf hid the demand."""
        return np.where(self.empty, np.nan, self.taken)

    @cached_property
    def taken(self) -> npt.NDArray[np.float64]:
        """Use of each day: on days with an empty shelf less than was wanted, maybe."""
        return self.consumed + self.spoiled

    def handled(self, last_days: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Blanks of the last days that stayed cards, and that did not, shape (locations,) each.

        More than a day's cards on one day is an accident, such as a box that got wet, and tells nothing about
        how cards are handled.
        """
        part = slice(-last_days, None)
        made, voided = self.consumed[:, part], self.voided[:, part]
        usual = made.sum(axis=1) / np.maximum((made > 0).sum(axis=1), 1)
        lost = np.minimum(self.spoiled[:, part] + voided, np.maximum(made, usual[:, None]))
        # Of what was made before, cards may be voided still.
        return np.maximum(made.sum(axis=1) - voided.sum(axis=1), 0.0), lost.sum(axis=1)


class ClosedDays(NamedTuple):
    """The first and the last of them: there is none between that is not."""

    first: date
    last: date


class _Series(NamedTuple):
    """Day numbers, ascending, and values."""

    at: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]


class _NoUse(NamedTuple):
    """Day numbers and quantities that came into an account of cards or spoilage, though out of no stock."""

    account: Account
    #: They were cards until then.
    voids: bool
    at: npt.NDArray[np.int64]
    quantities: npt.NDArray[np.int64]


def closed_days(connection: sa.Connection) -> ClosedDays | None:
    """The days that are closed; ``None`` before the first is."""
    first, last = connection.execute(sa.select(sa.func.min(_day.c.day), sa.func.max(_day.c.day))).one()
    return None if first is None else ClosedDays(first, last)


def read(connection: sa.Connection, closed: ClosedDays, also: Collection[str] = ()) -> Used:
    """The use of every location that has a history, and of those in ``also``, on the last of these days."""
    start = max(closed.first, closed.last - timedelta(MOST_DAYS - 1))
    days = (closed.last - start).days + 1
    first = (start - _EPOCH).days
    consumed, spoiled, shelf = (
        _series(connection, condition, value, start)
        for condition, value in (
            (Condition.CONSUMED, _snapshot.c.added),
            (Condition.SPOILED, _snapshot.c.added),
            (Condition.ON_HAND, _snapshot.c.balance),
        )
    )
    locations = tuple(sorted({*consumed, *spoiled, *also}))
    shape = (len(locations), days)
    used = Used(locations, start, np.zeros(shape), np.zeros(shape), np.zeros(shape), np.ones(shape, bool))
    for row, location in enumerate(locations):
        for series, part in ((consumed, used.consumed), (spoiled, used.spoiled)):
            if location in series:
                part[row, series[location].at - first] = series[location].values
        if location in shelf:
            used.empty[row] = _empty(shelf[location].at - first, shelf[location].values, days)
    rows = {location: row for row, location in enumerate(locations)}
    for each in _no_use(connection, start, closed.last):
        # What is known of a place may all be older than these days.
        if each.account.place in rows:
            row = rows[each.account.place]
            part = used.consumed if each.account.condition is Condition.CONSUMED else used.spoiled
            np.subtract.at(part[row], each.at - first, each.quantities)
            if each.voids:
                np.add.at(used.voided[row], each.at - first, each.quantities)
    return used


def _series(
    connection: sa.Connection, condition: Condition, value: sa.Column[Any], start: date
) -> dict[str, _Series]:
    """What each account has on its days, by place: of the shelf all, because what was on it long ago may be
    there still.

    Each account is one row of text: half a million rows of numbers take ten times as long.
    """
    number = _number_of_day(connection, _snapshot.c.day)
    query = (
        sa.select(_account.c.place, *_as_text(number, value))
        .join_from(_snapshot, _account, _account.c.code == _snapshot.c.code)
        .where(_account.c.item == BLANK, _account.c.condition == condition)
        .group_by(_account.c.place)
    )
    if condition is not Condition.ON_HAND:
        query = query.where(_snapshot.c.day >= start)
    rows = connection.execute(query)
    return {place: _sorted(_numbers(numbers), _numbers(values)) for place, numbers, values in rows}


def _no_use(connection: sa.Connection, start: date, last: date) -> Iterator[_NoUse]:
    """What the accounts of cards and spoilage have from ``start`` to ``last`` that left no stock, or that was
    taken back; the latter on the day that it was booked on.
    """
    original = _transfer.alias("original")
    before = sa.select(original.c.book_time).where(original.c.transfer_id == _transfer.c.reverses)
    free_again = _line.c.target.endswith(f"/{Condition.ON_HAND}")
    limits: list[Any] = [
        tables.IS_NO_USE,
        _transfer.c.book_time >= ledger_days.end_of(start - timedelta(1)),
        _transfer.c.book_time < ledger_days.end_of(last),
    ]
    for side, moment, more in (
        (_line.c.target, _transfer.c.book_time, ()),
        (_line.c.source, before.scalar_subquery(), (free_again,)),
    ):
        query = (
            sa.select(_line.c.source, _line.c.target, *_as_text(_hour(connection, moment), _line.c.quantity))
            .join_from(_transfer, _line, _line.c.entry == _transfer.c.entry)
            .where(*limits, *more)
            .group_by(_line.c.source, _line.c.target)
        )
        for source_code, target_code, hours, values in connection.execute(query):
            source, target = Account.parse(source_code), Account.parse(target_code)
            account = target if side is _line.c.target else source
            if account.item != BLANK or account.condition not in _USED:
                continue
            local = np.array(hours.split(","), "datetime64[h]") + _FROM_UTC
            at = (local.astype("datetime64[D]") - np.datetime64(_EPOCH)).astype(np.int64)
            inside = at >= (start - _EPOCH).days
            voids = source.condition is Condition.CONSUMED and account is target
            yield _NoUse(account, voids, at[inside], _numbers(values)[inside])


def _as_text(*columns: Any) -> list[Any]:
    """One text a column for all rows of a group."""
    return [sa.func.aggregate_strings(sa.cast(column, sa.String), ",") for column in columns]


def _sorted(at: npt.NDArray[np.int64], values: npt.NDArray[np.int64]) -> _Series:
    order = np.argsort(at, kind="stable")
    return _Series(at[order], values[order])


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


def _number_of_day(connection: sa.Connection, day: Any) -> Any:
    """The day as a number of days since :data:`_EPOCH`."""
    if connection.dialect.name == "postgresql":
        return sa.type_coerce(day - sa.literal(_EPOCH, sa.Date), sa.Integer)
    return sa.cast(sa.func.julianday(day) - sa.func.julianday(_EPOCH.isoformat()), sa.Integer)


def _hour(connection: sa.Connection, moment: Any) -> Any:
    """The hour in UTC, such as 2017-03-31T16: days of the ledger begin with one."""
    if connection.dialect.name == "postgresql":
        return sa.func.to_char(sa.func.timezone("UTC", moment), 'YYYY-MM-DD"T"HH24')
    return sa.func.substr(moment, 1, 13)
