"""Three years of what 514 regencies used, made up from a seed: what forecasts and plans are measured on.

Nobody publishes daily figures of card printing, so these are drawn to have what the story of 2015–2020 had:
weekdays that differ, holidays and joint leave, a rush after Lebaran and before the school year, levels that
drift and jump, campaigns, printers that break, and weeks with an empty shelf, which say nothing about demand.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning.calendar import DayKind, Days, indonesia

#: Cards a year per inhabitant: first cards of 3 M a year and half as many replacements, in a country of 285
#: M.
_CARDS_PER_PERSON: Final = 4.5e6 / 285e6
_WEEK: Final = np.array([1.22, 1.10, 1.02, 0.95, 0.71, 0.0, 0.0, 0.0, 0.02])
_LEBARAN: Final = {
    2023: date(2023, 4, 22),
    2024: date(2024, 4, 10),
    2025: date(2025, 3, 31),
    2026: date(2026, 3, 21),
}


@dataclass(frozen=True)
class History:
    """Daily use of each regency."""

    locations: tuple[str, ...]
    start: date
    #: Blanks that were asked for, shape (locations, days): what a forecast should foresee.
    demand: npt.NDArray[np.float64]
    #: Blanks that were used; NaN on days with an empty shelf.
    used: npt.NDArray[np.float64]
    calendar: Days

    @property
    def days(self) -> int:
        """Length in days."""
        return len(self.calendar)

    def ahead(self, days: int) -> Days:
        """The days after the history's end."""
        first = self.start + timedelta(self.days)
        return indonesia(first.year, (first + timedelta(days)).year).days(first, days)


def regencies() -> dict[str, int]:
    """Population of each regency of today by its code."""
    table = files("services.enroll") / "data" / "regions.csv"
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    newest = max(row["last_vintage"] for row in rows)
    return {
        row["code"]: int(row["population_2025"])
        for row in rows
        if len(row["code"]) == 5 and row["last_vintage"] == newest and row["population_2025"]
    }


def synthetic(
    seed: int, *, last: date = date(2026, 10, 31), days: int = 1096, limit: int | None = None
) -> History:
    """The history of all regencies, or of the first ``limit``, that ends on ``last``."""
    rng = np.random.default_rng(seed)
    population = dict(list(regencies().items())[:limit])
    start = last - timedelta(days - 1)
    calendar = indonesia(start.year, last.year)
    each = calendar.days(start, days)
    kinds = each.kinds
    count = len(population)
    people = np.array(list(population.values()), float)
    worked = np.mean(kinds <= DayKind.FRIDAY) * 365
    base = people * _CARDS_PER_PERSON / worked * rng.lognormal(0, 0.35, count)
    profile = _WEEK * rng.lognormal(0, 0.12, (count, len(_WEEK)))
    profile[:, DayKind.SATURDAY] = np.where(rng.random(count) < 0.2, rng.uniform(0.1, 0.4, count), 0.0)
    level = np.log(base)[:, None] + np.cumsum(rng.normal(0, 0.008, (count, days)), axis=1)
    level += _jumps(rng, count, days) + _season(start, days)[None, :]
    mean = np.exp(level) * profile[:, kinds] * _campaigns(rng, count, days)
    # Gamma-Poisson: days differ more than coins do.
    demand = rng.poisson(mean * rng.gamma(12.0, 1 / 12.0, mean.shape)).astype(float)
    demand *= ~_stretches(rng, count, days, per_year=1.5, longest=4)
    used = np.where(_stretches(rng, count, days, per_year=0.35, longest=35), np.nan, demand)
    return History(tuple(population), start, demand, used, each)


def _jumps(rng: np.random.Generator, count: int, days: int) -> npt.NDArray[np.float64]:
    """A new office, a split of the regency: the level changes for good, once in two years."""
    happens = rng.random((count, days)) < 0.5 / 365
    return np.asarray(np.cumsum(happens * rng.normal(0, 0.4, (count, days)), axis=1))


def _season(start: date, days: int) -> npt.NDArray[np.float64]:
    """Log-factor of each day: the two weeks after Lebaran, and June to July before the school year."""
    season = np.zeros(days)
    for k in range(days):
        day = start + timedelta(k)
        since = (day - _LEBARAN[day.year]).days if day.year in _LEBARAN else -1
        season[k] = (0.4 if 0 <= since <= 18 else 0.0) + (0.18 if day.month in {6, 7} else 0.0)
    return season


def _campaigns(rng: np.random.Generator, count: int, days: int) -> npt.NDArray[np.float64]:
    """Events such as the one with 31,000 applicants: a week of two to four times the demand, once a year."""
    factor = np.ones((count, days))
    for row, begin in zip(*np.nonzero(rng.random((count, days)) < 1 / 365), strict=True):
        factor[row, begin : begin + rng.integers(3, 8)] = rng.uniform(2.0, 4.0)
    return factor


def _stretches(
    rng: np.random.Generator, count: int, days: int, *, per_year: float, longest: int
) -> npt.NDArray[np.bool_]:
    """Days inside of stretches that begin ``per_year`` times a year and last up to ``longest`` days."""
    inside = np.zeros((count, days), bool)
    for row, begin in zip(*np.nonzero(rng.random((count, days)) < per_year / 365), strict=True):
        inside[row, begin : begin + rng.integers(1, longest + 1)] = True
    return inside
