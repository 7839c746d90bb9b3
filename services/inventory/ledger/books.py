"""The SQL of the ledger: balances and transfers, changed in one transaction with the holdings of serials.

Locks. :meth:`Books.shift` locks the two accounts of a movement in the order of their codes; whoever holds an
account's row may change its holdings. So two movements never wait for each other in a circle, and the serials
picked after ``shift`` are still there when they are taken. SQLite has one writer at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.inventory import tables
from services.inventory.ledger import days
from services.inventory.ledger.entries import (
    NEGATIVE,
    Account,
    Kind,
    Line,
    OverdrawnError,
    OvertakenError,
    Transfer,
)
from services.inventory.ledger.holdings import Holdings
from services.inventory.ledger.serials import SerialRange

_account, _line, _transfer = tables.account, tables.line, tables.transfer
_given = sa.bindparam

# The time of an account never goes back, whatever the clocks of replicas say.
_MOMENT = _given("moment", type_=_account.c.last_time.type)
_LATER = sa.case(
    (sa.or_(_account.c.last_time.is_(None), _account.c.last_time < _MOMENT), _MOMENT),
    else_=_account.c.last_time,
)

# The statements of every posting are built once: building one costs more than SQLite takes to run it.
# Parameters of updates must not have names of columns, which SQLAlchemy keeps for the new values.
_SUBTRACT = (
    sa.update(_account)
    .where(_account.c.code == _given("of_code"), _account.c.balance >= _given("less"))
    .values(balance=_account.c.balance - _given("less"), last_time=_LATER)
    .returning(_account.c.closed_through, _account.c.last_time)
)
# What an account below zero gets back: never more than it is below.
_REPAY = (
    sa.update(_account)
    .where(_account.c.code == _given("of_code"), _account.c.balance <= -_given("less"))
    .values(balance=_account.c.balance + _given("less"), last_time=_LATER)
    .returning(_account.c.closed_through, _account.c.last_time)
)
_BALANCE = sa.select(_account.c.balance).where(_account.c.code == _given("of_code"))
_RECORD, _RECORD_LINE, _LATE = sa.insert(_transfer), sa.insert(_line), sa.insert(tables.late_event)


def _add_statement(dialect: ModuleType) -> sa.Insert:
    # A new account is closed as far as the ledger is: no replica books on a closed day because it is new.
    last_closed = sa.select(sa.func.max(tables.ledger_day.c.day)).scalar_subquery()
    insert = dialect.insert(_account).values(
        code=_given("code"),
        place=_given("place"),
        item=_given("item"),
        condition=_given("condition"),
        balance=_given("balance"),
        closed_through=last_closed,
        last_time=_MOMENT,
    )
    added: sa.Insert = insert.on_conflict_do_update(
        index_elements=[_account.c.code],
        set_={"balance": _account.c.balance + insert.excluded.balance, "last_time": _LATER},
    ).returning(_account.c.closed_through, _account.c.last_time)
    return added


_ADD = {"postgresql": _add_statement(postgresql), "sqlite": _add_statement(sqlite)}


class Books(Holdings):
    """Ledger and custody over one open transaction."""

    def __init__(self, connection: sa.Connection, moment: datetime | None = None) -> None:
        super().__init__(connection)
        #: When everything in this transaction is booked.
        self.moment = moment
        #: Kinds of the transfers recorded so far, for the metrics.
        self.recorded: list[Kind] = []
        #: Given to every transfer of a batch that is booked as one.
        self.batch: str | None = None
        # The last closed day of the accounts locked so far.
        self._closed: date | None = None

    def shift(self, source: Account, target: Account, quantity: int) -> None:
        """Move ``quantity`` from one balance to the other and lock both accounts.

        Raises :class:`OverdrawnError` when ``source`` has less and may not go below zero, and
        :class:`OvertakenError` when one of them was booked on later than :attr:`moment`.
        """
        for account, change in sorted(
            ((source, -quantity), (target, quantity)), key=lambda side: side[0].code
        ):
            if (change < 0) == (account.condition in NEGATIVE):
                self._add(account, change)
            else:
                self._take_from(account, abs(change))

    def record(self, transfer: Transfer) -> None:
        """Write the transfer with its lines; call it after :meth:`shift`, so that entries rise with time per
        account.

        Raises :class:`FailedPrecondition` when its day is closed.
        """
        if self._closed is not None and days.day_of(transfer.book_time) <= self._closed:
            raise days.DayClosedError(transfer.book_time, self._closed)
        entry = self.connection.execute(
            _RECORD,
            {
                "transfer_id": transfer.transfer_id,
                "kind": transfer.kind,
                "subject": transfer.subject,
                "actor": transfer.actor,
                "reason": transfer.reason,
                "book_time": transfer.book_time,
                "reverses": transfer.reverses,
                "batch": self.batch,
            },
        ).inserted_primary_key
        assert entry is not None
        if transfer.event_time is not None:
            self.connection.execute(_LATE, {"entry": entry[0], "event_time": transfer.event_time})
        self.connection.execute(
            _RECORD_LINE,
            [
                {
                    "entry": entry[0],
                    "number": number,
                    "source": line.source.code,
                    "target": line.target.code,
                    "quantity": line.quantity,
                    "first": line.serials.first if line.serials else None,
                    "last": line.serials.last if line.serials else None,
                    "width": (len(line.serials) - 1).bit_length() if line.serials else None,
                }
                for number, line in enumerate(transfer.lines)
            ],
        )
        self.recorded.append(transfer.kind)

    def serials_of(self, transfer_ids: Sequence[str]) -> dict[str, tuple[SerialRange, ...]]:
        """The serials that each of the transfers moved, ascending."""
        rows = self.connection.execute(
            sa.select(_transfer.c.transfer_id, _line.c.first, _line.c.last)
            .join_from(_transfer, _line)
            .where(_transfer.c.transfer_id.in_(transfer_ids), _line.c.first.is_not(None))
            .order_by(_line.c.first)
        )
        found: dict[str, list[SerialRange]] = {transfer_id: [] for transfer_id in transfer_ids}
        for transfer_id, first, last in rows:
            found[transfer_id].append(SerialRange(first, last))
        return {transfer_id: tuple(ranges) for transfer_id, ranges in found.items()}

    def transfer(self, transfer_id: str, *, lock: bool = False) -> Transfer | None:
        """The transfer with its lines; with ``lock`` nobody else reverses it meanwhile."""
        query = sa.select(_transfer).where(_transfer.c.transfer_id == transfer_id)
        row = self.connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            return None
        happened = sa.select(tables.late_event.c.event_time).where(tables.late_event.c.entry == row.entry)
        lines = self.connection.execute(
            sa.select(_line).where(_line.c.entry == row.entry).order_by(_line.c.number)
        )
        return Transfer(
            transfer_id=row.transfer_id,
            kind=Kind(row.kind),
            subject=row.subject,
            actor=row.actor,
            reason=row.reason,
            book_time=row.book_time,
            lines=tuple(_to_line(line) for line in lines),
            event_time=self.connection.scalar(happened),
            reverses=row.reverses,
        )

    def standing(
        self, subjects: Sequence[str], kinds: Sequence[Kind], into: Sequence[Account]
    ) -> list[Transfer]:
        """Transfers of these kinds about ``subjects`` that moved something into one of the accounts and were
        not taken back, oldest first.
        """
        entries = sa.select(_line.c.entry).where(_line.c.target.in_([account.code for account in into]))
        opposite = _transfer.alias("opposite")
        query = (
            sa.select(_transfer.c.transfer_id)
            .outerjoin(opposite, opposite.c.reverses == _transfer.c.transfer_id)
            .where(
                _transfer.c.entry.in_(entries),
                _transfer.c.subject.in_(subjects),
                _transfer.c.kind.in_(kinds),
                opposite.c.entry.is_(None),
            )
            .order_by(_transfer.c.entry)
        )
        found = (self.transfer(transfer_id) for transfer_id in self.connection.scalars(query).all())
        return [transfer for transfer in found if transfer is not None]

    def reversal_of(self, transfer_id: str) -> str | None:
        """The id of the transfer that takes this one back."""
        return self.reversals_of([transfer_id]).get(transfer_id)

    def reversals_of(self, transfer_ids: Sequence[str]) -> dict[str, str]:
        """The ids of the transfers that take these ones back, by what they take back."""
        query = sa.select(_transfer.c.reverses, _transfer.c.transfer_id).where(
            _transfer.c.reverses.in_(transfer_ids)
        )
        return {row.reverses: row.transfer_id for row in self.connection.execute(query)}

    def lock(self, account: Account) -> int:
        """Lock the account and return its balance. One that never was is opened: it has a row to lock."""
        self._add(account, 0)
        return self.balance(account)

    def balance(self, account: Account) -> int:
        """What the account has now."""
        return int(self.connection.scalar(_BALANCE, {"of_code": account.code}) or 0)

    def _add(self, account: Account, change: int) -> None:
        row = self.connection.execute(
            _ADD[self.connection.dialect.name],
            {
                "moment": self.moment,
                "code": account.code,
                "place": account.place,
                "item": account.item,
                "condition": account.condition,
                "balance": change,
            },
        ).one()
        self._note(account, row)

    def _take_from(self, account: Account, quantity: int) -> None:
        """Bring the balance nearer to zero, never beyond."""
        statement = _REPAY if account.condition in NEGATIVE else _SUBTRACT
        asked = {"of_code": account.code, "less": quantity, "moment": self.moment}
        enough = self.connection.execute(statement, asked).first()
        if enough is None:
            balance = self.connection.scalar(_BALANCE, {"of_code": account.code})
            raise OverdrawnError(account, abs(balance or 0), quantity)
        self._note(account, enough)

    def _note(self, account: Account, row: sa.Row[Any]) -> None:
        closed = row.closed_through
        if closed is not None and (self._closed is None or closed > self._closed):
            self._closed = closed
        if self.moment is None or row.last_time is None or row.last_time <= self.moment:
            return
        # A clock that is days behind is set, not helped: `record` says so.
        if self._closed is None or days.day_of(self.moment) > self._closed:
            raise OvertakenError(account, row.last_time)


def _to_line(row: sa.Row[Any]) -> Line:
    serials = None if row.first is None else SerialRange(row.first, row.last)
    return Line(Account.parse(row.source), Account.parse(row.target), row.quantity, serials)
