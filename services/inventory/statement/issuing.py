"""Statements of closed days: each location's follows the one of its day before."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa

from services.common.db import lock
from services.inventory.statement.content import GENESIS, digest, write
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
    last, done = store.last_closed(), store.last_day()
    day = store.first_closed() if done is None else done + timedelta(days=1)
    heads = store.heads()
    opening = {} if day is None else store.opening(day)
    made: list[tuple[str, date]] = []
    if last is not None and day is not None and most_days is not None:
        last = min(last, day + timedelta(days=most_days - 1))
    if last is not None and day is not None and day <= last:
        store.remember(signer, now)
    while last is not None and day is not None and day <= last:
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
