"""The custody of a blank: every transfer that moved it, from the lot to now.

What was, is on the lines of the ledger's transfers, which name serials as ranges. What is, are holdings:
disjoint ranges that cover every delivered serial once. Neighbours in the same hands cost one row, however
many they are.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from services.inventory import tables
from services.inventory.ledger.entries import Account, Kind

_line, _transfer = tables.line, tables.transfer
_given = sa.bindparam

#: The longest range is a lot of a whole contract, at most 10⁹ blanks: 30 bits.
_WIDTHS = range(31)
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


class CustodyStep(NamedTuple):
    """One transfer that a blank went through."""

    transfer_id: str
    kind: Kind
    source: Account
    target: Account
    actor: str
    reason: str
    book_time: datetime


def steps(connection: sa.Connection, serial: int) -> list[CustodyStep]:
    """Every transfer that moved ``serial``, oldest first."""
    lines = connection.execute(_CUSTODY, {"serial": serial}).all()
    # Looked up by number: PostgreSQL expects many more lines than there are and would read all transfers.
    query = sa.select(_transfer).where(_transfer.c.entry.in_([line.entry for line in lines]))
    transfers = {row.entry: row for row in connection.execute(query)}
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
