"""Failed sessions by chip, in the database: a restart or another replica does not forget them."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import datetime

import sqlalchemy as sa

from services.cardperso.tables import ATTEMPTS
from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import NotFound


class Attempts(MutableMapping[str, int]):
    """The count that `AttemptGuard` keeps, by chip UID.

    A chip lies on one reader at a time, so a count is never changed by two at the same moment.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def __getitem__(self, chip_uid: str) -> int:
        with self._database.read() as conn:
            failures = conn.scalar(sa.select(ATTEMPTS.c.failures).where(ATTEMPTS.c.chip_uid == chip_uid))
        if failures is None:
            raise KeyError(chip_uid)
        return int(failures)

    def __setitem__(self, chip_uid: str, failures: int) -> None:
        def work(conn: sa.Connection) -> None:
            conn.execute(sa.delete(ATTEMPTS).where(ATTEMPTS.c.chip_uid == chip_uid))
            conn.execute(
                sa.insert(ATTEMPTS).values(chip_uid=chip_uid, failures=failures, last_time=self._clock.now())
            )

        self._database.run(work)

    def __delitem__(self, chip_uid: str) -> None:
        if chip_uid not in self:
            raise KeyError(chip_uid)
        self._database.run(
            lambda conn: conn.execute(sa.delete(ATTEMPTS).where(ATTEMPTS.c.chip_uid == chip_uid))
        )

    def __iter__(self) -> Iterator[str]:
        with self._database.read() as conn:
            return iter(list(conn.scalars(sa.select(ATTEMPTS.c.chip_uid).order_by(ATTEMPTS.c.chip_uid))))

    def __len__(self) -> int:
        with self._database.read() as conn:
            return int(conn.scalar(sa.select(sa.func.count()).select_from(ATTEMPTS)) or 0)


def failed(conn: sa.Connection, limit: int) -> list[tuple[str, int, datetime]]:
    """Chips with failed sessions by UID: how many in a row, and when the last one was."""
    query = sa.select(ATTEMPTS).order_by(ATTEMPTS.c.chip_uid).limit(limit)
    return [(row.chip_uid, row.failures, row.last_time) for row in conn.execute(query)]


def forget(conn: sa.Connection, chip_uid: str) -> None:
    """An operator knows better now.

    Raises:
        NotFound: no session failed with this chip.
    """
    if conn.execute(sa.delete(ATTEMPTS).where(ATTEMPTS.c.chip_uid == chip_uid)).rowcount != 1:
        raise NotFound(
            "CHIP_UNKNOWN",
            f"No session failed with the chip {chip_uid}.",
            field="chip_uid",
            remedy="List the chips with failed sessions.",
        )
