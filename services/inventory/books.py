"""The SQL of ledger and custody: balances, holdings and transfers, changed in one transaction.

Locks. :meth:`Books.shift` locks the two accounts of a movement in the order of their codes; whoever holds an
account's row may change its holdings. So two movements never wait for each other in a circle, and the serials
picked after ``shift`` are still there when they are taken. SQLite has one writer at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.inventory import days, tables
from services.inventory.custody import CustodyStep
from services.inventory.ledger import NEGATIVE, Account, Kind, Line, NotThereError, OverdrawnError, Transfer
from services.inventory.serials import SerialRange, lowest

_account, _holding, _line, _transfer = tables.account, tables.holding, tables.line, tables.transfer
_given = sa.bindparam

#: The longest range is a lot of a whole contract, at most 10⁹ blanks: 30 bits.
_WIDTHS = range(31)

# The statements of every posting are built once: building one costs more than SQLite takes to run it.
# Parameters of updates must not have names of columns, which SQLAlchemy keeps for the new values.
_SUBTRACT = (
    sa.update(_account)
    .where(_account.c.code == _given("of_code"), _account.c.balance >= _given("less"))
    .values(balance=_account.c.balance - _given("less"))
    .returning(_account.c.closed_through)
)
# What an account below zero gets back: never more than it is below.
_REPAY = (
    sa.update(_account)
    .where(_account.c.code == _given("of_code"), _account.c.balance <= -_given("less"))
    .values(balance=_account.c.balance + _given("less"))
    .returning(_account.c.closed_through)
)
_BALANCE = sa.select(_account.c.balance).where(_account.c.code == _given("of_code"))
_FREE = sa.and_(_holding.c.account == _given("of_account"), _holding.c.holder.is_(None))
_RANGE = sa.select(_holding.c.first, _holding.c.last)
_LOWEST = _RANGE.where(_FREE).order_by(_holding.c.first).limit(_given("most"))
_FREE_RANGES = _RANGE.where(_FREE).order_by(_holding.c.first)
_BEFORE = _RANGE.where(_FREE, _holding.c.first < _given("serial")).order_by(_holding.c.first.desc()).limit(1)
_AFTER = _RANGE.where(_FREE, _holding.c.first == _given("serial"))
_BEGIN_AT = sa.update(_holding).where(_holding.c.first == _given("at")).values(first=_given("new_first"))
_END_AT = sa.update(_holding).where(_holding.c.first == _given("at")).values(last=_given("new_last"))
_DROP = sa.delete(_holding).where(_holding.c.first == _given("at"))
_DROP_FREE = sa.delete(_holding).where(_FREE, _holding.c.first.between(_given("low"), _given("high")))
_DROP_HELD = sa.delete(_holding).where(
    _holding.c.first == _given("low"),
    _holding.c.last == _given("high"),
    _holding.c.account == _given("of_account"),
    _holding.c.holder == _given("for_holder"),
)
_PUT = sa.insert(_holding)
_RECORD, _RECORD_LINE, _LATE = sa.insert(_transfer), sa.insert(_line), sa.insert(tables.late_event)
_HOLDING = (
    sa.select(_holding).where(_holding.c.first <= _given("serial")).order_by(_holding.c.first.desc()).limit(1)
)
_CUSTODY = (
    sa.select(_line.c.entry, _line.c.source, _line.c.target)
    .where(
        sa.or_(
            *(
                sa.and_(
                    _line.c.width == width,
                    _line.c.first.between(_given("serial") - ((1 << width) - 1), _given("serial")),
                )
                for width in _WIDTHS
            )
        ),
        _line.c.last >= _given("serial"),
    )
    .order_by(_line.c.entry)
)


def _add_statement(dialect: ModuleType) -> sa.Insert:
    insert = dialect.insert(_account)
    added: sa.Insert = insert.on_conflict_do_update(
        index_elements=[_account.c.code],
        set_={"balance": _account.c.balance + insert.excluded.balance},
    ).returning(_account.c.closed_through)
    return added


_ADD = {"postgresql": _add_statement(postgresql), "sqlite": _add_statement(sqlite)}


class Books:
    """Ledger and custody over one open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        #: Kinds of the transfers recorded so far, for the metrics.
        self.recorded: list[Kind] = []
        #: Given to every transfer of a batch that is booked as one.
        self.batch: str | None = None
        # The last closed day of the accounts locked so far.
        self._closed: date | None = None

    def shift(self, source: Account, target: Account, quantity: int) -> None:
        """Move ``quantity`` from one balance to the other and lock both accounts.

        Raises :class:`OverdrawnError` when ``source`` has less and may not go below zero.
        """
        for account, change in sorted(
            ((source, -quantity), (target, quantity)), key=lambda side: side[0].code
        ):
            if (change < 0) == (account.condition in NEGATIVE):
                self._add(account, change)
            else:
                self._take_from(account, abs(change))

    def put(self, ranges: Iterable[SerialRange], account: Account, holder: str | None = None) -> None:
        """Give ``ranges``, which nobody has, to ``account``. Free ranges grow together with neighbours."""
        for serials in ranges:
            if holder is None:
                self._merge(serials, account)
            else:
                self._insert(serials, account, holder)

    def take(self, ranges: Iterable[SerialRange], account: Account, holder: str) -> None:
        """Take from ``account`` the ranges that were put there for ``holder``.

        Raises :class:`RuntimeError` when they are not there: ledger and custody would disagree.
        """
        for serials in ranges:
            gone = self.connection.execute(
                _DROP_HELD,
                {
                    "low": serials.first,
                    "high": serials.last,
                    "of_account": account.code,
                    "for_holder": holder,
                },
            )
            if gone.rowcount != 1:
                raise RuntimeError(f"{serials} of {holder} are not in {account.code}")

    def take_lowest(self, account: Account, quantity: int) -> list[SerialRange]:
        """Take the ``quantity`` lowest free serials of ``account`` and return them, ascending."""
        rows = self.connection.execute(_LOWEST, {"of_account": account.code, "most": quantity})
        held = [SerialRange(first, last) for first, last in rows]
        taken = lowest(held, quantity)
        whole, cut = taken, held[len(taken) - 1]
        if cut != taken[-1]:
            whole = taken[:-1]
            self.connection.execute(_BEGIN_AT, {"at": cut.first, "new_first": taken[-1].last + 1})
        if whole:
            bounds = {"low": whole[0].first, "high": whole[-1].first}
            self.connection.execute(_DROP_FREE, {"of_account": account.code, **bounds})
        return taken

    def take_free(self, ranges: Iterable[SerialRange], account: Account) -> None:
        """Take these free serials from ``account``, whatever ranges they lie in.

        Raises :class:`NotThereError` for a range that is not free there as a whole.
        """
        for serials in ranges:
            # Free neighbours have grown together: what is free as a whole lies in one holding.
            row = self.connection.execute(_HOLDING, {"serial": serials.first}).first()
            fits = row is not None and row.holder is None and row.account == account.code
            if row is None or not fits or row.last < serials.last:
                raise NotThereError(account, serials)
            if row.first == serials.first:
                self.connection.execute(_DROP, {"at": row.first})
            else:
                self.connection.execute(_END_AT, {"at": row.first, "new_last": serials.first - 1})
            if row.last > serials.last:
                self._insert(SerialRange(serials.last + 1, row.last), account, None)

    def record(self, transfer: Transfer) -> None:
        """Write the transfer with its lines; call it after :meth:`shift`, so that entries rise with time per
        account.

        Raises :class:`FailedPrecondition` when its day is closed.
        """
        if self._closed is not None and days.day_of(transfer.book_time) <= self._closed:
            raise days.closed(transfer.book_time, self._closed)
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

    def reversal_of(self, transfer_id: str) -> str | None:
        """The id of the transfer that takes this one back."""
        query = sa.select(_transfer.c.transfer_id).where(_transfer.c.reverses == transfer_id)
        return self.connection.scalar(query)

    def lock(self, account: Account) -> int:
        """Lock the account and return its balance; an account that never was has none and no lock."""
        query = sa.select(_account.c.balance).where(_account.c.code == account.code).with_for_update()
        return self.connection.scalar(query) or 0

    def free(self, account: Account) -> list[SerialRange]:
        """The free serials of ``account``, ascending, neighbours joined."""
        rows = self.connection.execute(_FREE_RANGES, {"of_account": account.code})
        return [SerialRange(first, last) for first, last in rows]

    def holding_of(self, serial: int) -> tuple[Account, int] | None:
        """The account that has ``serial`` and the last serial of the range that it lies in."""
        row = self.connection.execute(_HOLDING, {"serial": serial}).first()
        return None if row is None or row.last < serial else (Account.parse(row.account), row.last)

    def account_of(self, serial: int) -> Account | None:
        """The account that has ``serial`` now; ``None`` for a serial that was never delivered."""
        held = self.holding_of(serial)
        return None if held is None else held[0]

    def custody(self, serial: int) -> list[CustodyStep]:
        """Every transfer that moved ``serial``, oldest first."""
        lines = self.connection.execute(_CUSTODY, {"serial": serial}).all()
        # Looked up by number: PostgreSQL expects many more lines than there are and would read all transfers.
        query = sa.select(_transfer).where(_transfer.c.entry.in_([line.entry for line in lines]))
        transfers = {row.entry: row for row in self.connection.execute(query)}
        return [
            CustodyStep(
                transfers[line.entry].transfer_id,
                Kind(transfers[line.entry].kind),
                Account.parse(line.source),
                Account.parse(line.target),
                transfers[line.entry].actor,
                transfers[line.entry].reason,
                transfers[line.entry].book_time,
            )
            for line in lines
        ]

    def _add(self, account: Account, change: int) -> None:
        closed = self.connection.scalar(
            _ADD[self.connection.dialect.name],
            {
                "code": account.code,
                "place": account.place,
                "item": account.item,
                "condition": account.condition,
                "balance": change,
            },
        )
        self._note(closed)

    def _take_from(self, account: Account, quantity: int) -> None:
        """Bring the balance nearer to zero, never beyond."""
        statement = _REPAY if account.condition in NEGATIVE else _SUBTRACT
        enough = self.connection.execute(statement, {"of_code": account.code, "less": quantity}).first()
        if enough is None:
            balance = self.connection.scalar(_BALANCE, {"of_code": account.code})
            raise OverdrawnError(account, abs(balance or 0), quantity)
        self._note(enough.closed_through)

    def _note(self, closed: date | None) -> None:
        if closed is not None and (self._closed is None or closed > self._closed):
            self._closed = closed

    def _merge(self, serials: SerialRange, account: Account) -> None:
        of_account = {"of_account": account.code}
        before = self.connection.execute(_BEFORE, {**of_account, "serial": serials.first}).first()
        after = self.connection.execute(_AFTER, {**of_account, "serial": serials.last + 1}).first()
        last = after.last if after else serials.last
        if after:
            self.connection.execute(_DROP, {"at": after.first})
        if before and before.last == serials.first - 1:
            self.connection.execute(_END_AT, {"at": before.first, "new_last": last})
        else:
            self._insert(SerialRange(serials.first, last), account, None)

    def _insert(self, serials: SerialRange, account: Account, holder: str | None) -> None:
        self.connection.execute(
            _PUT, {"first": serials.first, "last": serials.last, "account": account.code, "holder": holder}
        )


def _to_line(row: sa.Row[Any]) -> Line:
    serials = None if row.first is None else SerialRange(row.first, row.last)
    return Line(Account.parse(row.source), Account.parse(row.target), row.quantity, serials)
