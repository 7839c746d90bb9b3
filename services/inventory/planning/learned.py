"""What closed days have taught about the demand of every location: made once a day, for all who ask.

Much of it is pooled over the whole country (seasons, weekdays, how far off forecasts are, when a change is a
jump), so one place alone would be told another number than the same place in the forecast of the country.
Closed days never change, so what they taught holds until another one is closed.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from services.inventory.planning import demand, history, outlook
from services.inventory.planning.calendar import DayKind, Days, calendar_around
from services.inventory.planning.demand import Demand
from services.inventory.planning.history import ClosedDays

Array = npt.NDArray[np.float64]

#: Days of use that are told beside a forecast.
_LATELY: Final = 84
#: A letter or a campaign of years ago says nothing about how cards are handled today.
_HANDLED: Final = 365


@dataclass(frozen=True)
class Learned:
    """What is known of ``n`` locations, one row each."""

    #: Those that used blanks or reported demand, ascending.
    locations: tuple[str, ...]
    #: The last closed day; ``None`` before the first.
    last: date | None
    demand: Demand
    #: Share of blanks that become no card, shape (n,).
    spoilage: Array
    #: Working days on which the use told the demand, shape (n,); 0 where nothing was ever used.
    told_days: npt.NDArray[np.int64]
    #: Whether a card was ever made there, shape (n,).
    prints: npt.NDArray[np.bool_]
    #: Blanks used on the last days, oldest first, and which of them ended with an empty shelf, shape (n,
    #: days).
    used: Array
    empty: npt.NDArray[np.bool_]


class Lessons:
    """The newest :class:`Learned`, kept until another day is closed or another location reports."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taught_by: tuple[ClosedDays | None, frozenset[str]] | None = None
        self._newest: Learned | None = None

    def learned(self, connection: sa.Connection, reporting: Collection[str]) -> Learned:
        """What the days that ``connection`` sees as closed teach, also of the locations ``reporting``."""
        closed, also = history.closed_days(connection), frozenset(reporting)
        # Who asks meanwhile waits and has it, too: to learn it twice at once takes twice as long.
        with self._lock:
            if self._newest is None or self._taught_by != (closed, also):
                self._newest = _untaught(also) if closed is None else _learn(connection, closed, also)
                self._taught_by = closed, also
            return self._newest


def _learn(connection: sa.Connection, closed: ClosedDays, reporting: frozenset[str]) -> Learned:
    used = history.read(connection, closed, reporting)
    days = calendar_around(used.last).days(used.start, used.consumed.shape[1])
    worked = days.kinds <= DayKind.FRIDAY
    return Learned(
        used.locations,
        used.last,
        demand.fit(used.known, days, used.taken),
        outlook.spoilage_rates(*used.handled(_HANDLED)),
        told_days=np.where(used.taken.any(axis=1), (worked & ~used.empty).sum(axis=1), 0),
        prints=np.asarray(used.consumed.any(axis=1)),
        # Copies, or the views would hold on to all three years.
        used=used.taken[:, -_LATELY:].copy(),
        empty=used.empty[:, -_LATELY:].copy(),
    )


def _untaught(reporting: frozenset[str]) -> Learned:
    """Before the first day is closed: whoever reports has a week like any other."""
    count = len(reporting)
    any_day = Days(np.array([DayKind.MONDAY], np.int8), np.zeros(1, np.int8))
    return Learned(
        tuple(sorted(reporting)),
        None,
        demand.fit(np.full((count, 1), np.nan), any_day),
        np.zeros(count),
        told_days=np.zeros(count, np.int64),
        prints=np.zeros(count, bool),
        used=np.zeros((count, 0)),
        empty=np.zeros((count, 0), bool),
    )
