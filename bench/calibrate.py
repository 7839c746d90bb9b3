"""From comparisons whose truth is known to a calibration: the work behind `tunggal bench calibrate`.

Sets that weights and codes were trained on are compared under those trained on the other sets. Score to
log-likelihood ratio: logistic regression, both kinds of pairs weighing the same. Tail: excesses over a high
quantile follow a generalised Pareto distribution (Pickands 1975), fitted by probability-weighted moments
(Hosking and Wallis 1987) and never taken to fall faster than exponentially. Several fingers: their scores add
up as fusion adds them, so the distribution of one is convolved with itself; fingers of one person are taken
as independent. Intervals: the fingers are drawn again with replacement.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import datasets, logistic
from bench.codes import held_out
from bench.matchers import Tunggal
from services.abis import drift, fusion
from services.abis.calibration import MOST_FINGERS, VERSION, Calibration, Histogram, Stage, Tail, engine
from services.abis.finger import UNKNOWN, Finger
from services.abis.fingerprint import score
from services.abis.fingerprint.compare import compare
from services.abis.search import codes, crossed

F64 = NDArray[np.float64]
QUANTILE = 0.95
"""Impostor scores above this quantile are the tail."""
REPLICATES = 60
STEP, TOP = 0.05, 60.0
"""Grid of scores on which distributions are added up; what lies above TOP is taken as TOP."""
EXPONENTS = tuple(-k / 2 for k in range(2, 29))
"""Chances in the tables: 0.1 to 1e-14 by half decades."""
BINS = 12
METHOD = (
    "score to LLR: logistic regression, balanced; tail: generalised Pareto above the 95 % quantile, "
    "probability-weighted moments, shape >= 0; several fingers: convolution of bounded scores, taken as "
    "independent; intervals: bootstrap over fingers"
)


class Scores:
    """All comparisons of some sets.

    llr, local, codes: (n) final, LSSR and first-stage scores (all codes). genuine: (n). first, second: (n)
    numbers of the fingers compared. quality: of every template.
    """

    def __init__(self, dirs: Sequence[Path]) -> None:
        rows: list[tuple[float, float, int, bool, int, int]] = []
        books = held_out()
        quality: list[float] = []
        self.data: dict[str, str] = {}
        offset = 0
        for folder in dirs:
            name, samples = folder.resolve().name, datasets.read(folder)
            self.data[name] = digest(samples, folder)
            matcher = Tunggal(weights := score.held_out(name))
            fingers = dict.fromkeys(s.finger for s in samples)
            numbers = {finger: offset + k for k, finger in enumerate(fingers)}
            offset += len(numbers)
            kept = [(s, template) for s in samples if (template := matcher.extract(s)) is not None]
            quality += [drift.quality(template) for _, template in kept]
            book = books.get(name, codes.default())
            probes = [Finger(UNKNOWN, template) for _, template in kept]
            alike = crossed.code_scores(probes, [codes.encode(t, book) for _, t in kept], book)
            for (i, (a, one)), (j, (b, other)) in itertools.combinations(enumerate(kept), 2):
                if a.finger != b.finger and a.subject == b.subject:
                    continue
                found = compare(one, other, weights)
                scores = found.score, float(found.features[0]), int(alike[i, j])
                rows.append((*scores, a.finger == b.finger, numbers[a.finger], numbers[b.finger]))
        if not any(row[3] for row in rows) or all(row[3] for row in rows):
            raise ValueError("A calibration needs pairs of both kinds.")
        llr, local, short, genuine, first, second = zip(*rows, strict=True)
        self.llr, self.local, self.codes = np.array(llr), np.array(local), np.array(short, np.float64)
        self.genuine = np.array(genuine)
        self.first, self.second = np.array(first), np.array(second)
        self.fingers = offset
        self.quality = np.array(quality)


def digest(samples: Sequence[datasets.Sample], folder: Path) -> str:
    """SHA-256 over the manifest and the images of a set, in the order of the manifest."""
    total = hashlib.sha256((folder / "manifest.csv").read_bytes())
    for sample in samples:
        total.update(hashlib.sha256(sample.path.read_bytes()).digest())
    return total.hexdigest()


def pareto(values: F64) -> tuple[float, float, float]:
    """Level (the QUANTILE), shape >= 0 and scale of the excesses of scores over it."""
    level = float(np.quantile(values, QUANTILE))
    excess = np.sort(values[values > level] - level)
    if excess.size < 5:
        raise ValueError("Too few impostor scores for a tail: give more sets.")
    position = (np.arange(1, excess.size + 1) - 0.35) / excess.size
    mean, weighted = float(excess.mean()), float((excess * (1.0 - position)).mean())
    shape = max(2.0 - mean / (mean - 2.0 * weighted), 0.0)
    return level, shape, mean * (1.0 - min(shape, 0.9))


def one_finger(values: F64) -> F64:
    """Chance of each step of the grid from the least bounded score up: as seen below the level, as the
    Pareto tail has it above. Scores are rounded up, so that chances of high ones are never too small.
    """
    level, shape, scale = pareto(values)
    edges = np.arange(math.log(fusion.OUTLIER), TOP + STEP, STEP)
    body = np.searchsorted(np.sort(values), edges, "right") / values.size
    excess = np.maximum(edges - level, 0.0) / scale
    beyond = np.exp(-excess) if shape < 1e-9 else (1.0 + shape * excess) ** (-1.0 / shape)
    above = np.where(edges < level, 1.0 - body, (1.0 - QUANTILE) * beyond)
    above[-1] = 0.0
    return -np.diff(above, prepend=1.0)


def tables(impostor: F64) -> F64:
    """Fused scores that impostors reach with the chances of EXPONENTS, (MOST_FINGERS, exponents)."""
    one = one_finger(fusion.bounded(impostor))
    least = math.log(fusion.OUTLIER)
    out = np.empty((MOST_FINGERS, len(EXPONENTS)))
    fused = one
    for count in range(1, MOST_FINGERS + 1):
        if count > 1:
            fused = np.convolve(fused, one)
        # Summed from the top, so that tiny chances keep their digits.
        above = np.cumsum(fused[::-1])[::-1]
        logarithm = np.log10(np.maximum(above, 1e-300))
        steps = np.interp([-e for e in EXPONENTS], -logarithm, np.arange(fused.size))
        out[count - 1] = count * least + steps * STEP
    return out


def histogram(values: F64) -> Histogram:
    """Shares between quantiles, so that no bin is rare."""
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    counts = np.bincount(np.searchsorted(edges, values, "right"), minlength=edges.size + 1)
    return Histogram(tuple(edges.tolist()), tuple((counts / counts.sum()).tolist()))


def stage(values: F64, genuine: NDArray[np.bool_], *, logarithm: bool) -> Stage:
    """Logistic map of a stage's scores to log-likelihood ratios."""
    used = np.log(np.maximum(values, 1e-6)) if logarithm else values
    offset, factor = logistic.fit(used[:, None], genuine, 1e-6)
    return Stage(float(offset), float(factor), logarithm)


