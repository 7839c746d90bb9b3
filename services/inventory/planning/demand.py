"""How many blanks each location will use: the day-by-day expectation and how far it may be off.

Use of a day = level × factor of the kind of day × factor of the season. The kinds (weekday, holiday, joint
leave) have factors of the location, drawn towards those of all locations where its own days are few; the
seasons (month, weeks after Lebaran) have factors of the country, drawn towards 1 while few years are known.
The level is a ratio of two running sums, use over factors, that forget with a half-life; several half-lives
are averaged, the more weight the better each has foretold the location's own past. Intervals are not assumed
but counted: the model forecasts from many days of the past and looks at what came; only where there is hardly
any past, they are those of locations as such. ``bench/forecast_backtest.py`` compares this with its rivals.

All arrays are float64 with one row a series. Days on which the use does not tell the demand (an empty shelf,
a broken link) are NaN and count for nothing, unless what was used on them is more than was to be expected: at
least so much was wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning import rhythm
from services.inventory.planning.calendar import Days

Array = npt.NDArray[np.float64]

#: Half-lives of the level in days: from a fortnight's change to the mean of half a year.
HALF_LIVES: Final = (7.0, 14.0, 28.0, 56.0, 112.0)
#: Horizons in days at which the past is asked how wrong the forecast was.
HORIZONS: Final = (7, 14, 28, 56, 84)
#: Days between the origins of those forecasts, and how far back they go.
_ORIGIN_STEP: Final = 14
_ORIGIN_SPAN: Final = 730
#: Days of which the day-kind factors are made.
_PROFILE_SPAN: Final = 728
#: How many origins the errors of all locations count for.
_ERROR_PRIOR: Final = 8.0
#: Spread of the log-errors at each horizon where nothing is known (the median of the backtest), and how many
#: errors that counts for.
_PRIOR_SPREAD: Final = np.array([0.28, 0.20, 0.17, 0.15, 0.14])
_PRIOR_ERRORS: Final = 40
#: Variance of one day about the level, which the level of a short history has in it, and the working days of
#: reported arrivals, which stand in where there is no history.
_DAY_VARIANCE: Final = 0.12
_REPORTED_DAYS: Final = 20.0
#: What a location as such may do: quantiles of the standard normal distribution.
_NORMAL: Final = np.array([NormalDist().inv_cdf((k + 0.5) / _PRIOR_ERRORS) for k in range(_PRIOR_ERRORS)])
#: The share of a horizon's expected use that must lie on days that tell the demand.
_ENOUGH: Final = 0.7
#: A log-ratio never seen is still possible: Poisson noise of one blank and of slow change.
_LEAST_SPREAD: Final = 0.02
#: A day above this multiple of the usual is a campaign.
_PEAK: Final = 1.8


@dataclass(frozen=True)
class Demand:
    """What is known about the demand of ``n`` series."""

    #: Blanks on an ordinary working day, shape (n,).
    level: Array
    #: Factor of each :class:`DayKind`, shape (n, KINDS); ordinary working days have a mean of 1.
    profile: Array
    #: Factor of each season, shape (SEASONS,).
    season: Array
    #: Standard deviation of log(actual / forecast) of the sum over each of HORIZONS, shape (n,
    #: len(HORIZONS)).
    spread: Array
    #: Pooled standardised log-errors at each horizon, ascending, one array a horizon.
    errors: tuple[Array, ...]

    def of(self, rows: Sequence[int]) -> Demand:
        """That of some of the series."""
        chosen = np.array(rows, np.int64)
        return replace(
            self, level=self.level[chosen], profile=self.profile[chosen], spread=self.spread[chosen]
        )

    def path(self, ahead: Days) -> Array:
        """Expected use on each day, shape (n, len(ahead))."""
        return self.level[:, None] * self.profile[:, ahead.kinds] * self.season[ahead.seasons]

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
    if at_least is not None:
        history = _revealed(history, at_least, profile[:, days.kinds])
    factors = profile[:, days.kinds]
    valid = np.isfinite(history)
    use = np.where(valid, history, 0.0)
    season = rhythm.season(use, np.where(valid, factors, 0.0), days.seasons)
    factors = factors * season[days.seasons]
    base = np.where(valid, factors, 0.0)
    capped = _capped(use, base)
    levels = [_level(capped, base, half_life) for half_life in HALF_LIVES]
    origins = _origins(history.shape[1])
    totals, hoped = (_running_total(use), _running_total(base)), _running_total(factors)
    score = np.stack([_past_error(totals, hoped, level, origins, 28) for level in levels])
    blended = np.einsum("kn,knt->nt", _weights(score), np.stack(levels))
    seen = use.any(axis=1)
    days_seen = np.where(seen, np.maximum(base.sum(axis=1), 1.0), _REPORTED_DAYS)
    young = _DAY_VARIANCE / days_seen + np.where(seen, 1.0 / (use.sum(axis=1) + 1.0), 0.0)
    spread, errors = _spread(totals, hoped, blended, origins, young)
    return Demand(blended[:, -1], profile, season, spread, errors)


def _revealed(history: Array, at_least: Array, factors: Array) -> Array:
    """The history with what was used on open days, where that is more than was to be expected."""
    valid = np.isfinite(history)
    level = _level(np.where(valid, history, 0.0), np.where(valid, factors, 0.0), 56.0)
    return np.where(~valid & (at_least > level * factors), at_least, history)


def _capped(use: Array, base: Array) -> Array:
    """Use without the peaks of campaigns, which would pass for a new level."""
    usual = _level(use, base, 56.0) * base
    return np.minimum(use, _PEAK * usual + 3.0 * np.sqrt(usual) + 1.0)


def _running_total(values: Array) -> Array:
    """Sums of the days before each day, one entry more than days."""
    return np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)


def _level(use: Array, base: Array, half_life: float) -> Array:
    """The level as it is known at the end of each day, shape of ``use``."""
    keep = 0.5 ** (1.0 / half_life)
    slow = 0.5 ** (1.0 / (4 * HALF_LIVES[-1]))
    above, below = _running(use, keep), _running(base, keep)
    # Where the recent days tell nothing, what was long ago is the best guess.
    far_above, far_below = _running(use, slow), _running(base, slow)
    long_run = far_above / np.maximum(far_below, 1e-9)
    return np.asarray((above + 0.5 * long_run) / (below + 0.5))


def _running(values: Array, keep: float) -> Array:
    """Sums up to each day that keep the share ``keep`` of themselves from day to day."""
    # One day of all series after the other: scipy.signal would do it, and take longer to import than a
    # forecast.
    by_day = np.array(values.T, order="C")
    for day in range(1, len(by_day)):
        by_day[day] += keep * by_day[day - 1]
    return by_day.T


def _origins(days: int) -> npt.NDArray[np.int64]:
    """Days at whose end the past is forecast; each leaves at least the shortest horizon to be judged by."""
    first = max(days - _ORIGIN_SPAN, 8 * 7)
    return np.arange(days - HORIZONS[0] - 1, first - 1, -_ORIGIN_STEP, dtype=np.int64)[::-1]


def _log_ratio(
    totals: tuple[Array, Array], hoped: Array, level: Array, origins: npt.NDArray[np.int64], horizon: int
) -> Array:
    """log(actual / forecast) of the sum over ``horizon`` days after each origin; NaN if unknown."""
    use, base = totals
    # Entry k of a running total is the sum of the days before day k.
    whole = origins[origins + horizon < use.shape[1] - 1]
    begin, end = whole + 1, whole + horizon + 1
    actual = use[:, end] - use[:, begin]
    foretold = level[:, whole] * (base[:, end] - base[:, begin])
    expected = level[:, whole] * (hoped[:, end] - hoped[:, begin])
    ratio = np.log((actual + 0.5) / (foretold + 0.5))
    return np.where((foretold >= _ENOUGH * expected) & (expected > 0), ratio, np.nan)


def _past_error(
    totals: tuple[Array, Array], hoped: Array, level: Array, origins: npt.NDArray[np.int64], horizon: int
) -> Array:
    """Mean absolute log-error by series, that of all series weighing like some origins of its own."""
    error = np.abs(_log_ratio(totals, hoped, level, origins, horizon))
    seen = np.isfinite(error)
    pooled = float(error[seen].mean()) if seen.any() else 1.0
    return np.asarray(
        (np.where(seen, error, 0.0).sum(axis=1) + _ERROR_PRIOR * pooled) / (seen.sum(axis=1) + _ERROR_PRIOR)
    )


def _weights(score: Array) -> Array:
    """Weights of the half-lives by series, shape of ``score``: the smaller the error the greater, sharply."""
    # Nobody is ever right to the card: errors below a hundredth weigh alike, and that of none is no division
    # by zero.
    least = np.maximum(score, 0.01)
    closeness = (least / least.min(axis=0)) ** -8.0
    return np.asarray(closeness / closeness.sum(axis=0))


def _spread(
    totals: tuple[Array, Array], hoped: Array, level: Array, origins: npt.NDArray[np.int64], young: Array
) -> tuple[Array, tuple[Array, ...]]:
    """Spread of the log-errors by series and horizon, and the pooled errors in units of it.

    ``young`` is what a level of few days and blanks adds to the variance, shape (n,): errors of the past have
    it in them, where there are enough of them.
    """
    spreads: list[Array] = []
    pooled: list[Array] = []
    for horizon, prior in zip(HORIZONS, _PRIOR_SPREAD, strict=True):
        error = _log_ratio(totals, hoped, level, origins, horizon)
        seen = np.isfinite(error)
        square = np.where(seen, error, 0.0) ** 2
        common = (float(square.sum()) + _PRIOR_ERRORS * prior**2) / (int(seen.sum()) + _PRIOR_ERRORS)
        own = (square.sum(axis=1) + _ERROR_PRIOR * (common + young)) / (seen.sum(axis=1) + _ERROR_PRIOR)
        spread = np.maximum(np.sqrt(own), _LEAST_SPREAD)
        spreads.append(spread)
        pooled.append(np.sort(np.concatenate([(error / spread[:, None])[seen], _NORMAL])))
    return np.stack(spreads, axis=1), tuple(pooled)
