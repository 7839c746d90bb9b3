"""Which minutiae to compare: ours, or mindtct's, under the same matcher: the work behind `tunggal bench
extractors`.

The extractors differ in nothing but the minutiae: orientation, texture, ridge area and the choice of the best
by quality are the same. For each of them the weights of the score are trained on the other sets. Compared are
whole prints, as the sets hold them, and prints cut to a square of 10 mm, for whole prints of most sets match
so well that they tell extractors hardly apart. Intervals come from drawing fingers anew within each set.
"""

from __future__ import annotations

import functools
import io
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbis
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench import accuracy, datasets
from bench.train_fingerprint import Pairs, best, train
from services.abis.fingerprint import image, minutiae
from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.agreement import FEATURES
from services.abis.fingerprint.extract import Trace, extract_pixels
from services.abis.fingerprint.minutiae import BIFURCATION, ENDING, Minutiae
from services.abis.fingerprint.template import Template, quantised
from services.abis.kernels import F32, U8
from services.common.errors import InvalidArgument

F64 = NDArray[np.float64]
PART = 200
"""Pixels of a side of the cut prints."""
SEED = 5
DRAWS = 500


def own(pixels: U8, seen: Trace) -> Minutiae:
    """The engine's own, from the thinned ridges."""
    found = minutiae.detect(*(seen[name] for name in ("skeleton", "enhanced", "c", "s", "power", "area")))
    return minutiae.best(found, p.MAX_MINUTIAE)


def mindtct_enhanced(pixels: U8, seen: Trace) -> Minutiae:
    """mindtct on the enhanced image, angles from our orientation, which is finer than its own."""
    return _ranked(_mindtct(np.clip(128.0 + 70.0 * seen["enhanced"], 0, 255).astype(np.uint8)), seen)


def mindtct_raw(pixels: U8, seen: Trace) -> Minutiae:
    """mindtct on the image as it is."""
    return _ranked(_mindtct(pixels), seen)


EXTRACTORS: dict[str, Callable[[U8, Trace], Minutiae]] = {
    "own": own,
    "mindtct on the enhanced image": mindtct_enhanced,
    "mindtct on the image": mindtct_raw,
}


@dataclass(frozen=True, eq=False)
class Seen:
    """One print with what all extractors share."""

    sample: datasets.Sample
    pixels: U8
    seen: Trace
    template: Template


class Prints(Pairs):
    """All pairs of prints of one set, with the minutiae of one extractor."""

    def __init__(self, name: str, prints: Sequence[Seen], found: Sequence[Minutiae]) -> None:
        self.name = name
        self.templates = [_with(one.template, points) for one, points in zip(prints, found, strict=True)]
        self.fingers = [one.sample.finger for one in prints]
        self.index = [
            (i, j)
            for i, j in itertools.combinations(range(len(prints)), 2)
            if self.fingers[i] == self.fingers[j] or prints[i].sample.subject != prints[j].sample.subject
        ]
        self.genuine = np.array([self.fingers[i] == self.fingers[j] for i, j in self.index])
        numbers = {finger: k for k, finger in enumerate(dict.fromkeys(self.fingers))}
        self.pairs = np.array([(numbers[self.fingers[i]], numbers[self.fingers[j]]) for i, j in self.index]).T
        """Numbers of the two fingers of each pair, (2, pairs)."""


def run(dirs: Sequence[Path], draws: int = DRAWS) -> dict[str, Any]:
    """Figures of every extractor, on whole and on cut prints.

    Returns
    -------
    {"whole": {extractor: figures}, "part": the same}; figures: eer, fnmr_at_fmr_1e-3 (means of the sets, as
    fractions, each with its 95 % interval), ms (to find the minutiae, without what all share), sets, and, for
    all but the first, how much more it misses than the first (fnmr_more, with its interval). ValueError where
    fewer than two sets are given: one is held out in turn.
    """
    if len(dirs) < 2:
        raise ValueError("Two sets are needed, or there is none to train the weights on.")
    read = {folder.resolve().name: datasets.read(folder) for folder in dirs}
    whole = {name: [one for sample in samples if (one := _see(sample))] for name, samples in read.items()}
    rng = np.random.default_rng(SEED)
    part = {name: [cut for one in prints if (cut := _cut(one, rng))] for name, prints in whole.items()}
    return {"whole": _compare(whole, draws), "part": _compare(part, draws)}


def _compare(sets: dict[str, list[Seen]], draws: int) -> dict[str, Any]:
    report: dict[str, Any] = {}
    baseline: NDArray[np.float64] | None = None
    for name, find in EXTRACTORS.items():
        start = time.perf_counter()
        found = {key: [find(one.pixels, one.seen) for one in prints] for key, prints in sets.items()}
        spent = time.perf_counter() - start
        pairs = [Prints(key, prints, found[key]) for key, prints in sets.items()]
        scores = [_held_out(held, pairs) for held in pairs]
        rates = np.array([_rates(held, score, np.ones(0)) for held, score in zip(pairs, scores, strict=True)])
        drawn = _bootstrap(pairs, scores, draws)
        figures: dict[str, Any] = {
            "ms": 1000 * spent / sum(len(prints) for prints in sets.values()),
            "sets": {
                held.name: {"eer": row[0], "fnmr_at_fmr_1e-3": row[1]}
                for held, row in zip(pairs, rates.tolist(), strict=True)
            },
        }
        for k, key in enumerate(("eer", "fnmr_at_fmr_1e-3")):
            figures[key] = float(rates[:, k].mean())
            figures[f"{key}_interval"] = np.quantile(drawn[:, k], (0.025, 0.975)).tolist()
        if baseline is None:
            baseline = drawn
        else:
            more = drawn[:, 1] - baseline[:, 1]
            figures["fnmr_more"] = figures["fnmr_at_fmr_1e-3"] - report["own"]["fnmr_at_fmr_1e-3"]
            figures["fnmr_more_interval"] = np.quantile(more, (0.025, 0.975)).tolist()
        report[name] = figures
    return report


