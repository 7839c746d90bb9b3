"""How far off the forecast may be: counted from how far off it was, not assumed.

A location's own errors count most where it has many. Few of them weigh less than those of its peers, which
are scaled to what is to be expected of a place of its size whose days differ as much as its own do. Only
where nobody has a past, it is that expectation alone. Arrays are float64 with one row a series.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning.past import Origins, Past
from services.inventory.planning.trend import REACH

Array = npt.NDArray[np.float64]

#: Horizons in days at which the past is asked how wrong the forecast was.
HORIZONS: Final = (7, 14, 28, 56, 84)
#: How many of its own errors those of all locations count for.
_ERROR_PRIOR: Final = 8.0
#: Spread of the log-errors after four weeks that comes of changes of the level, where there is no past to
#: ask; the power of the days by which its square rises, and how many errors that counts for.
_DRIFT: Final = 0.09
_DRIFT_POWER: Final = 0.3
_PRIOR_ERRORS: Final = 40
#: What a location as such may do: quantiles of the standard normal distribution.
_NORMAL: Final = np.array([NormalDist().inv_cdf((k + 0.5) / _PRIOR_ERRORS) for k in range(_PRIOR_ERRORS)])
#: A log-ratio never seen is still possible: Poisson noise of one blank and of slow change.
_LEAST_SPREAD: Final = 0.02
#: Variance of one day about the level as a share of its square, where no day tells; the days that this and
#: that of all locations count for; and those by which a location's own is judged.
_DAY_VARIANCE: Final = 0.12
_POOLED_DAYS: Final = 40.0
_OWN_DAYS: Final = 10.0
_LATELY: Final = 182
#: A level of few days is wrong by which weekdays they were, too.
_WEEKDAYS: Final = 1.5
#: Working days of reported arrivals, which stand in where there is no history.
_REPORTED_DAYS: Final = 20.0


def spread(
    past: Past, level: Array, growth: Array, origins: Origins, lively: Array
) -> tuple[Array, tuple[Array, ...]]:
    """Standard deviation of log(actual / forecast) of the sum over each of HORIZONS, shape (n, horizons), and
    the errors of all series in units of it, ascending, one array a horizon.

    Args:
        past: What came.
        level: The level at each origin and at the end, shape (n, origins + 1).
        growth: Its slope there, same shape.
        origins: Days at whose end the past is forecast.
        lively: See :func:`liveliness`.

    """
    seen_use, seen_days = past.use[:, -1], past.base[:, -1]
    any_use = seen_use > 0
    # What a level of few days and blanks has in it: errors of the past have it in them, where there are many.
    young = _WEEKDAYS * lively / np.where(any_use, np.maximum(seen_days, 1.0), _REPORTED_DAYS)
    young += np.where(any_use, 1.0 / (seen_use + 1.0), 0.0)
    a_day = past.hoped[:, -1] / past.days
    spreads: list[Array] = []
    pooled: list[Array] = []
    for horizon in HORIZONS:
        worked = np.maximum(a_day * horizon, 1.0)
        usual = _DRIFT**2 * (horizon / 28) ** _DRIFT_POWER
        usual = usual + lively / worked + 1.0 / (level[:, -1] * worked + 1.0)
        error = past.log_errors(level[:, :-1], origins, horizon)
        error -= growth[:, : error.shape[1]] * min(horizon, REACH) / 2
        seen = np.isfinite(error)
        square = np.where(seen, error, 0.0) ** 2
        times = (float((square / usual[:, None]).sum()) + _PRIOR_ERRORS) / (int(seen.sum()) + _PRIOR_ERRORS)
        peers = _ERROR_PRIOR * (usual * times + young)
        own = (square.sum(axis=1) + peers) / (seen.sum(axis=1) + _ERROR_PRIOR)
        spreads.append(np.maximum(np.sqrt(own), _LEAST_SPREAD))
        pooled.append(np.sort(np.concatenate([(error / spreads[-1][:, None])[seen], _NORMAL])))
    return np.stack(spreads, axis=1), tuple(pooled)


def liveliness(use: Array, base: Array) -> Array:
    """Variance of one working day about the mean of half a year, beyond that of coins, as a share of its
    square, shape (n,); drawn to that of all locations where few days are known. Inputs have shape (n, days).
    """
    use, base = use[:, -_LATELY:], base[:, -_LATELY:]
    mean = base * (use.sum(axis=1) / np.maximum(base.sum(axis=1), 1e-9))[:, None]
    worked = base > 0.3
    days = worked.sum(axis=1)
    beyond = np.where(worked, (use - mean) ** 2 - mean, 0.0).sum(axis=1)
    square = np.where(worked, mean**2, 0.0).sum(axis=1) / np.maximum(days, 1)
    # Of less than a card a day nobody can tell what is chance; nor of one day, which is its own mean.
    told = (square > 1) & (days > 1)
    days, own = np.where(told, days - 1, 0), np.where(told, beyond / np.maximum(square, 1e-9), 0.0)
    of_all = (own.sum() + _POOLED_DAYS * _DAY_VARIANCE) / (days.sum() + _POOLED_DAYS)
    return np.asarray(np.clip((own + _OWN_DAYS * of_all) / (days + _OWN_DAYS), 0.005, 1.0))
