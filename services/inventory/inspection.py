"""What must hold in the books at every moment, checked over all of them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import sqlalchemy as sa

from services.common import audit
from services.inventory import set_aside, tables
from services.inventory.ledger.entries import BLANK, NEGATIVE, STOCK, Account, Condition
from services.inventory.movements import tables as movement_tables

_account, _line, _holding, _lot = tables.account, tables.line, tables.holding, tables.lot
_loan = movement_tables.loan


def findings(connection: sa.Connection) -> list[str]:
    """Everything that is wrong with the books, a sentence each; nothing when they are sound.

    The trial balance of each item is zero, no balance has the wrong sign, every balance is the sum of its
    lines, closed balances and what came after them add up, the serials in custody are each delivered serial
    once and agree with the balances, what is set aside belongs to something open, what is lent is owed by
    loans, and the audit chain is whole.
    """
    found = [*_balances(connection), *_custody(connection), *set_aside.findings(connection)]
    found += _loans(connection)
    broken = audit.verify(connection)
    if broken is not None:
        found.append(f"The audit log is broken at entry {broken}.")
    return found


def _balances(connection: sa.Connection) -> list[str]:
    found = []
    moved: Counter[str] = Counter()
    for column, sign in ((_line.c.target, 1), (_line.c.source, -1)):
        for code, total in connection.execute(
            sa.select(column, sa.func.sum(_line.c.quantity)).group_by(column)
        ):
            moved[code] += sign * int(total)
    trial: Counter[str] = Counter()
    rows = connection.execute(sa.select(_account)).all()
    for row in rows:
        trial[row.item] += row.balance
        if row.balance != moved.pop(row.code, 0):
            found.append(f"The balance of {row.code} is not the sum of its lines.")
        if (row.balance < 0) != (row.condition in NEGATIVE) and row.balance:
            found.append(f"The balance of {row.code} has the wrong sign.")
    found += [f"Lines name {code}, which has no account." for code in moved]
    found += [f"The trial balance of {item} is {total}, not 0." for item, total in trial.items() if total]
    snapshots = sa.select(tables.account_day.c.code, sa.func.max(tables.account_day.c.day).label("day"))
    last = snapshots.group_by(tables.account_day.c.code).subquery()
    query = sa.select(tables.account_day.c.code, tables.account_day.c.balance).join(
        last, sa.and_(last.c.code == tables.account_day.c.code, last.c.day == tables.account_day.c.day)
    )
    written = {row.code: row.balance for row in connection.execute(query)}
    found += [
        f"The closed balance of {row.code} is not that of its last closed day."
        for row in rows
        if row.closed_balance != written.get(row.code, 0)
    ]
    return found


def _loans(connection: sa.Connection) -> list[str]:
    """What accounts have as lent and borrowed is what their loans owe."""
    owed: Counter[str] = Counter()
    for loan in connection.execute(sa.select(_loan).where(_loan.c.owed != 0)):
        owed[Account(loan.lender, Condition.LENT, loan.item).code] += loan.owed
        owed[Account(loan.borrower, Condition.BORROWED, loan.item).code] -= loan.owed
    query = sa.select(_account.c.code, _account.c.balance).where(
        _account.c.condition.in_((Condition.LENT, Condition.BORROWED))
    )
    has = {row.code: row.balance for row in connection.execute(query)}
    return [
        f"{code} has {has.get(code, 0)}, but the loans of that place add up to {owed[code]}."
        for code in sorted(has.keys() | owed.keys())
        if has.get(code, 0) != owed[code]
    ]


def _custody(connection: sa.Connection) -> list[str]:
    found = []
    held: Counter[str] = Counter()
    holdings = connection.execute(sa.select(_holding).order_by(_holding.c.first)).all()
    for row in holdings:
        held[row.account] += row.last - row.first + 1
    found += [
        f"Serials {b.first}–{min(a.last, b.last)} are in custody twice."
        for a, b in pairwise(holdings)
        if b.first <= a.last
    ]
    delivered = connection.scalar(sa.select(sa.func.sum(_lot.c.last - _lot.c.first + 1))) or 0
    if held.total() != delivered:
        found.append(f"{delivered} serials were delivered, {held.total()} are in custody.")
    blanks = sa.select(_account).where(_account.c.item == BLANK, _account.c.condition.in_(STOCK))
    for row in connection.execute(blanks):
        if row.balance != held[Account(row.place, Condition(row.condition)).code]:
            found.append(f"{row.code} has {row.balance} blanks and the serials of {held[row.code]}.")
    return found
