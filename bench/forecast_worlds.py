"""Made-up pasts that the forecast was not built on: one trouble each, with what was really asked for.

``bench/inventory_history.py`` mixes everything; here each world has one thing that real counters have and a
forecast may miss. ``EXAM`` are worlds that nobody looked at while the model was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning.calendar import DayKind, Days, indonesia

Array = npt.NDArray[np.float64]
Rng = np.random.Generator

#: Series of a world, days of their past, and days to foretell.
SERIES: Final = 60
PAST: Final = 800
AHEAD: Final = 84


@dataclass(frozen=True)
class World:
    """Series up to an origin and beyond it."""

    #: What was asked for, shape (series, days).
    asked: Array
    #: What a forecast sees up to the origin: NaN on days that ended with an empty shelf.
    known: Array
    #: What was used on each of those days.
    used: Array
    #: All days; the first ``known.shape[1]`` are the past.
    days: Days
    #: How many of the rows, the first ones, are judged; the others are their peers.
    judged: int = SERIES


def _days(rng: Rng, first: date = date(2025, 5, 1), last: date = date(2026, 7, 31)) -> tuple[Days, date]:
    """A calendar around an origin between two days, and the origin."""
    origin = first + timedelta(int(rng.integers((last - first).days + 1)))
    start = origin - timedelta(PAST)
    return indonesia(start.year, (origin + timedelta(AHEAD)).year).days(start, PAST + AHEAD), origin


def _usual(rng: Rng, days: Days, spread: float = 0.9) -> Array:
    """What is expected of offices of every size from Monday to Friday."""
    week = np.zeros((SERIES, 9))
    week[:, :5] = rng.dirichlet(np.full(5, 40.0), SERIES) * 5
    return np.asarray(40.0 * rng.lognormal(0, spread, (SERIES, 1)) * week[:, days.kinds])


def _drawn(rng: Rng, mean: Array, lively: tuple[float, float] = (4.0, 30.0)) -> Array:
    """Days differ more than coins do, in some offices much more."""
    shape = rng.uniform(*lively, (len(mean), 1))
    return rng.poisson(mean * rng.gamma(shape, 1 / shape, mean.shape)).astype(float)


def _open(asked: Array, days: Days, past: int = PAST) -> World:
    """Where the shelf was never empty."""
    return World(asked, asked[:, :past], asked[:, :past], days)


def placid(rng: Rng) -> World:
    """Nothing happens."""
    days, _ = _days(rng)
    return _open(_drawn(rng, _usual(rng, days), (30.0, 100.0)), days)


def trend(rng: Rng) -> World:
    """From two fifths less to four fifths more a year."""
    days, _ = _days(rng)
    growth = rng.uniform(np.log(0.6), np.log(1.8), (SERIES, 1))
    return _open(_drawn(rng, _usual(rng, days) * np.exp(growth * np.arange(len(days)) / 365)), days)


def shift(rng: Rng) -> World:
    """A service hall opened, or one next door, 5 to 60 days ago, for good."""
    days, _ = _days(rng)
    factor = np.where(
        rng.random(SERIES) < 0.65, rng.uniform(1.5, 3.0, SERIES), rng.uniform(0.3, 0.65, SERIES)
    )
    since = PAST - rng.integers(5, 61, SERIES)
    after = np.arange(len(days)) >= since[:, None]
    return _open(_drawn(rng, _usual(rng, days) * np.where(after, factor[:, None], 1.0)), days)


def campaigns(rng: Rng) -> World:
    """Weeks of two to six times the demand that end, one of them now or lately."""
    days, _ = _days(rng)
    factor = np.ones((SERIES, len(days)))
    for row in range(SERIES):
        for begin in (*rng.integers(0, PAST - 60, 2), PAST - rng.integers(3, 40)):
            factor[row, begin : begin + rng.integers(4, 13)] = rng.uniform(2, 6)
    return _open(_drawn(rng, _usual(rng, days) * factor), days)


def rare(rng: Rng) -> World:
    """Small islands: a card now and then, and a dozen when the boat brings people."""
    days, _ = _days(rng)
    mean = rng.uniform(0.03, 1.5, (SERIES, 1)) * np.where(days.kinds <= DayKind.FRIDAY, 1.0, 0.0)
    boat = (rng.random(mean.shape) < 1 / 30) & (days.kinds <= DayKind.FRIDAY)
    return _open(rng.poisson(mean) + rng.poisson(rng.uniform(2, 12, (SERIES, 1)) * boat).astype(float), days)


def lebaran(rng: Rng) -> World:
    """Counters that stay shut for longer than the decree says, and make up for it, with Lebaran ahead."""
    days, origin = _days(rng, date(2026, 1, 10), date(2026, 3, 15))
    start = origin - timedelta(PAST)
    factor = np.ones((SERIES, len(days)))
    for first in (date(2024, 4, 10), date(2025, 3, 31), date(2026, 3, 20)):
        at = (first - start).days
        for row in range(SERIES):
            factor[row, max(at - 14, 0) : max(at, 0)] = rng.uniform(0.5, 0.9)
            factor[row, max(at - rng.integers(3, 8), 0) : max(at + rng.integers(3, 12), 0)] = 0.0
            factor[row, max(at + 12, 0) : max(at + rng.integers(20, 40), 0)] = rng.uniform(1.2, 1.7)
    return _open(_drawn(rng, _usual(rng, days) * factor), days)


def hours(rng: Rng) -> World:
    """Offices that open four days, or Saturdays, or joint leave; and twenty that stopped Fridays lately."""
    days, _ = _days(rng)
    mean = _usual(rng, days)
    scale = mean.max(axis=1, keepdims=True)
    mean[:15, days.kinds == DayKind.MONDAY] = 0
    mean[15:30] += 0.5 * scale[15:30] * (days.kinds == DayKind.SATURDAY)
    mean[30:40] += 0.6 * scale[30:40] * (days.kinds == DayKind.JOINT_LEAVE)
    mean[40:, PAST - 40 :] *= days.kinds[PAST - 40 :] != DayKind.FRIDAY
    return _open(_drawn(rng, mean), days)


def election(rng: Rng) -> World:
    """Waves of eight weeks before both polls of 2024: now, soon, or just over."""
    days, origin = _days(rng, date(2023, 12, 1), date(2025, 1, 15))
    start = origin - timedelta(PAST)
    top, mean = rng.uniform(1.4, 2.8, (SERIES, 1)), _usual(rng, days)
    for poll in (date(2024, 2, 14), date(2024, 11, 27)):
        before = (poll - start).days - np.arange(len(days))
        mean *= 1 + (top - 1) * np.where((before >= 0) & (before < 56), 1 - before / 56, 0.0)
    return _open(_drawn(rng, mean), days)


def new(rng: Rng) -> World:
    """Twenty places that opened five days ago, among forty old ones."""
    days, _ = _days(rng)
    asked = _drawn(rng, _usual(rng, days))
    known, used = asked[:, :PAST].copy(), asked[:, :PAST].copy()
    known[:20, :-5], used[:20, :-5] = np.nan, 0.0
    return World(asked, known, used, days, 20)


def young(rng: Rng) -> World:
    """Books that were begun five to sixty days ago, everywhere."""
    days, _ = _days(rng)
    length = int(rng.integers(5, 61))
    asked = _drawn(rng, _usual(rng, days), (8.0, 100.0))[:, PAST - length :]
    return _open(asked, days[PAST - length :], length)


def sold_out(rng: Rng) -> World:
    """A shelf that is empty for a third of the days, and on some of the others before noon."""
    days, _ = _days(rng)
    asked = _drawn(rng, _usual(rng, days))
    used, known = asked[:, :PAST].copy(), asked[:, :PAST].copy()
    for row in range(SERIES):
        every, stock = int(rng.integers(20, 70)), 0.0
        box = rng.uniform(0.4, 0.9) * every * asked[row].mean()
        for day in range(PAST):
            stock += box if day % every == 0 else 0.0
            used[row, day] = min(np.floor(stock), asked[row, day])
            stock -= used[row, day]
            known[row, day] = np.nan if stock < 1 else used[row, day]
    return World(asked, known, used, days)


def regimes(rng: Rng) -> World:
    """Months of more and months of less, without a rhythm."""
    days, _ = _days(rng)
    state = np.cumsum(rng.random((SERIES, len(days))) < 1 / 90, axis=1) % 2
    return _open(_drawn(rng, _usual(rng, days) * np.where(state == 0, 0.75, 1.35)), days)


def own_year(rng: Rng) -> World:
    """A year of its own: harvest here, fishing there."""
    days, _ = _days(rng)
    phase, strength = rng.uniform(0, 2 * np.pi, (SERIES, 1)), rng.uniform(0.1, 0.4, (SERIES, 1))
    year = np.exp(strength * np.sin(2 * np.pi * np.arange(len(days)) / 365.25 + phase))
    return _open(_drawn(rng, _usual(rng, days) * year), days)


def breakdowns(rng: Rng) -> World:
    """Printers that break for days and make up for it, with use that goes on as it was yesterday."""
    days, _ = _days(rng)
    wave = np.zeros((SERIES, len(days)))
    for day in range(1, len(days)):
        wave[:, day] = 0.93 * wave[:, day - 1] + 0.08 * rng.standard_t(4, SERIES)
    asked = _drawn(rng, _usual(rng, days) * np.exp(wave), (10.0, 40.0))
    for row, begin in zip(*np.nonzero(rng.random(asked.shape) < 2 / 365), strict=True):
        end = begin + int(rng.integers(2, 9))
        if end < len(days):
            asked[row, end] += np.floor(0.8 * asked[row, begin:end].sum())
            asked[row, begin:end] = 0.0
    return _open(asked, days)


def halves(rng: Rng) -> World:
    """Regencies that were split: within a month they lose a third to two thirds, some with a new trend."""
    days, _ = _days(rng)
    since = PAST - rng.integers(15, 150, SERIES)
    passed = np.clip((np.arange(len(days)) - since[:, None]) / 30, 0, 1)
    lost = np.log(rng.uniform(0.33, 0.67, (SERIES, 1)))
    growth = rng.normal(0, 0.1, (SERIES, 1)) * np.arange(len(days)) / 365
    return _open(_drawn(rng, _usual(rng, days) * np.exp(lost * passed + growth)), days)


WORLDS: Final[dict[str, Callable[[Rng], World]]] = {
    each.__name__.replace("_", " "): each
    for each in (placid, trend, shift, campaigns, rare, lebaran, hours, election, new, young, sold_out)
}
EXAM: Final[dict[str, Callable[[Rng], World]]] = {
    each.__name__.replace("_", " "): each for each in (regimes, own_year, breakdowns, halves)
}
