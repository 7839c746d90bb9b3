"""How well a quality score foretells errors, ours beside NFIQ 2: the work behind `tunggal bench quality`.

Error versus discard (Grother and Tabassi 2007, ISO/IEC 29794-1): the threshold stays where one impostor pair
in a thousand matches, and the genuine pairs whose worse print has the lowest quality are taken out, more and
more of them. With a good score the errors go first.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench import accuracy, datasets
from services.abis.fingerprint import image, nfiq2, score
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract_pixels
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.common.errors import InvalidArgument

F64 = NDArray[np.float64]
MEASURES = ("own", "nfiq2")
SHARES = np.linspace(0.0, 0.5, 51)
FMR = 1e-3


def run(dirs: Sequence[Path], json_path: Path | None = None, plot: Path | None = None) -> dict[str, Any]:
    """Error versus discard of every set and of all together.

    Returns
    -------
    {"discarded": shares, "sets": [{"set", "pairs", "missed", "failures_to_extract", "ungraded", measure:
    {"fnmr": one a share, "area": their mean, "rank_correlation"}}], "all": the same of all pairs, each set at
    its own threshold}. A print that NFIQ 2 cannot grade counts as the worst. ValueError where a folder is no
    set or has no pair of either kind.
    """
    measured = [(folder.resolve().name, *_pairs(folder)) for folder in dirs]
    report: dict[str, Any] = {"discarded": SHARES.tolist(), "sets": []}
    for name, pairs, failures, ungraded in measured:
        report["sets"].append({"set": name, **_figures(pairs, failures, ungraded)})
    together = np.concatenate([pairs for _, pairs, _, _ in measured])
    report["all"] = _figures(together, sum(m[2] for m in measured), sum(m[3] for m in measured))
    if json_path is not None:
        json_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if plot is not None:
        _plot(plot, report)
    return report


def discarded(missed: NDArray[np.bool_], quality: F64) -> F64:
    """FNMR of the pairs that are left when those of the lowest quality are gone, for each of SHARES."""
    order = np.argsort(quality, kind="stable")
    return np.array([missed[order[int(share * missed.size) :]].mean() for share in SHARES])


def _pairs(folder: Path) -> tuple[F64, int, int]:
    """Genuine pairs of a set, (n, 2 + measures): missed, rank of the score, and the worse quality by each
    measure; failures to extract, prints that NFIQ 2 cannot grade.
    """
    samples = datasets.read(folder)
    weights = score.held_out(folder.resolve().name)
    prints: list[tuple[datasets.Sample, Any, tuple[float, ...]]] = []
    failures = 0
    for sample in samples:
        try:
            pixels = image.decode(sample.path.read_bytes(), sample.dpi)
            template = extract_pixels(pixels)
        except InvalidArgument:
            failures += 1
            continue
        graded = nfiq2.score(pixels)
        prints.append((sample, template, (template.quality, -1.0 if graded is None else float(graded))))
    genuine: list[tuple[float, ...]] = []
    impostor: list[float] = []
    for (one, a, p), (other, b, q) in itertools.combinations(prints, 2):
        if one.finger != other.finger and one.subject == other.subject:
            continue
        enough = min(len(a), len(b)) >= MIN_MINUTIAE
        value = compare(a, b, weights).score if enough else -np.inf
        if one.finger == other.finger:
            genuine.append((value, *(min(worse) for worse in zip(p, q, strict=True))))
        else:
            impostor.append(value)
    table = np.array(genuine, np.float64).reshape(-1, 1 + len(MEASURES))
    curve = accuracy.det(table[:, 0], impostor)
    threshold = curve.thresholds[curve.fmr <= FMR].min()
    ranks = stats.rankdata(table[:, 0]) / len(table)
    missed = (table[:, 0] < threshold).astype(np.float64)
    return np.column_stack([missed, ranks, table[:, 1:]]), failures, sum(p[2][1] < 0 for p in prints)


def _figures(pairs: F64, failures: int, ungraded: int) -> dict[str, Any]:
    out: dict[str, Any] = {
        "pairs": len(pairs),
        "missed": int(pairs[:, 0].sum()),
        "failures_to_extract": failures,
        "ungraded": ungraded,
    }
    for k, name in enumerate(MEASURES):
        fnmr = discarded(pairs[:, 0] > 0, pairs[:, 2 + k])
        out[name] = {
            "fnmr": fnmr.tolist(),
            "area": float(fnmr.mean()),
            "rank_correlation": float(stats.spearmanr(pairs[:, 1], pairs[:, 2 + k]).statistic),
        }
    return out


def _plot(path: Path, report: dict[str, Any]) -> None:
    """One line a measure, of all sets together; dotted, what a perfect score would give."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    every, shares = report["all"], np.array(report["discarded"])
    for name, label in zip(MEASURES, ("own score", "NFIQ 2"), strict=True):
        axes.plot(100 * shares, 100 * np.array(every[name]["fnmr"]), drawstyle="steps-post", label=label)
    missed, pairs = every["missed"], every["pairs"]
    kept = np.maximum(pairs - np.floor(shares * pairs), 1)
    perfect = np.maximum(missed - np.floor(shares * pairs), 0) / kept
    axes.plot(100 * shares, 100 * perfect, ":", color="grey", label="if it knew")
    axes.set(xlabel="pairs discarded, per cent", ylabel="FNMR, per cent", title="Error versus discard")
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.25)
    axes.legend()
    figure.savefig(path)
