"""What came in the past, and how far off a forecast of it would have been."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
#: Days at whose end the past is forecast, ascending.
Origins = npt.NDArray[np.int64]

#: Days between origins, how far back they go, and the days before the first one.
ORIGIN_STEP: Final = 14
_ORIGIN_SPAN: Final = 730
_BEFORE: Final = 56
#: The share of the expected use of some days that must lie on days that tell the demand.
_ENOUGH: Final = 0.7


@dataclass(frozen=True)
class Past:
    """Running totals, shape (n, days + 1): entry k is the sum of the days before day k."""

    #: Use, and what a level of 1 would have used, on the days that tell the demand.
    use: Array
    base: Array
    #: What a level of 1 would have used on all days.
    hoped: Array

    @classmethod
    def of(cls, use: Array, factors: Array, told: npt.NDArray[np.bool_]) -> Past:
        """The past of ``use`` with the factors of its days, where ``told``; shape (n, days) each."""
        return cls(_running(use), _running(np.where(told, factors, 0.0)), _running(factors))

    @property
    def days(self) -> int:
        """How many there are."""
        return int(self.use.shape[1]) - 1

    def came(self, begin: Origins, end: Origins) -> tuple[Array, Array]:
        """Use and factors of the days from ``begin`` until before ``end``, shape (n, origins) each."""
        return self.use[:, end] - self.use[:, begin], self.base[:, end] - self.base[:, begin]

    def tells(self, begin: Origins, end: Origins) -> npt.NDArray[np.bool_]:
        """Whether most of the use of these days lies on days that tell the demand, shape (n, origins)."""
        known = self.base[:, end] - self.base[:, begin]
        return np.asarray((known > 0) & (known >= _ENOUGH * (self.hoped[:, end] - self.hoped[:, begin])))

    def log_errors(self, level: Array, origins: Origins, horizon: int) -> Array:
        """log(actual / forecast) of the sum over ``horizon`` days after each origin that has so many, NaN if
        unknown; ``level`` has shape (n, origins).
        """
        whole = origins + horizon < self.days - 1
        begin = origins[whole] + 1
        use, base = self.came(begin, begin + horizon)
        ratio = np.log((use + 0.5) / (level[:, whole] * base + 0.5))
        return np.where(self.tells(begin, begin + horizon), ratio, np.nan)


def origins_of(days: int, horizon: int) -> Origins:
    """The origins of so many days; each leaves ``horizon`` days to be judged by."""
    first = max(days - _ORIGIN_SPAN, _BEFORE)
    return np.arange(days - horizon - 1, first - 1, -ORIGIN_STEP, dtype=np.int64)[::-1]


def _running(values: Array) -> Array:
    return np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
