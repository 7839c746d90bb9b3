"""Accuracy and speed of one-finger comparison on sets of images: the work behind `tunggal bench fingerprint`.

Compared are all genuine pairs (same subject, same position) and all pairs of different subjects, on one core.
A sample that cannot be extracted counts as a non-match in all its pairs. Sets that the weights were trained
on are reported under the weights trained on the other sets.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import datasets, resampling
from bench.matchers import Matcher, Nbis, Tunggal
from bench.outcome import Outcome
from services.abis.fingerprint import enhance, score

PEERS = {"nbis": Nbis}


def run(
    dirs: Sequence[Path],
    scores: Path | None = None,
    json_path: Path | None = None,
    plot: Path | None = None,
    peer: str | None = None,
) -> dict[str, Any]:
    """Measure every set and write what is asked for.

    Parameters
    ----------
    dirs: folders with a `manifest.csv`. scores: CSV of all scores; a peer's go to NAME.PEER.csv beside it.
    json_path: the returned figures as JSON. plot: DET curves, in the format of the file's suffix.
    peer: "nbis" to run mindtct and bozorth3 on the same sets.

    Returns
    -------
    {"sets": [...], "mean": {...}, "intervals": {...}, "fused_2": {...}, "fused_4": {...}}, with a peer also
    {"peers": {name: {"sets", "mean"}}}. ValueError where a folder is
    no set or has no pair of either kind, or the peer is not known.
    """
    if peer is not None and peer not in PEERS:
        raise ValueError(f"Unknown peer {peer!r}; known: {', '.join(PEERS)}.")
    sets = [(folder.resolve().name, datasets.read(folder)) for folder in dirs]
    outcomes = {"tunggal": [measure(name, s, Tunggal(score.held_out(name))) for name, s in sets]}
    if peer is not None:
        outcomes[peer] = [measure(name, samples, PEERS[peer]()) for name, samples in sets]
    report = _report(outcomes["tunggal"]) | {"intervals": resampling.intervals(outcomes["tunggal"])}
    for count in (2, 4):
        report[f"fused_{count}"] = resampling.fused(outcomes["tunggal"], count)
    if peer is not None:
        report["peers"] = {peer: _report(outcomes[peer])}
    if scores is not None:
        _write_scores(scores, outcomes["tunggal"])
        if peer is not None:
            _write_scores(scores.with_suffix(f".{peer}{scores.suffix}"), outcomes[peer])
    if json_path is not None:
        json_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if plot is not None:
        _plot(plot, outcomes)
    return report


def measure(name: str, samples: Sequence[datasets.Sample], matcher: Matcher) -> Outcome:
    """Extract every sample, compare every pair."""
    # Tables that a process builds once are no part of the time per image.
    enhance.bank()
    # Time of one core, whatever else the machine does.
    start = time.thread_time()
    templates = [matcher.extract(sample) for sample in samples]
    extracted = time.thread_time()
    numbers = {finger: k for k, finger in enumerate(dict.fromkeys(s.finger for s in samples))}
    rows: list[tuple[str, str, bool, float]] = []
    fingers: list[tuple[int, int]] = []
    compared = 0
    for (a, first), (b, second) in itertools.combinations(zip(samples, templates, strict=True), 2):
        genuine = a.finger == b.finger
        if not genuine and a.subject == b.subject:
            continue
        value = -math.inf
        if first is not None and second is not None:
            value = matcher.compare(first, second)
            compared += 1
        rows.append((a.name, b.name, genuine, value))
        fingers.append((numbers[a.finger], numbers[b.finger]))
    finished = time.thread_time()
    return Outcome(
        name,
        rows,
        fingers,
        sum(template is None for template in templates),
        1000 * (extracted - start) / max(len(samples), 1),
        compared / max(finished - extracted, 1e-9),
    )


def _report(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    sets = [outcome.summary() for outcome in outcomes]
    keys = [key for key in sets[0] if key != "set"] if sets else []
    return {"sets": sets, "mean": {key: float(np.mean([s[key] for s in sets])) for key in keys}}


def _write_scores(path: Path, outcomes: Sequence[Outcome]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["set", "probe", "reference", "genuine", "score"])
        for outcome in outcomes:
            for probe, reference, genuine, value in outcome.rows:
                writer.writerow([outcome.name, probe, reference, int(genuine), f"{value:.6g}"])


def _plot(path: Path, outcomes: dict[str, list[Outcome]]) -> None:
    """DET curves, one line a set, a peer's dashed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    for style, (matcher, measured) in zip(("-", "--"), outcomes.items(), strict=False):
        for k, outcome in enumerate(measured):
            curve = outcome.curve()
            # A rate of zero has no place on a logarithmic axis: it is drawn where one error would be, halved.
            least = 0.5 / max(sum(not row[2] for row in outcome.rows), 1)
            floor = 0.5 / max(sum(row[2] for row in outcome.rows), 1)
            axes.plot(
                np.maximum(curve.fmr, least),
                np.maximum(curve.fnmr, floor),
                style,
                color=f"C{k}",
                label=f"{outcome.name} ({matcher})",
            )
    axes.set(xscale="log", yscale="log", xlabel="FMR", ylabel="FNMR", title="Detection error trade-off")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(fontsize="small")
    figure.savefig(path)
