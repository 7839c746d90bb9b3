"""How the forecast does in worlds that it was not built on, beside the simplest rivals.

    python -m bench.forecast_heldout --seeds 101 112 --exam --json FILE

Seeds up to 100 are for making the model, those above for judging it.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from bench.forecast_worlds import AHEAD, EXAM, WORLDS, World
from services.inventory.planning import demand
from services.inventory.planning.calendar import DayKind, Days

Array = npt.NDArray[np.float64]
#: From what is seen of the past to use summed up to each day ahead: 10 %, expected, 90 %.
Method = Callable[[Array, Array, Days, Days], tuple[Array, Array, Array]]
_LOW, _HIGH = 0.1, 0.9
_SPREAD: Final = 1.2816
#: What the simple methods are given where there is no past to judge them by.
_UNKNOWN: Final = 0.25


@dataclass(frozen=True)
class Figures:
    """Of one method in one world; shares of the sum, except where said otherwise."""

    world: str
    method: str
    mase: float
    bias_28: float
    bias_84: float
    error_28: float
    error_84: float
    pinball_28: float
    pinball_84: float
    coverage_28: float
    coverage_84: float
    dry_days_off: float
    dry_coverage: float
    #: Length of the interval of the run-dry date as a share of the days until then.
    dry_width: float


def tunggal(known: Array, used: Array, past: Days, ahead: Days) -> tuple[Array, Array, Array]:
    """The model."""
    model = demand.fit(known, past, used)
    return model.sums(ahead, _LOW), model.sums(ahead), model.sums(ahead, _HIGH)


def week_before(known: Array, used: Array, past: Days, ahead: Days) -> tuple[Array, Array, Array]:
    """Seasonal naive."""
    return _with_bands(_week_before, known, past, ahead)


def last_28_days(known: Array, used: Array, past: Days, ahead: Days) -> tuple[Array, Array, Array]:
    """The mean of the working days among the last 28, for each working day."""
    return _with_bands(_last_28_days, known, past, ahead)


def _week_before(known: Array, past: Days, ahead: Days) -> Array:
    filled = known.copy()
    for day in range(filled.shape[1]):
        gap = np.isnan(filled[:, day])
        filled[gap, day] = filled[gap, day - 7] if day >= 7 else 0.0
    last = filled[:, -7:]
    return np.tile(np.pad(last, ((0, 0), (7 - last.shape[1], 0)), "edge"), (1, -(-len(ahead) // 7)))[
        :, : len(ahead)
    ]


def _last_28_days(known: Array, past: Days, ahead: Days) -> Array:
    part, worked = known[:, -28:], past.kinds[-28:] <= DayKind.FRIDAY
    seen = np.isfinite(part)
    mean = np.where(seen, part, 0).sum(axis=1) / np.maximum((seen & worked).sum(axis=1), 1)
    return np.asarray(mean[:, None] * (ahead.kinds <= DayKind.FRIDAY))


def _with_bands(
    method: Callable[[Array, Days, Days], Array], known: Array, past: Days, ahead: Days
) -> tuple[Array, Array, Array]:
    """Intervals from how wrong it was before: split conformal over all series (Lei and others 2018)."""
    length, days = known.shape[1], len(ahead)
    middle = np.cumsum(method(known, past, ahead), axis=1)
    ratios = []
    for at in range(length - days, max(length - 400, 60), -28):
        said = np.cumsum(method(known[:, :at], past[:at], past[at : at + days]), axis=1)
        came = np.cumsum(
            np.where(np.isnan(known[:, at : at + days]), np.nan, known[:, at : at + days]), axis=1
        )
        ratios.append((came + 0.5) / (said + 0.5))
    if ratios:
        low, high = np.nanquantile(np.concatenate(ratios), [_LOW, _HIGH], axis=0)
    else:
        low, high = np.exp(-_SPREAD * _UNKNOWN), np.exp(_SPREAD * _UNKNOWN)
    return middle * low, middle, middle * high


METHODS: Final[dict[str, Method]] = {
    "week before": week_before,
    "last 28 days": last_28_days,
    "tunggal": tunggal,
}


def judge(name: str, make: Callable[[np.random.Generator], World], seeds: Sequence[int]) -> list[Figures]:
    """The figures of all methods in one world."""
    rows: dict[str, list[dict[str, Array]]] = {method: [] for method in METHODS}
    for seed in seeds:
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        world = make(rng)
        past = world.known.shape[1]
        ahead, part = world.days[past : past + AHEAD], slice(world.judged)
        truth = world.asked[part, past : past + AHEAD]
        shelf = np.maximum(rng.uniform(5, 60, len(truth)) * truth.mean(axis=1), 1.0)
        scale = np.maximum(np.abs(world.asked[part, 7:] - world.asked[part, :-7]).mean(axis=1), 0.05)
        for method, forecast in METHODS.items():
            bands = forecast(world.known, world.used, world.days[:past], ahead)
            rows[method].append(_scores(truth, [band[part] for band in bands], shelf, scale))
    return [_figures(name, method, scores) for method, scores in rows.items()]


def _scores(truth: Array, bands: Sequence[Array], shelf: Array, scale: Array) -> dict[str, Array]:
    low, middle, high = bands
    came = np.cumsum(truth, axis=1)
    path = np.diff(middle, axis=1, prepend=0.0)
    found: dict[str, Array] = {"mase": np.abs(path - truth).mean(axis=1) / scale}
    for days in (28, 84):
        at = days - 1
        real, unit = came[:, at], np.maximum(came[:, at], 1.0)
        # Each place weighs alike, however small.
        found[f"bias_{days}"] = (middle[:, at] - real) / np.maximum(unit, middle[:, at])
        found[f"error_{days}"] = np.abs(middle[:, at] - real) / unit
        loss = [
            np.maximum(q * (real - band[:, at]), (q - 1) * (real - band[:, at]))
            for q, band in ((_LOW, low), (0.5, middle), (_HIGH, high))
        ]
        found[f"pinball_{days}"] = np.mean(loss, axis=0) / unit
        found[f"coverage_{days}"] = ((low[:, at] <= real) & (real <= high[:, at])).astype(float)
    real_day, early, dry, late = (_first_day(sums, shelf) for sums in (came, high, middle, low))
    found["dry_days_off"] = np.abs(dry - real_day)
    found["dry_coverage"] = ((early <= real_day) & (real_day <= late)).astype(float)
    found["dry_width"] = (late - early) / np.maximum(real_day, 1)
    return found


def _first_day(sums: Array, shelf: Array) -> Array:
    reached = sums >= shelf[:, None]
    return np.asarray(np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, sums.shape[1] + 1.0))


def _figures(world: str, method: str, scores: Sequence[dict[str, Array]]) -> Figures:
    mean = {key: round(float(np.concatenate([each[key] for each in scores]).mean()), 5) for key in scores[0]}
    return Figures(world, method, **mean)


def main() -> None:
    """Print the figures and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs=2, default=(1, 8), metavar=("FIRST", "LAST"))
    parser.add_argument("--exam", action="store_true", help="only the worlds that nobody looked at")
    parser.add_argument("--method", help="only this one")
    parser.add_argument("--world", help="only this one")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = []
    for name, make in (EXAM if arguments.exam else WORLDS).items():
        if arguments.world not in {None, name}:
            continue
        for row in judge(name, make, range(arguments.seeds[0], arguments.seeds[1] + 1)):
            if arguments.method in {None, row.method}:
                found.append(asdict(row))
                print(
                    "  ".join(
                        f"{value:<12}" if isinstance(value, str) else f"{value:7.3f}"
                        for value in found[-1].values()
                    )
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
