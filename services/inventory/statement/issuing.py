"""Statements of closed days: each location's follows the one of its day before."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa

from services.common.db import lock
from services.inventory.statement.content import GENESIS, digest, write
from services.inventory.statement.keys import SigningKeys
from services.inventory.statement.signing import Signer
from services.inventory.statement.store import Issued, StatementStore
from services.inventory.statement.verify import Published


def issue(
    connection: sa.Connection, signer: Signer, now: datetime, *, most_days: int | None = None
) -> list[tuple[str, date]]:
    """Make the statements of every closed day that has none, oldest first, of at most ``most_days``; location
    and day of each that was made.

    Several replicas may try at once: one makes them, the others find them made.
    """
    lock(connection, "statements")
    store = StatementStore(connection)
    day, last = store.next_day(), store.last_closed()
    if day is None or last is None:
        return []
    if most_days is not None:
        last = min(last, day + timedelta(days=most_days - 1))
    SigningKeys(connection).remember(signer, now)
    heads, opening = store.heads(), store.opening(day)
    made: list[tuple[str, date]] = []
    while day <= last:
        issued = []
        for state in store.days_of(day, opening, heads):
            # The next day begins as this one ends; to read that from the books again takes longer than all
            # the rest.
            opening[state.location] = {(level.item, level.condition): level.closing for level in state.levels}
            sequence, previous = heads.get(state.location, (0, GENESIS))
            content = write(state, sequence=sequence + 1, previous=previous, issued=now)
            published = Published(content, signer.sign(content), signer.key_id)
            issued.append(Issued(state.location, day, sequence + 1, digest(content), published))
            heads[state.location] = sequence + 1, issued[-1].digest
        store.add(issued)
        made += [(each.location, each.day) for each in issued]
        day += timedelta(days=1)
    return made
