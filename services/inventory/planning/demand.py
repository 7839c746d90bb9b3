"""How many blanks each location will use: the day-by-day expectation and how far it may be off.

Use of a day = level × growth × factor of the kind of day × factor of the season. The kinds (weekday,
holiday, joint leave) have factors of the location, drawn towards those of all locations where its own days
are few; the seasons (month, weeks around Lebaran) have factors of the country, drawn towards 1 while few
years are known (:mod:`rhythm`). The level is a blend of means that forget (:mod:`levels`); it follows a jump
at once where it is sure (:mod:`jumps`), and a trend as far as trends have told what came (:mod:`trend`).
Intervals are counted from the errors of the past (:mod:`spread`). ``bench/forecast_backtest.py`` and
``bench/forecast_heldout.py`` compare this with its rivals.

All arrays are float64 with one row a series. Days on which the use does not tell the demand (an empty shelf,
a broken link) are NaN and count for nothing, unless what was used on them is more than was to be expected: at
least so much was wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning import jumps, levels, rhythm, trend
from services.inventory.planning.calendar import Days
from services.inventory.planning.past import Past, origins_of
from services.inventory.planning.spread import HORIZONS, liveliness, spread

Array = npt.NDArray[np.float64]

#: Days of which the day-kind factors are made.
_PROFILE_SPAN: Final = 728
#: A change is told from this probability on.
_TOLD: Final = 0.5


@dataclass(frozen=True)
class Changes:
    """What changed lately, shape (n,) each: days ago, 0 for never; and the logarithm of the change."""

    #: The level, for good.
    jump_age: npt.NDArray[np.int64]
    jump_size: Array
    #: What may be a campaign that ends, and is not in the level.
    surge_age: npt.NDArray[np.int64]
    surge_size: Array

    @classmethod
    def of(cls, jumped: jumps.Change, surged: jumps.Change) -> Changes:
        """What is sure enough to be told at the last origin; a surge only where there is no jump."""
        has_jumped = jumped.sure[:, -1] >= _TOLD
        has_surged = (surged.sure[:, -1] >= _TOLD) & ~has_jumped
        return cls(
            np.where(has_jumped, jumped.age[:, -1], 0),
            np.where(has_jumped, jumped.size[:, -1], 0.0),
            np.where(has_surged, surged.age[:, -1], 0),
            np.where(has_surged, surged.size[:, -1], 0.0),
        )


@dataclass(frozen=True)
class Demand:
    """What is known about the demand of ``n`` series."""

    #: Blanks on an ordinary working day, shape (n,).
    level: Array
    #: Slope of its logarithm a day, shape (n,).
    growth: Array
    #: Factor of each :class:`DayKind`, shape (n, KINDS); ordinary working days have a mean of 1.
    profile: Array
    #: Factor of each season, shape (SEASONS,).
    season: Array
    #: Standard deviation of log(actual / forecast) of the sum over each of HORIZONS, shape (n,
    #: len(HORIZONS)).
    spread: Array
    #: Pooled standardised log-errors at each horizon, ascending, one array a horizon.
    errors: tuple[Array, ...]
    #: How far the interval goes below and above the level beside that, as logarithms, shape (n, 2).
    reach: Array
    changes: Changes

    def of(self, rows: Sequence[int]) -> Demand:
        """That of some of the series."""
        chosen = np.array(rows, np.int64)
        own = ("level", "growth", "profile", "spread", "reach")
        changes = Changes(**{name: each[chosen] for name, each in vars(self.changes).items()})
        return replace(self, changes=changes, **{name: getattr(self, name)[chosen] for name in own})

    def path(self, ahead: Days) -> Array:
        """Expected use on each day, shape (n, len(ahead))."""
        grown = np.exp(self.growth[:, None] * np.minimum(np.arange(1, len(ahead) + 1), trend.REACH))
        return self.level[:, None] * grown * self.profile[:, ahead.kinds] * self.season[ahead.seasons]

    def factor(self, quantile: float, days: int) -> Array:
        """What the expected sum over the first 1 … ``days`` days is multiplied with to be reached with
        probability ``quantile`` at most, shape (n, days).
        """
        score = np.array([np.quantile(errors, quantile) for errors in self.errors])
        log_factor = score * self.spread
        ahead = np.arange(1, days + 1, dtype=float)
        at = np.array((0, *HORIZONS), float)
        known = np.concatenate([log_factor[:, :1], log_factor], axis=1)
        inside = np.array([np.interp(ahead, at, row) for row in known]).reshape(len(known), days)
        # Beyond the last horizon the level goes on to wander: errors grow with the root of time.
        inside *= np.sqrt(np.maximum(ahead / HORIZONS[-1], 1.0))
        # One day says less than a week: the part of the error that is noise shrinks with the root of the
        # days.
        inside *= np.sqrt(np.maximum(HORIZONS[0] / ahead, 1.0))
        # Changes that may come or go: not at all in the middle, in full at the ends of an 80 % interval.
        inside += self.reach[:, [int(quantile > 0.5)]] * min(abs(quantile - 0.5) / 0.4, 1.0)
        return np.asarray(np.exp(inside))

    def sums(self, ahead: Days, quantile: float | None = None) -> Array:
        """Use summed over the days up to each day, shape (n, len(ahead)): expected, or the amount that is not
        exceeded with probability ``quantile``.
        """
        total = np.cumsum(self.path(ahead), axis=1)
        if quantile is None:
            return total
        # A sum never falls, whatever the factors do.
        return np.maximum.accumulate(total * self.factor(quantile, len(ahead)), axis=1)


def fit(history: Array, days: Days, at_least: Array | None = None) -> Demand:
    """The demand behind ``history``, shape (n, days), oldest day first; ``at_least`` is what was used on the
    days that it leaves open, of the same shape.

    Series without any use get a level of 0. Raises :class:`ValueError` when the shapes do not fit.
    """
    if history.ndim != 2 or history.shape[1] != len(days):
        raise ValueError(f"history of shape {history.shape} for {len(days)} days")
    history = rhythm.without_accidents(history)
    profile = rhythm.profile(history[:, -_PROFILE_SPAN:], days.kinds[-_PROFILE_SPAN:])
    factors = profile[:, days.kinds]
    if at_least is not None:
        history = levels.revealed(history, at_least, factors)
    told = np.isfinite(history)
    use = np.where(told, history, 0.0)
    season = rhythm.season(use, np.where(told, factors, 0.0), days.seasons)
    factors = factors * season[days.seasons]
    base = np.where(told, factors, 0.0)
    past, origins = Past.of(use, factors, told), origins_of(len(days), HORIZONS[0])
    ordinary = levels.capped(use, base)
    level, lag = levels.blend(ordinary, base, past, origins)
    # All that is said of today is said of each origin, too: only so its errors are those of this model.
    origins_and_today = np.append(origins, len(days) - 1)
    jumped = jumps.jump(past, level, origins_and_today)
    surged = jumps.surge(past, level, origins_and_today)
    followed = jumped.follow(level[:, origins_and_today])
    growth = trend.growth(past, followed, lag, origins_and_today) * (1 - jumped.sure)
    # A level that lags behind a trend is that much too low.
    followed *= np.exp(growth * np.minimum(lag, trend.REACH)[:, None])
    width, errors = spread(past, followed, growth, origins, liveliness(ordinary, base))
    return Demand(
        level=followed[:, -1],
        growth=growth[:, -1],
        profile=profile,
        season=season,
        spread=width,
        errors=errors,
        reach=jumps.reach(jumped, surged),
        changes=Changes.of(jumped, surged),
    )