def _held_out(held: Prints, sets: Sequence[Prints]) -> F64:
    """Scores of a set's pairs under weights trained on the other sets."""
    weights = train([pairs for pairs in sets if pairs is not held], range(len(FEATURES)))
    return np.asarray(weights[0] + best(held.features, weights) @ weights[1:])


def _rates(held: Prints, score: F64, times: F64) -> tuple[float, float]:
    """EER and FNMR at FMR 0.1 %, each finger taken so many times (none given: once)."""
    if times.size:
        i, j = held.pairs
        # A pair of one finger comes with the finger, a pair of two with each choice of both.
        repeats = np.where(held.genuine, times[i], times[i] * times[j]).astype(int)
    else:
        repeats = np.ones(len(score), int)
    genuine = np.repeat(score[held.genuine], repeats[held.genuine])
    curve = accuracy.det(genuine, np.repeat(score[~held.genuine], repeats[~held.genuine]))
    return accuracy.equal_error_rate(curve), accuracy.fnmr_at_fmr(curve, 1e-3)


def _bootstrap(sets: Sequence[Prints], scores: Sequence[F64], draws: int) -> F64:
    """Mean rates over the sets, fingers drawn anew each time: (draws, 2); the same draws in each call."""
    rng = np.random.default_rng(SEED)
    out = np.empty((draws, 2))
    for k in range(draws):
        rates = []
        for held, score in zip(sets, scores, strict=True):
            fingers = len(set(held.fingers))
            times = np.bincount(rng.integers(0, fingers, fingers), minlength=fingers).astype(float)
            rates.append(_rates(held, score, times))
        out[k] = np.mean(rates, axis=0)
    return out


def _see(sample: datasets.Sample) -> Seen | None:
    try:
        return _seen(sample, image.decode(sample.path.read_bytes(), sample.dpi))
    except InvalidArgument:
        return None


def _cut(one: Seen, rng: np.random.Generator) -> Seen | None:
    """A square of the print around some place near the middle of its ridges."""
    i, j = np.nonzero(one.seen["area"])
    middle = np.array([np.median(i), np.median(j)]) * p.BLOCK + rng.normal(0, 20, 2)
    top, left = (
        int(np.clip(at - PART / 2, 0, max(side - PART, 0)))
        for at, side in zip(middle, one.pixels.shape, strict=True)
    )
    try:
        return _seen(one.sample, np.ascontiguousarray(one.pixels[top : top + PART, left : left + PART]))
    except InvalidArgument:
        return None


def _seen(sample: datasets.Sample, pixels: U8) -> Seen:
    seen: Trace = {}
    return Seen(sample, pixels, seen, extract_pixels(pixels, trace=seen))


def _with(template: Template, found: Minutiae) -> Template:
    points = np.column_stack([found.x, found.y, found.angle, found.quality]).astype(np.float32)
    return quantised(replace(template, points=points, kind=found.kind.copy()))


@functools.cache
def _extractor() -> nbis.NbisExtractor:
    return nbis.new_nbis_extractor(
        nbis.NbisExtractorSettings(
            min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=float(p.DPI)
        )
    )


def _mindtct(grey: U8) -> Minutiae:
    """mindtct's minutiae of grey values, with its own angles (steps of 11.25°) and no quality."""
    encoded = io.BytesIO()
    Image.fromarray(grey).save(encoded, "PNG", compress_level=0)
    found = _extractor().extract_minutiae(encoded.getvalue()).get()
    x, y, angle = (
        np.array(values, np.float32)
        for values in (
            [m.x() for m in found],
            [m.y() for m in found],
            [np.radians(m.angle()) for m in found],
        )
    )
    ending = [m.kind() == nbis.MinutiaKind.RIDGE_ENDING for m in found]
    kind = np.where(ending, ENDING, BIFURCATION).astype(np.uint8)
    return Minutiae(x, y, np.mod(angle, 2 * np.pi), kind, np.ones_like(x))


def _ranked(found: Minutiae, seen: Trace) -> Minutiae:
    """The best of them by ridge power, away from the border, turned to the nearest ridge orientation."""

    def at(name: str) -> F32:
        return minutiae.read_grid(found.x, found.y, seen[name])

    theta = 0.5 * np.arctan2(at("s"), at("c"))
    turn = np.mod(theta - found.angle + np.pi / 2, np.pi) - np.pi / 2
    angle = np.where(np.abs(turn) < np.pi / 6, found.angle + turn, found.angle)
    border = minutiae.border_distance(found.x, found.y, seen["area"].astype(np.uint8), minutiae.FAR)
    quality = np.where(border > p.BORDER, np.clip(at("power"), 0.0, 1.0), 0.0).astype(np.float32)
    turned = np.mod(angle, 2 * np.pi).astype(np.float32)
    return minutiae.best(Minutiae(found.x, found.y, turned, found.kind, quality), p.MAX_MINUTIAE)
