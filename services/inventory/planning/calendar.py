"""The days on which offices work: Monday to Friday without public holidays and joint leave (cuti bersama).

The days come from the ``holidays`` package, which follows the yearly joint decree of three ministers; dates
that hang on the moon are its estimates until the decree is out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from functools import cache, cached_property

import holidays
import numpy as np
import numpy.typing as npt


class DayKind(IntEnum):
    """What a day is like at a counter; the weekdays are numbered as ``date.weekday`` does."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6
    #: A public holiday, on whatever weekday.
    HOLIDAY = 7
    #: A day that the government joins to a holiday; some offices open for urgent cases.
    JOINT_LEAVE = 8


KINDS = len(DayKind)

#: Seasons: the months of the year, and the weeks around Lebaran: two before it, when people are busy; those
#: after it, when counters are shut for longer than the decree says, and then all come who were home.
_WEEKS_BEFORE, _WEEKS_AFTER = 2, 4
MONTHS = 12
SEASONS = MONTHS + _WEEKS_BEFORE + _WEEKS_AFTER


@dataclass(frozen=True)
class Days:
    """Consecutive days as forecasts see them: kind and season of each, shape (days,)."""

    kinds: npt.NDArray[np.int8]
    seasons: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, part: slice) -> Days:
        return Days(self.kinds[part], self.seasons[part])


@dataclass(frozen=True)
class WorkCalendar:
    """Which days are worked; ``closed`` names the days that are not, beside the weekends."""

    closed: Mapping[date, DayKind]
    #: First days of Idul Fitri.
    lebaran: frozenset[date] = frozenset()
    #: The last day whose holidays are known.
    until: date = date.max

    @cached_property
    def _days_off(self) -> np.busdaycalendar:
        return np.busdaycalendar(holidays=list(self.closed))

    def kind(self, day: date) -> DayKind:
        """What ``day`` is like."""
        return self.closed.get(day, DayKind(day.weekday()))

    def season(self, day: date) -> int:
        """The month from 0, or from 12 the week around Lebaran."""
        for first in self.lebaran:
            week = (day - first).days // 7
            if -_WEEKS_BEFORE <= week < _WEEKS_AFTER:
                return MONTHS + _WEEKS_BEFORE + week
        return day.month - 1

    def days(self, start: date, count: int) -> Days:
        """``count`` days from ``start`` on."""
        each = [start + timedelta(k) for k in range(count)]
        return Days(
            np.array([self.kind(day) for day in each], np.int8),
            np.array([self.season(day) for day in each], np.int8),
        )

    def is_worked(self, day: date) -> bool:
        """Whether offices are open."""
        return self.kind(day) <= DayKind.FRIDAY

    def worked_between(self, first: date, last: date) -> int:
        """Working days from ``first`` to ``last``, both included; 0 when ``last`` is earlier."""
        return max(int(np.busday_count(first, np.datetime64(last) + 1, busdaycal=self._days_off)), 0)

    def nth_worked(self, start: date, number: int) -> date:
        """The ``number``-th working day from ``start`` on, counted from 1; a worked ``start`` counts."""
        if number < 1:
            raise ValueError("days are counted from 1")
        found = np.busday_offset(start, number - 1, roll="forward", busdaycal=self._days_off)
        day: date = found.astype(object)
        return day


_IS_LEBARAN = re.compile(r"Eid al-Fitr( \(estimated\))?$")


@cache
def indonesia(first_year: int, last_year: int) -> WorkCalendar:
    """The calendar of Indonesia for the years from ``first_year`` to ``last_year``."""
    years = range(first_year, last_year + 1)
    joint = holidays.country_holidays("ID", years=years, categories=(holidays.GOVERNMENT,))
    public = holidays.country_holidays("ID", years=years, categories=(holidays.PUBLIC,), language="en_US")
    closed = dict.fromkeys(joint, DayKind.JOINT_LEAVE) | dict.fromkeys(public, DayKind.HOLIDAY)
    return WorkCalendar(
        {day: kind for day, kind in closed.items() if day.weekday() < DayKind.SATURDAY},
        frozenset(day for day in public if _IS_LEBARAN.match(public[day])),
        date(last_year, 12, 31),
    )


def calendar_around(day: date, horizon: int = 0) -> WorkCalendar:
    """The calendar from the beginning of any history until ``day`` to the end of the horizon and of the
    longest lead time.
    """
    return indonesia(day.year - 4, (day + timedelta(days=horizon + 365)).year)
