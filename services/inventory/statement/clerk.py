"""Makes statements of its own accord, soon after a day was closed."""

from __future__ import annotations

import threading
from typing import Final

from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import Aborted, Unavailable
from services.common.logs import get_logger
from services.inventory.desk import Desk
from services.inventory.journal import Journal
from services.inventory.statement.issuing import issue
from services.inventory.statement.signing import Signer
from services.inventory.statement.store import StatementStore

#: Seconds between two looks for a day that was closed.
_PAUSE: Final = 5.0
#: Days of one transaction, after a long downtime: on SQLite everybody else waits for it to end.
_DAYS_AT_ONCE: Final = 14

_log = get_logger()


class StatementClerk:
    """Runs in a thread of its own in every replica; what one has issued the others find issued."""

    def __init__(self, database: Database, journal: Journal, signer: Signer, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._signer = signer
        self._clock = clock

    def catch_up(self) -> list[str]:
        """Make what is missing; the days whose statements were made."""
        # A look first: a transaction that writes has to wait for the others.
        with self._database.read() as connection:
            if StatementStore(connection).next_day() is None:
                return []
        made: list[str] = []
        while step := self._journal.keep("IssueStatements", self._issue):
            made += step
        return made

    def run(self, stop: threading.Event) -> None:
        """Catch up again and again until ``stop`` is set; a database that is away is tried again."""
        while True:
            try:
                for made in self.catch_up():
                    _log.info("statements_issued", of=made)
            except (Unavailable, Aborted) as error:
                _log.warning("statements_postponed", reason=error.reason)
            if stop.wait(_PAUSE):
                return

    def _issue(self, desk: Desk) -> list[str]:
        made = issue(desk.store.connection, self._signer, desk.clerk.now, most_days=_DAYS_AT_ONCE)
        return sorted({f"statements/{day}" for _, day in made})
