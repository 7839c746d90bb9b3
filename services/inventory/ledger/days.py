"""The days of the ledger: local days of Jakarta, closed one after the other and never booked on again.

One day for the whole country, see ``docs/adr/0006-one-national-day.md``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from services.common.errors import FailedPrecondition
from services.common.zones import WIB

#: A day is closed this long after its end: longer than any transaction lasts, and than clocks differ.
GRACE = timedelta(minutes=5)


#: Before and after these days there is no ledger; the calendar ends a little beyond them.
_FIRST, _LAST = date(1900, 1, 1), date(9000, 1, 1)


def day_of(moment: datetime) -> date:
    """The ledger's day that ``moment`` belongs to."""
    if not _FIRST.year < moment.year < _LAST.year:
        return _FIRST if moment.year <= _FIRST.year else _LAST
    return moment.astimezone(WIB.offset).date()


def start_of(day: date) -> datetime:
    """The first moment of ``day``."""
    return datetime.combine(min(max(day, _FIRST), _LAST), time(), WIB.offset).astimezone(UTC)


def end_of(day: date) -> datetime:
    """The first moment after ``day``."""
    return start_of(day) + timedelta(days=1)


def closable(now: datetime) -> date:
    """The last day that can be closed at ``now``."""
    return day_of(now - GRACE) - timedelta(days=1)


class DayClosedError(FailedPrecondition):
    """Nothing is booked any more as of this moment; :attr:`until` is the first one of an open day."""

    def __init__(self, moment: datetime, through: date) -> None:
        super().__init__(
            "DAY_CLOSED",
            f"The day of {moment:%Y-%m-%d %H:%M} UTC is closed; all days up to {through} are.",
            remedy="Set the clock of this replica; what happened late is booked today with its event_time. "
            "Where a clock that was ahead closed it, book as of then with a larger "
            "TUNGGAL_CLOCK_TOLERANCE_SECONDS.",
            metadata={"closed_through": through.isoformat()},
        )
        self.until = end_of(through)


def not_over(day: date, last: date) -> FailedPrecondition:
    """The refusal to close a day that can still be booked on."""
    return FailedPrecondition(
        "DAY_NOT_OVER",
        f"{day} cannot be closed yet; the last day that can is {last}.",
        field="through",
        remedy="Close it some minutes after its midnight in Jakarta.",
        metadata={"last": last.isoformat()},
    )
