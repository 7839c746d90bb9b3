"""Stock that lies in a first phase which has ended: nobody can post or void it any more.

Until it was mended, the reversal of a posted two-phase transfer went back to its first phase. Two people
take such a reversal on to free stock: it is one more reversal, with a reason, and nothing booked is changed.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from services.common.errors import FailedPrecondition
from services.inventory import tables
from services.inventory.ledger.entries import Account, Condition, Kind, Transfer
from services.inventory.reversals.needs_two import needs_two
from services.inventory.transfers.pending import PendingState

_line, _pending, _transfer = tables.line, tables.pending, tables.transfer
_NAMED: Final = 10


def is_stranded(transfer: Transfer) -> bool:
    """Whether it left its stock where nobody can get at it."""
    return transfer.kind is Kind.STOCK_REVERSED and transfer.lines[0].target.condition is Condition.PENDING


def stranding(connection: sa.Connection, held: Account) -> list[str]:
    """The first ids of transfers that left stock in ``held`` and were not taken on to free stock."""
    opposite = _transfer.alias("opposite")
    query = (
        sa.select(_transfer.c.transfer_id)
        .join_from(_line, _transfer, _line.c.entry == _transfer.c.entry)
        .outerjoin(opposite, opposite.c.reverses == _transfer.c.transfer_id)
        .where(
            _line.c.target == held.code, _transfer.c.kind == Kind.STOCK_REVERSED, opposite.c.entry.is_(None)
        )
        .group_by(_transfer.c.entry, _transfer.c.transfer_id)
        .order_by(_transfer.c.entry)
        .limit(_NAMED)
    )
    return list(connection.scalars(query))


def require_left(connection: sa.Connection, held: Account, balance: int) -> None:
    """Raises :class:`FailedPrecondition` when ``balance`` is less than what waits there for its second
    phase: units without serials are all alike, and these belong to somebody.
    """
    query = sa.select(sa.func.sum(_pending.c.quantity)).where(
        _pending.c.held == held.code, _pending.c.state == PendingState.PENDING
    )
    waiting = int(connection.scalar(query) or 0)
    if balance < waiting:
        raise FailedPrecondition(
            "NOT_STRANDED",
            f"Of what {held.code} has, {waiting} wait for their second phase; {balance} would be left.",
            field="transfer_id",
            remedy="Nothing is left to free there; CheckBooks tells what is set aside for nothing.",
            metadata={"account": held.code, "waiting": str(waiting), "left": str(balance)},
        )


def alone(transfer: Transfer) -> FailedPrecondition:
    """The refusal to free it alone: who sees it last is seldom who booked it."""
    return needs_two(
        f"Two people free what transfer {transfer.transfer_id} left in {transfer.lines[0].target.code}.",
        "transfer_id",
        {"transfer_id": transfer.transfer_id, "kind": transfer.kind},
    )
