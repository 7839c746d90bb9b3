"""The rhythm of use: what a day of each kind is worth, and each season; and which days are no part of it.

Arrays are float64 with one row a series and one column a day; days that tell nothing are NaN.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning.calendar import KINDS, MONTHS, SEASONS, DayKind

Array = npt.NDArray[np.float64]

#: How many days of the kind the mean of all locations counts for, and an ordinary week for that.
_PROFILE_PRIOR: Final = 5.0
_WEEK_PRIOR: Final = 2.0
#: Days of a block that has a usual day, and the multiple of it that is no day's use any more but a slip of
#: the pen, a box that got wet, or an event of its own.
_BLOCK: Final = 28
_ACCIDENT: Final = 6.0
#: How often a season must be seen to be believed by half.
_SEASON_PRIOR: Final = 0.5
_ORDINARY: Final = slice(DayKind.MONDAY, DayKind.FRIDAY + 1)


def without_accidents(history: Array) -> Array:
    """The history with single days of many times the usual cut to what a campaign may take.

    The usual day is the median of the days with use in a block of four weeks, or in one of its neighbours
    where that is more: a level that jumps is none.
    """
    days = history.shape[1]
    blocks = -(-days // _BLOCK)
    padded = np.full((len(history), blocks * _BLOCK), np.nan)
    padded[:, :days] = history
    # NaN sort last: the days with use come first, and their number tells which of them is the median.
    sorted_use = np.sort(np.where(padded > 0, padded, np.nan).reshape(-1, blocks, _BLOCK), axis=2)
    counts = np.isfinite(sorted_use).sum(axis=2)
    # The lower one of two: of two days one may be the accident.
    middle = np.take_along_axis(sorted_use, np.maximum(counts - 1, 0)[:, :, None] // 2, axis=2)[:, :, 0]
    usual = np.pad(np.nan_to_num(middle), ((0, 0), (1, 1)))
    usual = np.max([usual[:, :-2], usual[:, 1:-1], usual[:, 2:]], axis=0)
    most = np.repeat(_ACCIDENT * (usual + np.sqrt(usual)), _BLOCK, axis=1)[:, :days]
    return np.asarray(np.minimum(history, most))


def profile(history: Array, kinds: npt.NDArray[np.int8]) -> Array:
    """Factor of each kind of day by series, shape (n, KINDS): those of all series weigh like a few days of
    its own, and a week of five equal days like a few of theirs. Ordinary working days have a mean of 1.
    """
    valid = np.isfinite(history)
    use = np.where(valid, history, 0.0)
    # Days on which nothing was ever used say nothing about the week.
    valid &= use.any(axis=1, keepdims=True)
    chosen = np.zeros((len(kinds), KINDS))
    chosen[np.arange(len(kinds)), kinds] = 1.0
    sums, days = use @ chosen, valid.astype(float) @ chosen
    week = np.where(np.arange(KINDS) <= DayKind.FRIDAY, 1.0, 0.0)
    pooled = _factors(sums.sum(axis=0), days.sum(axis=0), week, _WEEK_PRIOR)
    return _factors(sums, days, pooled, _PROFILE_PRIOR)


def _factors(sums: Array, days: Array, prior: Array, weight: float) -> Array:
    """Use of each kind of day, shape (…, KINDS), in units of that of a mean working day."""
    own = np.maximum((days * prior)[..., _ORDINARY].sum(axis=-1, keepdims=True), 1e-9)
    scale = np.maximum(sums[..., _ORDINARY].sum(axis=-1, keepdims=True) / own, 1e-9)
    factor = (sums / scale + weight * prior) / (days + weight)
    # The mean of five weekdays, each weighing the same, so that the factors of a week add up to five.
    return np.asarray(factor / np.maximum(factor[..., _ORDINARY].mean(axis=-1, keepdims=True), 1e-9))


def season(use: Array, base: Array, seasons: npt.NDArray[np.int8]) -> Array:
    """Factor of each season, from the country's use against its own mean of a year around the day; ``base``
    is what a level of 1 would use. Drawn to 1 while few years are known.
    """
    if len(seasons) < 365 + 28:
        return np.ones(SEASONS)
    above, below = use.sum(axis=0), base.sum(axis=0)
    year = np.ones(365)
    around = np.convolve(above, year, "same") / np.maximum(np.convolve(below, year, "same"), 1e-9)
    expected = below * around
    chosen = np.zeros((len(seasons), SEASONS))
    chosen[np.arange(len(seasons)), seasons] = 1.0
    factor = (above @ chosen + 1.0) / (expected @ chosen + 1.0)
    # How often each season was seen.
    seen = chosen.sum(axis=0) / np.where(np.arange(SEASONS) < MONTHS, 30, 7)
    return np.asarray(factor ** (seen / (seen + _SEASON_PRIOR)))
