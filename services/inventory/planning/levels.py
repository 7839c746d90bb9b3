"""The level of use: means that forget with several half-lives, weighted by how well each has foretold.

Arrays are float64 with one row a series.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning.past import ORIGIN_STEP, Origins, Past

Array = npt.NDArray[np.float64]

#: Half-lives of the level in days: from a fortnight's change to the mean of half a year.
HALF_LIVES: Final = (7.0, 14.0, 28.0, 56.0, 112.0)
#: Days ahead by which they are judged, days in which a judgement counts for half, and how many origins those
#: of all locations count for.
_HORIZON: Final = 28
_JUDGED: Final = 180.0
_ERROR_PRIOR: Final = 8.0
#: Half-life of the level by which a day is a campaign, and the multiple of it from which on it is one.
_USUAL: Final = 56.0
_PEAK: Final = 1.5


def blend(capped: Array, base: Array, past: Past, origins: Origins) -> tuple[Array, Array]:
    """The level as it is known at the end of each day, shape (n, days); and how many days it lags
    behind, shape (n,). ``capped`` is use without campaigns.
    """
    long_run = _long_run(capped, base)
    levels = [_level(capped, base, half_life, long_run) for half_life in HALF_LIVES]
    errors = [past.log_errors(each[:, origins], origins, _HORIZON) for each in levels]
    weights = _weights(np.stack([_past_error(np.abs(each)) for each in errors]))
    lag = np.array(HALF_LIVES) @ weights / np.log(2)
    return np.einsum("kn,knt->nt", weights, np.stack(levels)), lag


def revealed(history: Array, at_least: Array, factors: Array) -> Array:
    """The history with what was used on open days, where that is more than was to be expected."""
    told = np.isfinite(history)
    usual = _usual(np.where(told, history, 0.0), np.where(told, factors, 0.0))
    return np.where(~told & (at_least > usual * factors), at_least, history)


def capped(use: Array, base: Array) -> Array:
    """Use without the peaks of campaigns, which would pass for a new level."""
    usual = _usual(use, base) * base
    return np.minimum(use, _PEAK * usual + 3.0 * np.sqrt(usual) + 1.0)


def _usual(use: Array, base: Array) -> Array:
    return _level(use, base, _USUAL, _long_run(use, base))


def _level(use: Array, base: Array, half_life: float, long_run: Array) -> Array:
    """The level that forgets with one half-life, shape of ``use``; a level of 1 would use ``base``."""
    keep = 0.5 ** (1.0 / half_life)
    # Where the recent days tell nothing, what was long ago is the best guess.
    return np.asarray((_running(use, keep) + 0.5 * long_run) / (_running(base, keep) + 0.5))


def _long_run(use: Array, base: Array) -> Array:
    keep = 0.5 ** (1.0 / (4 * HALF_LIVES[-1]))
    return np.asarray(_running(use, keep) / np.maximum(_running(base, keep), 1e-9))


def _running(values: Array, keep: float) -> Array:
    """Sums up to each day that keep the share ``keep`` of themselves from day to day."""
    # One day of all series after the other: scipy.signal would do it, and take longer to import than a
    # forecast.
    by_day = np.array(values.T, order="C")
    for day in range(1, len(by_day)):
        by_day[day] += keep * by_day[day - 1]
    return by_day.T


def _past_error(error: Array) -> Array:
    """Mean error by series of those at each origin, the last ones counting most, those of all series like
    some of its own.
    """
    seen = np.isfinite(error)
    pooled = float(error[seen].mean()) if seen.any() else 1.0
    weight = seen * 0.5 ** (np.arange(error.shape[1])[::-1] * ORIGIN_STEP / _JUDGED)
    total = (np.where(seen, error, 0.0) * weight).sum(axis=1)
    return np.asarray((total + _ERROR_PRIOR * pooled) / (weight.sum(axis=1) + _ERROR_PRIOR))


def _weights(score: Array) -> Array:
    """Weights of the half-lives by series, shape of ``score``: the smaller the error the greater, sharply."""
    # Nobody is ever right to the card: errors below a hundredth weigh alike, and that of none is no division
    # by zero.
    least = np.maximum(score, 0.01)
    closeness = (least / least.min(axis=0)) ** -8.0
    return np.asarray(closeness / closeness.sum(axis=0))
