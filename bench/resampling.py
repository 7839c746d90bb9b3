"""What chance does to the figures of a set, and what several fingers together would give.

The pairs of one finger stand or fall together, so intervals come from drawing fingers, not pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import accuracy
from bench.outcome import Outcome
from services.abis import fusion

F64 = NDArray[np.float64]
SEED = 1
REPLICATES = 200
DRAWS = 100_000
"""Virtual persons drawn, for mated and for other comparisons."""
NOTE = (
    "virtual persons: fingers of different people of the given sets, drawn with seed 1; scores taken as "
    "independent, so the quality of one person's fingers does not vary together as it would: optimistic"
)
Columns = tuple[F64, NDArray[np.bool_], NDArray[np.intp]]


def columns(outcome: Outcome) -> Columns:
    """Scores (n), genuine (n) and the numbers of the two fingers (n, 2)."""
    scores = np.array([value for _, _, _, value in outcome.rows], np.float64)
    genuine = np.array([mated for _, _, mated, _ in outcome.rows], np.bool_)
    return scores, genuine, np.array(outcome.fingers, np.intp).reshape(-1, 2)


def intervals(outcomes: Sequence[Outcome]) -> dict[str, dict[str, list[float]]]:
    """Intervals that hold EER and FNMR at FMR 0.1 % with 95 %, of each set and of their mean ("mean")."""
    rng = np.random.default_rng(SEED)
    rates = np.array([[_again(columns(one), rng) for _ in range(REPLICATES)] for one in outcomes])
    names = [outcome.name for outcome in outcomes]
    out = {}
    for name, values in zip([*names, "mean"], [*rates, rates.mean(axis=0)], strict=True):
        low, high = np.quantile(values, (0.025, 0.975), axis=0)
        out[name] = {
            key: [float(low[k]), float(high[k])] for k, key in enumerate(("eer", "fnmr_at_fmr_1e-3"))
        }
    return out


def _again(measured: Columns, rng: np.random.Generator) -> tuple[float, float]:
    """EER and FNMR at FMR 0.1 % on fingers drawn with replacement."""
    scores, genuine, fingers = measured
    count = int(fingers.max()) + 1
    while True:
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        mated = np.repeat(scores[genuine], times[fingers[genuine, 0]])
        other = np.repeat(scores[~genuine], times[fingers[~genuine]].prod(axis=1))
        # One finger drawn every time leaves nobody to tell it from.
        if mated.size and other.size:
            curve = accuracy.det(mated, other)
            return accuracy.equal_error_rate(curve), accuracy.fnmr_at_fmr(curve, 1e-3)


def fused(outcomes: Sequence[Outcome], count: int) -> dict[str, Any]:
    """Error rates of `count` fingers of one person fused as the service fuses them.

    None for every rate where the sets have fewer fingers with genuine pairs than that.
    """
    rng = np.random.default_rng(SEED)
    mated: list[F64] = []
    others: list[F64] = []
    for outcome in outcomes:
        scores, genuine, fingers = columns(outcome)
        values = fusion.bounded(scores)
        owners = fingers[genuine, 0]
        mated += [values[genuine][owners == finger] for finger in np.unique(owners)]
        others.append(values[~genuine])
    rates: dict[str, Any] = dict.fromkeys(("eer", "fnmr_at_fmr_1e-3", "fnmr_at_fmr_1e-4"))
    if len(mated) >= count:
        # Different fingers for each virtual person, and one genuine pair of each.
        chosen = rng.random((DRAWS, len(mated))).argpartition(count - 1, axis=1)[:, :count]
        sizes = np.array([scores.size for scores in mated])
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        rows = first[chosen] + (rng.random((DRAWS, count)) * sizes[chosen]).astype(np.intp)
        genuine_sums = np.concatenate(mated)[rows].sum(axis=1)
        other_sums = rng.choice(np.concatenate(others), (DRAWS, count)).sum(axis=1)
        curve = accuracy.det(genuine_sums, other_sums)
        rates = {
            "eer": accuracy.equal_error_rate(curve),
            "fnmr_at_fmr_1e-3": accuracy.fnmr_at_fmr(curve, 1e-3),
            "fnmr_at_fmr_1e-4": accuracy.fnmr_at_fmr(curve, 1e-4),
        }
    return {"fingers": count, **rates, "virtual_persons": DRAWS, "note": NOTE}
