"""Entries of the ledger that the tests of the database write and read."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from services.common.db import Database, UtcDateTime

ENTRY = sa.table(
    "entry", sa.column("id", sa.Integer), sa.column("amount", sa.Integer), sa.column("at", UtcDateTime)
)


def put(connection: sa.Connection, number: int, amount: int = 0, at: datetime | None = None) -> None:
    connection.execute(sa.insert(ENTRY).values(id=number, amount=amount, at=at))


def numbers(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.scalars(sa.select(ENTRY.c.id).order_by(ENTRY.c.id)))
