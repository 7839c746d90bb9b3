"""Which forecast of the use of blanks is worth its place: rolling origins, the same for every method.

    python -m bench.forecast_backtest --series 514 --json FILE
    python -m bench.forecast_backtest --series 60 --library     # needs statsforecast, which is in no extra

Each method sees the past of an origin and nothing else, and says what the next 84 days will use. Half of the
origins calibrate the intervals of methods that bring none of their own; all figures are of the other half.
Days with an empty shelf are hidden from every method; the truth is what was asked for.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.inventory_history import History, synthetic
from services.inventory.planning import demand
from services.inventory.planning.calendar import DayKind, Days

Array = npt.NDArray[np.float64]
#: From the past and its days' kinds to the expected use of the days to come.
Method = Callable[[Array, Days, Days], Array]

HORIZON: Final = 84
ORIGINS: Final = 12
STEP: Final = 28
QUANTILES: Final = (0.1, 0.5, 0.9)
SUMS: Final = (28, 84)


@dataclass(frozen=True)
class Figures:
    """How well one method did over all series and judged origins."""

    method: str
    #: Mean absolute error of a day over that of "as a week ago" in the past (Hyndman and Koehler 2006).
    mase: float
    #: Absolute error of the sum over 28 and 84 days as a share of the sum.
    error_28: float
    error_84: float
    #: Pinball loss at 10, 50 and 90 % of those sums, as a share of the sum.
    pinball_28: float
    pinball_84: float
    #: Share of sums inside of the 80 % interval.
    coverage_28: float
    coverage_84: float
    #: A shelf filled for exactly 42 days: absolute error of the run-dry date, and the share inside of the
    #: interval.
    run_dry_error_days: float
    run_dry_coverage: float
    #: Seconds for one forecast of all series.
    seconds: float


def as_a_week_ago(past: Array, past_days: Days, ahead: Days) -> Array:
    """Seasonal naive: each day as the last such weekday that is known."""
    filled = _filled(past)
    return np.tile(filled[:, -7:], (1, -(-len(ahead) // 7)))[:, : len(ahead)]


def rolling_median(past: Array, past_days: Days, ahead: Days) -> Array:
    """The median of the last eight days of the same kind."""
    path = np.zeros((len(past), len(ahead)))
    for kind in DayKind:
        same = past[:, past_days.kinds == kind][:, -8:]
        if same.shape[1] and (ahead.kinds == kind).any():
            unknown = np.isnan(same).all(axis=1, keepdims=True)
            middle = np.nanmedian(np.where(unknown, 0.0, same), axis=1)
            path[:, ahead.kinds == kind] = middle[:, None]
    return path


def rolling_mean(past: Array, past_days: Days, ahead: Days) -> Array:
    """The mean of the last eight days of the same kind."""
    path = np.zeros((len(past), len(ahead)))
    for kind in DayKind:
        same = past[:, past_days.kinds == kind][:, -8:]
        known = np.isfinite(same)
        if same.shape[1] and (ahead.kinds == kind).any():
            mean = np.where(known, same, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
            path[:, ahead.kinds == kind] = mean[:, None]
    return path


def ours(past: Array, past_days: Days, ahead: Days) -> Array:
    """``services.inventory.planning.demand``."""
    return demand.fit(past, past_days).path(ahead)


def library(name: str) -> Method:
    """A model of statsforecast on the working days alone, with a season of five: it knows no holidays."""
    # In no extra: it was weighed and found too light.
    pd: Any = importlib.import_module("pandas")
    models: Any = importlib.import_module("statsforecast.models")
    forecaster: Any = importlib.import_module("statsforecast").StatsForecast

    makers: dict[str, Callable[[], Any]] = {
        "statsforecast AutoETS": lambda: models.AutoETS(season_length=5),
        "statsforecast AutoTheta": lambda: models.AutoTheta(season_length=5),
        "statsforecast MSTL": lambda: models.MSTL(season_length=[5, 245]),
    }

    def method(past: Array, past_days: Days, ahead: Days) -> Array:
        worked, to_come = past_days.kinds <= DayKind.FRIDAY, ahead.kinds <= DayKind.FRIDAY
        values = _filled(past)[:, worked]
        rows, days = values.shape
        frame = pd.DataFrame(
            {
                "unique_id": np.repeat(np.arange(rows), days),
                "ds": np.tile(np.arange(days), rows),
                "y": values.ravel(),
            }
        )
        model = forecaster(models=[makers[name]()], freq=1, n_jobs=1)
        out = model.forecast(df=frame, h=int(to_come.sum()))
        path = np.zeros((rows, len(ahead)))
        path[:, to_come] = out.sort_values(["unique_id", "ds"]).iloc[:, -1].to_numpy().reshape(rows, -1)
        # What the library is not told, the weekend's share, comes from the past.
        share = np.nansum(past[:, ~worked], axis=1) / np.maximum(np.isfinite(past[:, ~worked]).sum(axis=1), 1)
        path[:, ~to_come] = share[:, None]
        return np.maximum(path, 0.0)

    return method


def _filled(past: Array) -> Array:
    """Unknown days as a week before them."""
    filled = past.copy()
    for day in range(filled.shape[1]):
        gap = np.isnan(filled[:, day])
        filled[gap, day] = filled[gap, day - 7] if day >= 7 else 0.0
    return filled


def judge(name: str, method: Method, history: History) -> Figures:
    """The figures of one method."""
    last = history.days - HORIZON
    origins = [last - STEP * k for k in range(ORIGINS)][::-1]
    truth = np.stack([history.demand[:, at : at + HORIZON] for at in origins])
    started = time.perf_counter()
    paths = np.stack(
        [
            method(history.used[:, :at], history.calendar[:at], history.calendar[at : at + HORIZON])
            for at in origins
        ]
    )
    seconds = (time.perf_counter() - started) / len(origins)
    judged = slice(ORIGINS // 2, None)
    if method is ours:
        bands = np.stack([_own_bands(history, at) for at in origins[judged]])
    else:
        bands = _calibrated(paths[: ORIGINS // 2], truth[: ORIGINS // 2], paths[judged])
    return _figures(name, history, paths[judged], truth[judged], bands, seconds)


def _own_bands(history: History, at: int) -> Array:
    model = demand.fit(history.used[:, :at], history.calendar[:at])
    ahead = history.calendar[at : at + HORIZON]
    return np.stack([model.sums(ahead, quantile) for quantile in QUANTILES])


def _calibrated(past_paths: Array, past_truth: Array, paths: Array) -> Array:
    """Quantiles of sums from the ratios that the calibrating origins had at each number of days."""
    foretold, came = np.cumsum(past_paths, axis=2), np.cumsum(past_truth, axis=2)
    ratio = ((came + 0.5) / (foretold + 0.5)).reshape(-1, HORIZON)
    factor = np.quantile(ratio, QUANTILES, axis=0)
    sums = np.cumsum(paths, axis=2)
    return np.asarray(sums[:, None] * factor[None, :, None, :])


def _figures(
    name: str, history: History, paths: Array, truth: Array, bands: Array, seconds: float
) -> Figures:
    scale = np.nanmean(np.abs(history.used[:, 7:] - history.used[:, :-7]), axis=1)
    mase = float(np.mean(np.abs(paths - truth).mean(axis=(0, 2)) / np.maximum(scale, 1e-9)))
    came = np.cumsum(truth, axis=2)
    errors, losses, inside = {}, {}, {}
    for days in SUMS:
        actual = came[:, :, days - 1]
        middle = np.cumsum(paths, axis=2)[:, :, days - 1]
        errors[days] = float(np.abs(middle - actual).sum() / actual.sum())
        low_mid_high = bands[:, :, :, days - 1]
        loss = [
            np.maximum(q * (actual - low_mid_high[:, k]), (q - 1) * (actual - low_mid_high[:, k])).sum()
            for k, q in enumerate(QUANTILES)
        ]
        losses[days] = float(np.mean(loss) / actual.sum())
        inside[days] = float(np.mean((actual >= low_mid_high[:, 0]) & (actual <= low_mid_high[:, 2])))
    shelf = came[:, :, 41]
    dry = np.stack([_first_day(bands[:, k], shelf) for k in range(len(QUANTILES))])
    real = _first_day(came, shelf)
    return Figures(
        name,
        mase=round(mase, 3),
        error_28=round(errors[28], 4),
        error_84=round(errors[84], 4),
        pinball_28=round(losses[28], 4),
        pinball_84=round(losses[84], 4),
        coverage_28=round(inside[28], 3),
        coverage_84=round(inside[84], 3),
        run_dry_error_days=round(float(np.abs(dry[1] - real).mean()), 2),
        run_dry_coverage=round(float(np.mean((dry[2] <= real) & (real <= dry[0]))), 3),
        seconds=round(seconds, 3),
    )


def _first_day(sums: Array, shelf: Array) -> npt.NDArray[np.int64]:
    """Days until ``sums`` reach the shelf, HORIZON + 1 where they never do."""
    reached = sums >= np.maximum(shelf, 1.0)[..., None]
    return np.where(reached.any(axis=-1), reached.argmax(axis=-1) + 1, HORIZON + 1)


def run(series: int, seed: int, with_library: bool) -> dict[str, Any]:
    """All figures, as the JSON file has them."""
    history = synthetic(seed, limit=series)
    methods: dict[str, Method] = {
        "as a week ago": as_a_week_ago,
        "rolling median by kind of day": rolling_median,
        "rolling mean by kind of day": rolling_mean,
        "tunggal": ours,
    }
    if with_library:
        for name in ("statsforecast AutoETS", "statsforecast AutoTheta", "statsforecast MSTL"):
            methods[name] = library(name)
    figures = [asdict(judge(name, method, history)) for name, method in methods.items()]
    return {"series": series, "seed": seed, "days": history.days, "origins": ORIGINS // 2, "methods": figures}


def main() -> None:
    """Print the figures and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--series", type=int, default=514)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--library", action="store_true", help="compare with statsforecast, too")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    report = run(arguments.series, arguments.seed, arguments.library)
    for row in report["methods"]:
        print("  ".join(f"{key}={value}" for key, value in row.items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
