"""The SQL of balances: now, and at any past moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.common.regions import in_region
from services.inventory import tables
from services.inventory.ledger import days
from services.inventory.ledger.entries import BLANK, STOCK, Account, Condition
from services.inventory.location import CENTRE, Location

_account, _line, _transfer = tables.account, tables.line, tables.transfer
_day, _snapshot, _late = tables.ledger_day, tables.account_day, tables.late_event
#: A weekend and the day before it, on which offices work.
_RECENT_DAYS = 3
#: So many accounts are searched for as fast as the accounts of a day are read.
_FEW = 100
#: So many can be named in one statement on every database; SQLite takes 32,766 values.
_NAMED = 10_000
_NAME = (_account.c.code, _account.c.place, _account.c.condition, _account.c.item)


#: The balance of each account at the end of ``before``: the last one that was written down by then.
_OPENING = (
    sa.select(_snapshot.c.balance)
    .where(_snapshot.c.code == _account.c.code, _snapshot.c.day <= sa.bindparam("before"))
    .order_by(_snapshot.c.day.desc())
    .limit(1)
    .scalar_subquery()
    .label("opening")
)
_OF_DAY = sa.select(_snapshot.c.code, _snapshot.c.balance).where(_snapshot.c.day == sa.bindparam("day"))


class Balances:
    """Balances over one open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def now(self, region: Location = CENTRE, item: str = BLANK) -> dict[Account, int]:
        """Balances of all accounts of ``region`` and everything below it, ordered by location code.

        The centre stands for the whole country with its contracts; an empty ``item`` for all items.
        """
        query = sa.select(*_NAME, _account.c.balance).where(*_of(region, item))
        return _sorted({_to_account(row): row.balance for row in self.connection.execute(query).all()})

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
        return self._at(moment, region, item).balances()

    def as_happened(
        self, moment: datetime, region: Location = CENTRE, item: str = BLANK
    ) -> dict[Account, int]:
        """What was at ``moment`` by all that is known now: :meth:`at`, and what was booked later of before.

        An account may come out below zero, when what went out was told in time and what came in was not.
        """
        found = self._at(moment, region, item)
        limits = [
            _transfer.c.book_time > moment,
            _line.c.entry.in_(sa.select(_late.c.entry).where(_late.c.event_time <= moment)),
        ]
        self._add_lines(found, region, limits)
        return found.balances()

    def at_end_of(self, day: date, region: Location = CENTRE, item: str = "") -> dict[Account, int]:
        """Balances at the end of a closed day, as they were written down then; all items by default."""
        return self._opened(day, region, item).balances()

    def last_entry(self, account: Account) -> int:
        """The last entry that moved ``account``; 0 for none. It changes with each of them."""
        columns = (_line.c.source, _line.c.target)
        entries = (
            self.connection.scalar(sa.select(sa.func.max(_line.c.entry)).where(column == account.code))
            for column in columns
        )
        return max(entry or 0 for entry in entries)

    def _at(self, moment: datetime, region: Location, item: str) -> _Sums:
        before = days.day_of(moment) - timedelta(days=1)
        base = self._base(before)
        after = () if base is None else (_transfer.c.book_time >= days.end_of(base.day),)
        floor = 0 if base is None else base.floor_entry
        found = self._opened(before, region, item)
        # Said of both tables: PostgreSQL does not conclude it for the other, and would read all of it.
        limits = [_line.c.entry > floor, _transfer.c.entry > floor, _transfer.c.book_time <= moment, *after]
        last = self.connection.scalar(sa.select(_day.c.last_entry).where(_day.c.day == days.day_of(moment)))
        if last is not None:
            limits += [_line.c.entry <= last, _transfer.c.entry <= last]
        self._add_lines(found, region, limits)
        return found

    def _opened(self, before: date, region: Location, item: str) -> _Sums:
        """The balances at the end of ``before``."""
        accounts = self.connection.execute(sa.select(*_NAME).where(*_of(region, item))).all()
        sums = dict.fromkeys((row.code for row in accounts), 0)
        missing = set(sums)
        # Most accounts moved on one of the last days: to read a day takes as long as to search for a few.
        for back in range(_RECENT_DAYS):
            if len(missing) <= _FEW:
                break
            moved = self.connection.execute(_OF_DAY, {"day": before - timedelta(days=back)}).all()
            sums |= {code: balance for code, balance in moved if code in missing}
            missing.difference_update(code for code, _ in moved)
        if missing:
            those = [_account.c.code.in_(missing)] if len(missing) <= _NAMED else _of(region, item)
            query = sa.select(_account.c.code, _OPENING).where(*those)
            sums |= {code: n or 0 for code, n in self.connection.execute(query, {"before": before}).all()}
        return _Sums(accounts, sums)

    def _base(self, before: Any) -> sa.Row[Any] | None:
        query = sa.select(_day).where(_day.c.day <= before).order_by(_day.c.day.desc()).limit(1)
        return self.connection.execute(query).first()

    def _add_lines(self, found: _Sums, region: Location, limits: list[Any]) -> None:
        """Add the lines within ``limits`` to the accounts that they went out of and into."""
        moved = sa.select(sa.func.sum(_line.c.quantity)).where(*limits)
        moved = moved.join_from(_line, _transfer, _transfer.c.entry == _line.c.entry)
        if region == CENTRE or len(found.sums) > _NAMED:
            sides = (_line.c.source, _line.c.target)
            for total, source, target in self.connection.execute(
                moved.add_columns(*sides).group_by(*sides)
            ).all():
                found.add(source, -int(total))
                found.add(target, int(total))
            return
        for column, sign in ((_line.c.source, -1), (_line.c.target, 1)):
            # Named, so that the database takes the lines of these accounts and not those of all.
            of_account = moved.add_columns(column).where(column.in_(list(found.sums))).group_by(column)
            for total, code in self.connection.execute(of_account).all():
                found.add(code, sign * int(total))


class _Sums:
    """Balances of the accounts asked for, added up by their codes: to make an :class:`Account` costs more."""

    def __init__(self, accounts: Sequence[Any], sums: dict[str, int]) -> None:
        self._accounts = accounts
        self.sums = sums

    def add(self, code: str, change: int) -> None:
        """Unless it is of an account that was not asked for."""
        if code in self.sums:
            self.sums[code] += change

    def balances(self) -> dict[Account, int]:
        """Those that are not zero."""
        return _sorted(
            {_to_account(row): self.sums[row.code] for row in self._accounts if self.sums[row.code]}
        )


def _of(region: Location, item: str) -> list[Any]:
    """Conditions on accounts: of ``region`` and below, of ``item`` if one is named."""
    wanted = [_account.c.item == item] if item else []
    return [*wanted, *in_region(_account.c.place, region)]


def _to_account(row: Any) -> Account:
    return Account(row.place, Condition(row.condition), row.item)


def _sorted(found: dict[Account, int]) -> dict[Account, int]:
    # Sorted here, because collations of PostgreSQL pass over punctuation; by a key, because comparing two
    # accounts takes many times as long as comparing two tuples.
    return dict(sorted(found.items(), key=lambda pair: (pair[0].place, pair[0].condition, pair[0].item)))
