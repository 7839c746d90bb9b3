"""What must hold of stock that is set aside: somebody can still do something with each unit of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa

from services.inventory import tables
from services.inventory.blanks.reservation import ReservationState
from services.inventory.disposal import tables as disposal_tables
from services.inventory.ledger.entries import BLANK, Account, Condition
from services.inventory.location import Location
from services.inventory.movements.allocation import AllocationState
from services.inventory.transfers import stranded
from services.inventory.transfers.pending import PendingState

_account, _allocation, _conveyance = tables.account, tables.allocation, disposal_tables.conveyance
_pending, _reservation = tables.pending, tables.reservation

#: Conditions that stock is in only for the sake of something that has not ended.
_SET_ASIDE = (
    Condition.ALLOCATED,
    Condition.IN_TRANSIT,
    Condition.RESERVED,
    Condition.PENDING,
    Condition.CONVEYED,
)


def findings(connection: sa.Connection) -> list[str]:
    """Accounts that have more set aside, or less, than open allocations, reservations, two-phase transfers
    and conveyances account for, a sentence each.
    """
    wanted: Counter[str] = Counter()
    for account, quantity in _open(connection):
        wanted[account.code] += quantity
    query = sa.select(_account.c.code, _account.c.balance).where(_account.c.condition.in_(_SET_ASIDE))
    has = {row.code: row.balance for row in connection.execute(query)}
    return [
        f"{code} has {has.get(code, 0)} set aside, {wanted[code]} of it for something that is open."
        + _remedy(connection, Account.parse(code))
        for code in sorted(has.keys() | wanted.keys())
        if has.get(code, 0) != wanted[code]
    ]


def _remedy(connection: sa.Connection, account: Account) -> str:
    stranding = stranded.stranding(connection, account) if account.condition is Condition.PENDING else []
    if not stranding:
        return ""
    return f" Two people free it: tunggal reversal propose --transfer {', then '.join(stranding)}."


def _open(connection: sa.Connection) -> Iterator[tuple[Account, int]]:
    at_sender = _allocation.c.state == AllocationState.ALLOCATED
    under_way = _allocation.c.state == AllocationState.DISPATCHED
    held = _reservation.c.state == ReservationState.HELD
    for place, item, condition, those, units in (
        (_allocation.c.source, _allocation.c.item, Condition.ALLOCATED, at_sender, _allocation.c.quantity),
        (_allocation.c.target, _allocation.c.item, Condition.IN_TRANSIT, under_way, _allocation.c.quantity),
        (_reservation.c.location, sa.literal(BLANK), Condition.RESERVED, held, sa.literal(1)),
        (_conveyance.c.target, _conveyance.c.item, Condition.CONVEYED, sa.true(), _conveyance.c.under_way),
    ):
        query = sa.select(place, item, sa.func.sum(units)).where(those).group_by(place, item)
        for where, what, total in connection.execute(query):
            yield Account(Location(where), condition, what), int(total)
    waiting = _pending.c.state == PendingState.PENDING
    of_pending = sa.select(_pending.c.held, sa.func.sum(_pending.c.quantity)).where(waiting)
    for code, total in connection.execute(of_pending.group_by(_pending.c.held)):
        yield Account.parse(code), int(total)
