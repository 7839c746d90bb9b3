"""Wrong clocks, found before they write a wrong time into the books.

What is booked keeps its time for ever, and everything that follows on the same accounts is booked no earlier.
So one replica whose clock is ahead would pull all others with it, and close days that have not been. Who is
refused? Of two replicas that disagree neither can tell who is wrong. The database can: all replicas share
its clock, so the one that differs from it books nothing, before it has done any harm, while the others go on.

SQLite has no clock but that of its machine. What was booked there while it was ahead is known afterwards, by
accounts whose time has yet to come. A few minutes of that are waited out by booking as of then. More is
refused, on those accounts alone: to follow them would carry the wrong time to every account they deal with.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter

from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import InvalidArgument, Unavailable
from services.inventory.ledger.days import GRACE, DayClosedError
from services.inventory.ledger.entries import OvertakenError

#: How far the time of an account may be ahead: less than one clock that shows local time as UTC is off, more
#: than a step of daylight saving time.
TOLERANCE: Final = timedelta(hours=2)
#: A clock is compared with the database's at least so often, and at once when it was set.
_AGAIN: Final = 60.0


class ClockError(Unavailable):
    """This replica cannot book this now: its clock, or the time of an account, is wrong. Another may."""


class _Look(NamedTuple):
    theirs: datetime
    at: float


class Clocks:
    """Whether the clock of this replica, and those of others that booked before, are right.

    ``database_time`` asks the database's clock; without it there is no other clock to compare with.
    """

    def __init__(
        self,
        clock: Clock,
        database_time: Callable[[], datetime] | None = None,
        tolerance: timedelta = TOLERANCE,
        registry: CollectorRegistry | None = None,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._database_time = database_time
        self._tolerance = tolerance
        self._stopwatch = stopwatch
        self._look: _Look | None = None
        self._refused = Counter(
            "tunggal_inventory_clock_refusals",
            "Bookings refused for a wrong time, by what contradicts it: database, account or closed day.",
            ["against"],
            registry=registry or CollectorRegistry(),
        )
        for against in ("database", "account", "day"):
            self._refused.labels(against)

    def require_right(self) -> None:
        """Raises :class:`ClockError` where the database's clock says another time. It may ask the database on
        a connection of its own: call it before the transaction.
        """
        ahead = self.ahead()
        if abs(ahead) > GRACE:
            self._refused.labels("database").inc()
            raise _wrong(self._clock.now(), ahead)

    def ahead(self) -> timedelta:
        """How far this clock is ahead of the database's; zero where there is none to compare with."""
        if self._database_time is None:
            return timedelta(0)
        look = self._look
        if look is not None and self._stopwatch() - look.at < _AGAIN:
            ahead = self._clock.now() - look.theirs - timedelta(seconds=self._stopwatch() - look.at)
            if abs(ahead) <= GRACE:
                return ahead
        before = self._clock.now()
        self._look = look = _Look(self._database_time(), self._stopwatch())
        # Halfway of the question: however long it took, that is when the database looked.
        return before + (self._clock.now() - before) / 2 - look.theirs

    def follow(self, ahead: OvertakenError | DayClosedError) -> datetime:
        """When to book instead, where somebody booked later on an account or closed the day.

        Raises :class:`ClockError` or :class:`DayClosedError` where that is too far ahead.
        """
        now = self._clock.now()
        if ahead.until - now <= self._tolerance:
            return ahead.until
        if isinstance(ahead, DayClosedError):
            self._refused.labels("day").inc()
            raise ahead
        self._refused.labels("account").inc()
        raise _account_ahead(ahead, now)

    def require_past(self, moment: datetime, field: str) -> None:
        """Raises :class:`InvalidArgument` for a moment that ``field`` asks about and of which nothing can be
        known: later than anything is booked as of here.
        """
        now = self._clock.now()
        if moment - now > self._tolerance:
            raise InvalidArgument(
                "TIME_IN_FUTURE",
                f"{moment:%Y-%m-%d %H:%M:%S} UTC is {_span(moment - now)} ahead of this clock: nobody knows "
                "yet what the books will say.",
                field=field,
                remedy="Send a moment that is past, or none for now.",
            )


def of_database(database: Database) -> Callable[[], datetime] | None:
    """Asks the database's clock; ``None`` for SQLite, which has none of its own."""
    if database.dialect != "postgresql":
        return None

    def ask() -> datetime:
        with database.read() as connection:
            found: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return found

    return ask


def _wrong(now: datetime, ahead: timedelta) -> ClockError:
    side = "ahead of" if ahead > timedelta(0) else "behind"
    return ClockError(
        "CLOCK_AHEAD" if ahead > timedelta(0) else "CLOCK_BEHIND",
        f"The clock of this replica shows {now:%Y-%m-%d %H:%M:%S} UTC, {_span(abs(ahead))} {side} that of "
        "the database: it books nothing.",
        remedy="Set the clock of this replica (chronyc makestep), or the database's if that is the wrong "
        "one; then send the same request again. Other replicas go on.",
        metadata={"clock": now.isoformat(), "ahead_seconds": f"{ahead.total_seconds():.0f}"},
    )


def _account_ahead(overtaken: OvertakenError, now: datetime) -> ClockError:
    ahead = overtaken.until - now
    return ClockError(
        "ACCOUNT_AHEAD",
        f"{overtaken.account} was booked on at {overtaken.until:%Y-%m-%d %H:%M:%S} UTC, {_span(ahead)} "
        f"ahead of the clock of this replica, {now:%Y-%m-%d %H:%M:%S} UTC.",
        remedy="Set this clock if it is behind. Else a clock was ahead when that was booked: wait until "
        "then, or book as of then with a larger TUNGGAL_CLOCK_TOLERANCE_SECONDS.",
        metadata={
            "account": overtaken.account,
            "last_time": overtaken.until.isoformat(),
            "clock": now.isoformat(),
            "ahead_seconds": f"{ahead.total_seconds():.0f}",
        },
    )


def _span(seconds: timedelta) -> str:
    return str(timedelta(seconds=round(seconds.total_seconds())))
