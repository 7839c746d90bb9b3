"""The SQL of balances: now, and at any past moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.inventory import tables
from services.inventory.ledger import days
from services.inventory.ledger.entries import BLANK, STOCK, Account, Condition
from services.inventory.location import CENTRE, Location

_account, _line, _transfer = tables.account, tables.line, tables.transfer
_day, _snapshot, _late = tables.ledger_day, tables.account_day, tables.late_event


class Balances:
    """Balances over one open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def now(self, region: Location = CENTRE, item: str = BLANK) -> dict[Account, int]:
        """Balances of all accounts of ``region`` and everything below it, ordered by location code.

        The centre stands for the whole country with its contracts; an empty ``item`` for all items.
        """
        query = sa.select(_account).where(*_of(region, item))
        return _sorted({_to_account(row): row.balance for row in self.connection.execute(query)})

    def stock(self, region: Location = CENTRE, item: str = BLANK) -> dict[Account, int]:
        """Of :meth:`now` what is stock; no promises of suppliers and borrowers."""
        found = self.now(region, item)
        return {account: balance for account, balance in found.items() if account.condition in STOCK}

    def promised(self, item: str = BLANK) -> tuple[int, int]:
        """Units contracted and units outstanding, over all contracts."""
        rows = self.connection.execute(
            sa.select(_account.c.condition, sa.func.sum(_account.c.balance))
            .where(
                _account.c.condition.in_((Condition.CONTRACTED, Condition.OUTSTANDING)),
                _account.c.item == item,
            )
            .group_by(_account.c.condition)
        )
        sums = {condition: int(total) for condition, total in rows}
        return -sums.get(Condition.CONTRACTED, 0), sums.get(Condition.OUTSTANDING, 0)

    def at(self, moment: datetime, region: Location = CENTRE, item: str = BLANK) -> dict[Account, int]:
        """What the books said at ``moment``: everything booked until then, whenever it had happened.

        The balance at the end of the last day closed by then, and the bookings after it.
        """
        before = days.day_of(moment) - timedelta(days=1)
        base = self._base(before)
        after = () if base is None else (_transfer.c.book_time >= days.end_of(base.day),)
        floor = 0 if base is None else base.floor_entry
        wanted = _of(region, item)
        opening = (
            sa.select(_snapshot.c.balance)
            .where(_snapshot.c.code == _account.c.code, _snapshot.c.day <= before)
            .order_by(_snapshot.c.day.desc())
            .limit(1)
            .scalar_subquery()
        )
        query = sa.select(_account, opening.label("opening")).where(*wanted)
        found = {_to_account(row): row.opening or 0 for row in self.connection.execute(query)}
        # Said of both tables: PostgreSQL does not conclude it for the other, and would read all of it.
        limits = [_line.c.entry > floor, _transfer.c.entry > floor, _transfer.c.book_time <= moment, *after]
        last = self.connection.scalar(sa.select(_day.c.last_entry).where(_day.c.day == days.day_of(moment)))
        if last is not None:
            limits += [_line.c.entry <= last, _transfer.c.entry <= last]
        self._add_lines(found, region, item, limits)
        return _sorted({account: balance for account, balance in found.items() if balance})

    def as_happened(
        self, moment: datetime, region: Location = CENTRE, item: str = BLANK
    ) -> dict[Account, int]:
        """What was at ``moment`` by all that is known now: :meth:`at`, and what was booked later of before.

        An account may come out below zero, when what went out was told in time and what came in was not.
        """
        found = self.at(moment, region, item)
        limits = [
            _transfer.c.book_time > moment,
            _line.c.entry.in_(sa.select(_late.c.entry).where(_late.c.event_time <= moment)),
        ]
        self._add_lines(found, region, item, limits)
        return _sorted({account: balance for account, balance in found.items() if balance})

    def last_entry(self, account: Account) -> int:
        """The last entry that moved ``account``; 0 for none. It changes with each of them."""
        columns = (_line.c.source, _line.c.target)
        entries = (
            self.connection.scalar(sa.select(sa.func.max(_line.c.entry)).where(column == account.code))
            for column in columns
        )
        return max(entry or 0 for entry in entries)

    def _base(self, before: Any) -> sa.Row[Any] | None:
        query = sa.select(_day).where(_day.c.day <= before).order_by(_day.c.day.desc()).limit(1)
        return self.connection.execute(query).first()

    def _add_lines(self, found: dict[Account, int], region: Location, item: str, limits: list[Any]) -> None:
        """Add the lines within ``limits`` to the accounts that they went out of and into."""
        for column, sign in ((_line.c.source, -1), (_line.c.target, 1)):
            query = (
                sa.select(column, sa.func.sum(_line.c.quantity))
                .join_from(_line, _transfer, _transfer.c.entry == _line.c.entry)
                .where(*limits)
                .group_by(column)
            )
            if region != CENTRE:
                # Named, so that the database takes the lines of these accounts and not those of all.
                codes = sa.select(_account.c.code).where(*_of(region, item))
                query = query.where(column.in_(list(self.connection.scalars(codes))))
            for code, moved in self.connection.execute(query):
                account = Account.parse(code)
                if item in {"", account.item}:
                    found[account] = found.get(account, 0) + sign * int(moved)


def _of(region: Location, item: str) -> list[Any]:
    """Conditions on accounts: of ``region`` and below, of ``item`` if one is named."""
    wanted: list[Any] = [_account.c.item == item] if item else []
    if region != CENTRE:
        place = _account.c.place
        wanted.append(sa.or_(place == region, place.startswith(f"{region}."), place.startswith(f"{region}:")))
    return wanted


def _to_account(row: sa.Row[Any]) -> Account:
    return Account(row.place, Condition(row.condition), row.item)


def _sorted(found: dict[Account, int]) -> dict[Account, int]:
    # Sorted here, because collations of PostgreSQL pass over punctuation.
    return dict(sorted(found.items()))
