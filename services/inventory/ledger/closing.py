"""Closing days: what an account held at the end of a day is written down once and never changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.inventory import tables
from services.inventory.ledger import days

_account, _line, _transfer = tables.account, tables.line, tables.transfer
_day, _snapshot = tables.ledger_day, tables.account_day


class Closing:
    """Days and their closing, over one open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def last(self) -> date | None:
        """The last closed day."""
        found: date | None = self.connection.scalar(sa.select(sa.func.max(_day.c.day)))
        return found

    def next(self) -> date | None:
        """The first day that is open: the one after the last closed one, or that of the first booking."""
        last = self.last()
        if last is not None:
            return last + timedelta(days=1)
        oldest = sa.select(_transfer.c.book_time).order_by(_transfer.c.entry).limit(1)
        first = self.connection.scalar(oldest)
        return None if first is None else days.day_of(first)

    def require_open(self, now: datetime) -> None:
        """Raise :class:`FailedPrecondition` when the day of ``now`` is closed; otherwise it stays open until
        the transaction ends. For what is told in a day's statement and moves no account.
        """
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(sa.text("LOCK TABLE account IN ROW SHARE MODE"))
        last = self.last()
        if last is not None and days.day_of(now) <= last:
            raise days.DayClosedError(now, last)

    def close(self, through: date, now: datetime) -> list[date]:
        """Close all open days up to ``through``, in their order; those that were closed by this.

        Raises :class:`FailedPrecondition` when ``through`` is not over yet.
        """
        if through > days.closable(now):
            raise days.not_over(through, days.closable(now))
        # Nobody books meanwhile, and whoever began to has ended: every booking of those days is seen.
        if self.connection.dialect.name == "postgresql":
            self.connection.execute(sa.text("LOCK TABLE account IN EXCLUSIVE MODE"))
        closed = []
        for day in self._open_days(through):
            self._close(day, now)
            closed.append(day)
        if closed:
            self.connection.execute(sa.update(_account).values(closed_through=through))
        return closed

    def _open_days(self, through: date) -> Iterator[date]:
        day = self.next()
        while day is not None and day <= through:
            yield day
            day += timedelta(days=1)

    def _close(self, day: date, now: datetime) -> None:
        before = self.connection.execute(sa.select(_day).where(_day.c.day == day - timedelta(days=1))).first()
        floor = 0 if before is None else before.floor_entry
        since = () if before is None else (_transfer.c.book_time >= days.end_of(before.day),)
        on_day = [_transfer.c.entry > floor, _transfer.c.book_time < days.end_of(day), *since]
        last, transfers = self.connection.execute(
            sa.select(sa.func.max(_transfer.c.entry), sa.func.count()).where(*on_day)
        ).one()
        later = self.connection.scalar(
            sa.select(sa.func.min(_transfer.c.entry)).where(
                _transfer.c.entry > floor, _transfer.c.book_time >= days.end_of(day)
            )
        )
        newest = self.connection.scalar(sa.select(sa.func.max(_transfer.c.entry))) or 0
        self.connection.execute(
            sa.insert(_day),
            {
                "day": day,
                "floor_entry": newest if later is None else later - 1,
                "last_entry": last or (floor if before is None else before.last_entry),
                "transfers": transfers,
                "close_time": now,
            },
        )
        self._write(day, self._moved(on_day))

    def _moved(self, on_day: list[Any]) -> dict[str, list[int]]:
        """What came into and went out of each account."""
        moved: dict[str, list[int]] = {}
        for side, column in enumerate((_line.c.target, _line.c.source)):
            query = (
                sa.select(column.label("code"), sa.func.sum(_line.c.quantity).label("moved"))
                .join_from(_transfer, _line, _line.c.entry == _transfer.c.entry)
                .where(*on_day)
                .group_by(column)
            )
            for row in self.connection.execute(query):
                moved.setdefault(row.code, [0, 0])[side] = int(row.moved)
        return moved

    def _write(self, day: date, moved: dict[str, list[int]]) -> None:
        if not moved:
            return
        rows = self.connection.execute(sa.select(_account.c.code, _account.c.closed_balance))
        balances = {row.code: row.closed_balance for row in rows if row.code in moved}
        snapshots = [
            {
                "code": code,
                "day": day,
                "balance": balances[code] + added - removed,
                "added": added,
                "removed": removed,
            }
            for code, (added, removed) in sorted(moved.items())
        ]
        self.connection.execute(sa.insert(_snapshot), snapshots)
        self.connection.execute(
            sa.update(_account)
            .where(_account.c.code == sa.bindparam("of_code"))
            .values(closed_balance=sa.bindparam("now_balance")),
            [{"of_code": row["code"], "now_balance": row["balance"]} for row in snapshots],
        )
