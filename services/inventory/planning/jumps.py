"""Levels that changed for good: a new service hall, a regency that was split.

A level that forgets slowly takes months to follow. So the model asks what it foretold some days ago, and
what came: where that is further off than it ever is, and was so in each week since, the level is what it was
since, by the odds that it is a jump and no chance. What is younger than a campaign lasts changes no level
yet, but the interval: it may end, or stay. Arrays are float64 with one row a series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning.past import Origins, Past

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

#: Days that something may last already: what may be a campaign, and what is none any more.
_YOUNG: Final = (5, 7, 9, 12, 14)
_OLD: Final = (17, 21, 25, 30, 36, 43, 52, 63, 76, 92, 112)
#: Standard deviation of the logarithm of a jump, the odds that one of an age is there at all, and the least
#: odds that are looked into.
_JUMP: Final = 0.6
_ODDS: Final = 0.003
_LEAST_ODDS: Final = 0.01
#: Chance has a longer tail than the normal distribution.
_TAIL: Final = 1.3
#: Spread of the log-error over these days where there is no past to ask, and how many errors that counts for.
_PRIOR_SPREAD: Final = 0.18
_PRIOR_ERRORS: Final = 8.0
#: Variance of one day about the level, as a share of its square.
_DAY_VARIANCE: Final = 0.12
#: Working days before a jump that its level must be known from.
_BEFORE: Final = 15.0
#: Each week, and both ends once more, must show at least this part of the jump, give or take some chance
#: (in standard deviations); an end has so many days.
_LASTING: Final = 0.5
_CHANCE: Final = 0.5
_END: Final = 3
#: Less than this part of a level is a standstill, of which nobody knows how long it lasts.
_STANDSTILL: Final = 0.1
#: A chance of this is heeded in full by an interval of 80 %.
_HEEDED: Final = 0.2
#: The part of a jump that the interval allows to be lost again, and the days in which that is forgotten.
_BACK: Final = 0.8
_SETTLES: Final = 40.0


@dataclass(frozen=True)
class Change:
    """What the level changed by before each origin, shape (n, origins) each."""

    #: The probability that it did, and the days since.
    sure: Array
    age: Counts
    #: Level since then, and the logarithm of what that is of the level before.
    level: Array
    size: Array

    def follow(self, level: Array) -> Array:
        """The level, shape (n, origins), as it is with the change."""
        return np.asarray((1 - self.sure) * level + self.sure * self.level)


def jump(past: Past, level: Array, origins: Origins) -> Change:
    """The jump of some weeks ago that the days since say most for; ``level`` is what it was taken for at the
    end of each day, shape (n, days).
    """
    return _likeliest(_OLD, past, level, origins)


def surge(past: Past, level: Array, origins: Origins) -> Change:
    """The same of these days: a campaign, or a jump that begins."""
    return _likeliest(_YOUNG, past, level, origins)


def reach(jumped: Change, surged: Change) -> Array:
    """How far the interval goes below and above the level at the last origin, as logarithms beside all else,
    shape (n, 2): what surges may stay, what is no sure jump may be one, and what has jumped may come back.
    """
    sure, size = jumped.sure[:, -1], jumped.size[:, -1]
    # What a jump has explained is no surge as well.
    stays = surged.size[:, -1] * np.minimum(surged.sure[:, -1] / _HEEDED, 1.0) * (1 - sure)
    onward = size * np.minimum(sure / _HEEDED, 1.0) * (1 - sure)
    back = -size * sure * _BACK * np.exp(-jumped.age[:, -1] / _SETTLES)
    ways = np.stack([stays, onward, back, np.zeros_like(back)])
    return np.stack([ways.min(axis=0), ways.max(axis=0)], axis=1)


def _likeliest(ages: tuple[int, ...], past: Past, level: Array, origins: Origins) -> Change:
    shape = (len(ages), len(level), len(origins))
    size, after, blanks = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape)
    for k, age in enumerate(ages):
        known = origins >= age
        end = origins[known] + 1
        came, factors = past.came(end - age, end)
        usual = level[:, end - age - 1] * factors
        ratio = np.log((came + 0.5) / (usual + 0.5))
        told = (
            past.tells(end - age, end) & (past.base[:, end - age] >= _BEFORE) & (came >= _STANDSTILL * usual)
        )
        size[k][:, known] = np.where(told, ratio, np.nan)
        after[k][:, known], blanks[k][:, known] = came / np.maximum(factors, 1e-9), usual
    variance = _TAIL**2 * np.maximum(_variance(size), 1.0 / (blanks + 1.0))
    gain = 0.5 * size**2 * _JUMP**2 / (variance * (variance + _JUMP**2))
    odds = np.log(_ODDS) + gain - 0.5 * np.log1p(_JUMP**2 / variance)
    odds = np.where(odds > np.log(_LEAST_ODDS), odds, -np.inf)
    for k, age in enumerate(ages):
        rows, columns = np.nonzero(np.isfinite(odds[k]))
        end = origins[columns] + 1
        lasts = _lasts(past, rows, end, age, level[rows, end - age - 1], size[k][rows, columns])
        odds[k][rows[~lasts], columns[~lasts]] = -np.inf
    best = odds.argmax(axis=0)[None]
    chosen, found, since = (np.take_along_axis(each, best, axis=0)[0] for each in (size, odds, after))
    sure = 1.0 / (1.0 + np.exp(-np.minimum(found, 50.0)))
    return Change(sure, np.array(ages)[best[0]], since, np.where(sure > 0, chosen, 0.0))


def _lasts(
    past: Past, rows: Counts, end: Counts, age: int, before: Array, size: Array
) -> npt.NDArray[np.bool_]:
    """Whether each week of the last ``age`` days, and both ends once more, show a good part of a jump of
    ``size``; one entry a candidate: its row, the day after its origin, its level before.
    """
    edge = before * np.exp(_LASTING * size)
    lasting = np.ones(len(rows), bool)
    weeks = [(first, max(first - 7, 0)) for first in range(age, 0, -7)]
    for first, last in (*weeks, (age, age - _END), (_END, 0)):
        use = past.use[rows, end - last] - past.use[rows, end - first]
        usual = edge * (past.base[rows, end - last] - past.base[rows, end - first])
        chance = np.sqrt(usual + _DAY_VARIANCE * usual * edge)
        lasting &= np.sign(size) * (use - usual) >= -_CHANCE * chance
    return lasting


def _variance(size: Array) -> Array:
    """How far off it usually is, by age and series, shape (ages, n, 1): squares of medians, which no jump of
    the past moves.
    """
    seen = np.isfinite(size)
    count = seen.sum(axis=2, keepdims=True)
    errors = np.sort(np.where(seen, np.abs(size), np.inf), axis=2)
    own = np.take_along_axis(errors, np.maximum(count - 1, 0) // 2, axis=2)
    own = np.where(count > 0, 1.4826 * own, 0.0)
    of_all = (count * own**2).sum(axis=1, keepdims=True) + _PRIOR_ERRORS * _PRIOR_SPREAD**2
    of_all = of_all / (count.sum(axis=1, keepdims=True) + _PRIOR_ERRORS)
    return np.asarray((count * own**2 + _PRIOR_ERRORS * of_all) / (count + _PRIOR_ERRORS))
