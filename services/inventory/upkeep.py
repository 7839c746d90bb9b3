"""What the inventory does of its own accord: voids what has expired, closes days that are over."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import Aborted, TunggalError, Unavailable
from services.common.logs import get_logger
from services.inventory.desk import Desk
from services.inventory.journal import Journal
from services.inventory.ledger import days
from services.inventory.ledger.clocks import ClockError
from services.inventory.ledger.closing import Closing
from services.inventory.ledger.days import DayClosedError
from services.inventory.transfers.office import TransferOffice

#: How long after its time a two-phase transfer may still be shown as pending; nobody can post it meanwhile.
_PAUSE = timedelta(seconds=1)

_log = get_logger()


class Upkeep:
    """Runs at the start, before the first request, and from then on in a thread of its own.

    Every replica does it; what one has done the others find done.
    """

    def __init__(self, database: Database, journal: Journal, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock

    def begin(self) -> None:
        """Catch up before the first request. By a wrong clock nothing is booked, neither this nor what is
        requested; then it is done once the clock is right.
        """
        try:
            self.catch_up()
        except (ClockError, DayClosedError) as error:
            _postponed(error)

    def catch_up(self) -> list[str]:
        """Do all that is due: after a downtime, in the order in which it was due. What was changed."""
        # A look first: a transaction that writes has to wait for the others.
        with self._database.read() as connection:
            expired = TransferOffice.overdue(connection, self._clock.now())
            over = _over(Closing(connection), self._clock.now())
        changed = self._journal.keep("ExpirePending", _expire) if expired else []
        changed += self._journal.keep("CloseDays", _close) if over else []
        return changed

    def run(self, stop: threading.Event) -> None:
        """Catch up again and again until ``stop`` is set; a database that is away is tried again."""
        while not stop.wait(_PAUSE.total_seconds()):
            try:
                for changed in self.catch_up():
                    _log.info("upkeep", changed=changed)
            except (Unavailable, Aborted, DayClosedError) as error:
                _postponed(error)


def _postponed(error: TunggalError) -> None:
    _log.warning("upkeep_postponed", reason=error.reason, message=error.message)


def _expire(desk: Desk) -> list[str]:
    return [f"transfers/{pending.transfer_id}" for pending in TransferOffice(desk).expire()]


def _over(closing: Closing, now: datetime) -> bool:
    following = closing.next()
    return following is not None and following <= days.closable(now)


def _close(desk: Desk) -> list[str]:
    closing, now = Closing(desk.store.connection), desk.clerk.now
    if not _over(closing, now):
        return []
    return [f"days/{day}" for day in closing.close(days.closable(now), now)]
