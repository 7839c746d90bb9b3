"""The SQL of custody: who has which serials now, as disjoint ranges.

Neighbours in the same hands are one row. Whoever holds the lock of an account (:meth:`Books.shift`) may
change its holdings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from services.inventory import tables
from services.inventory.ledger.entries import Account, NotThereError
from services.inventory.ledger.serials import SerialRange, lowest

_holding = tables.holding
_given = sa.bindparam

# Built once, as those of the books are.
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
_HOLDING = (
    sa.select(_holding).where(_holding.c.first <= _given("serial")).order_by(_holding.c.first.desc()).limit(1)
)


class Holdings:
    """Custody over one open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

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

    def free(self, account: Account) -> list[SerialRange]:
        """The free serials of ``account``, ascending, neighbours joined."""
        rows = self.connection.execute(_FREE_RANGES, {"of_account": account.code})
        return [SerialRange(first, last) for first, last in rows]

    def holding_of(self, serial: int) -> tuple[Account, int] | None:
        """The account that has ``serial`` and the last serial of the range that it lies in."""
        row = self.connection.execute(_HOLDING, {"serial": serial}).first()
        return None if row is None or row.last < serial else (Account.parse(row.account), row.last)

    def accounts_of(self, serials: Sequence[int]) -> dict[int, Account]:
        """The accounts that have these serials now, by serial; those that were never delivered are left
        out.
        """
        if not serials:
            return {}
        rows = [(serial,) for serial in serials]
        asked = sa.values(sa.column("serial", sa.BigInteger), name="asked").data(rows).cte("asked")
        first = (
            sa.select(sa.func.max(_holding.c.first))
            .where(_holding.c.first <= asked.c.serial)
            .correlate(asked)
            .scalar_subquery()
        )
        query = sa.select(asked.c.serial, _holding.c.account).join_from(
            asked, _holding, sa.and_(_holding.c.first == first, _holding.c.last >= asked.c.serial)
        )
        return {serial: Account.parse(code) for serial, code in self.connection.execute(query)}

    def account_of(self, serial: int) -> Account | None:
        """The account that has ``serial`` now; ``None`` for a serial that was never delivered."""
        held = self.holding_of(serial)
        return None if held is None else held[0]

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
