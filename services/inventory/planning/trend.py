"""Levels that rise or fall all year, and how far that is to be believed.

A slope is taken for one only where each quarter of the last year shows it; and it is followed only as far as
slopes of the past, of that location and of all, told what came. Arrays are float64 with one row a series.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning.past import Origins, Past

Array = npt.NDArray[np.float64]

#: Days for which a slope goes on: what comes later is not foreseen.
REACH: Final = 84
#: Days of a quarter; a slope is one of four. How many times one quarter's change may be less than the slope.
_QUARTER: Final = 91
_UNEVEN: Final = 3.0
#: The steepest slope, a day: twice the use in a year.
_STEEPEST: Final = 0.002
#: Working days of a quarter that must tell the demand.
_TOLD: Final = 5.0
#: How much slope (squared log-change) must have been followed before it is trusted by half: that of all
#: locations, and that of one before its own past counts more than that of all.
_TRUST_PRIOR: Final = 0.5
#: An error beyond this is a jump and says nothing about slopes.
_JUMP: Final = 0.7


def growth(past: Past, level: Array, lag: Array, origins: Origins) -> Array:
    """The slope of log(level) a day after each of ``origins``, shape (n, origins), as far as it is to be
    believed; ``level`` is known at these origins and lags behind by ``lag`` days, shape (n,).
    """
    slope = _slope(past, origins)
    error = np.clip(past.log_errors(level, origins, REACH), -_JUMP, _JUMP)
    told = (slope * (lag[:, None] + REACH / 2))[:, : error.shape[1]]
    seen = np.isfinite(error)
    both = np.where(seen, told * error, 0.0).sum(axis=1)
    square = np.where(seen, told * told, 0.0).sum(axis=1)
    of_all = np.clip(both.sum() / (square.sum() + _TRUST_PRIOR), 0.0, 1.0)
    trust = np.clip((both + _TRUST_PRIOR * of_all) / (square + _TRUST_PRIOR), 0.0, 1.0)
    return np.asarray(slope * trust[:, None])


def _slope(past: Past, origins: Origins) -> Array:
    """The slope of the last year where all quarters rise or all fall, the least of its parts; 0 elsewhere: a
    jump is in one or two of them alone.
    """
    found = np.zeros((len(past.use), len(origins)))
    old = origins + 1 >= 4 * _QUARTER
    end = origins[old] + 1
    quarters = []
    for k in range(4):
        use, base = past.came(end - (k + 1) * _QUARTER, end - k * _QUARTER)
        quarters.append(np.where(base >= _TOLD, np.log((use + 1.0) / np.maximum(base, 1e-9)), np.nan))
    changes = -np.diff(np.stack(quarters), axis=0)
    # Half-years are steadier, but a jump can lie in both.
    halves = [(changes[0] + changes[1]) / 2, (changes[1] + changes[2]) / 2]
    each = np.stack([*halves, *(_UNEVEN * changes)])
    way = np.where((each > 0).all(axis=0), 1.0, np.where((each < 0).all(axis=0), -1.0, 0.0))
    slope = np.where(way != 0, way * np.abs(each).min(axis=0) / _QUARTER, 0.0)
    found[:, old] = np.clip(slope, -_STEEPEST, _STEEPEST)
    return found