def run(dirs: Sequence[Path], made_on: str, seed: int = 1) -> Calibration:
    """Compare all pairs of the sets and calibrate on them."""
    scores = Scores(dirs)
    rng = np.random.default_rng(seed)
    impostor = scores.llr[~scores.genuine]
    first, second = scores.first[~scores.genuine], scores.second[~scores.genuine]
    replicates = []
    for _ in range(REPLICATES):
        times = np.bincount(rng.integers(0, scores.fingers, scores.fingers), minlength=scores.fingers)
        replicates.append(tables(np.repeat(impostor, times[first] * times[second])))
    estimate = tables(impostor)
    low, high = np.quantile(replicates, (0.025, 0.975), axis=0)
    # What was seen of several fingers: no more than the highest of one, with impostors beside it.
    seen = float(fusion.bounded(impostor).max())
    usual = float(np.median(fusion.bounded(impostor)))
    return Calibration(
        version=VERSION,
        engine=engine(),
        codebook=codes.recipe(codes.default()),
        made_on=made_on,
        seed=seed,
        data=scores.data,
        comparisons={"genuine": int(scores.genuine.sum()), "impostor": int(impostor.size)},
        method=METHOD,
        stages={
            "codes": stage(scores.codes, scores.genuine, logarithm=False),
            "lssr": stage(scores.local, scores.genuine, logarithm=True),
            "verification": stage(fusion.bounded(scores.llr), scores.genuine, logarithm=False),
        },
        tails={
            count: Tail(
                EXPONENTS,
                _rounded(estimate[count - 1]),
                _rounded(low[count - 1]),
                _rounded(high[count - 1]),
                round(seen + (count - 1) * usual, 3),
            )
            for count in range(1, MOST_FINGERS + 1)
        },
        impostors=histogram(impostor),
        genuine=histogram(scores.llr[scores.genuine]),
        quality=histogram(scores.quality),
        codes=histogram(scores.codes[~scores.genuine]),
    )


def _rounded(values: F64) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in values)
