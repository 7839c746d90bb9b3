"""The scaling curve of `tunggal bench identify`: its points, and the drawing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.abis.kernels import F64


def point(report: dict[str, Any]) -> dict[str, Any]:
    """What the scaling curve shows of one size."""
    point = {key: report[key] for key in ("persons", "p50_ms", "p99_ms", "persons_per_second_per_core")}
    point["first_pass"] = {key: report["stages"][0][key] for key in ("core_ms", "loss")}
    if "with_index" in report:
        indexed = report["with_index"]
        point["with_index"] = {key: indexed[key] for key in ("p50_ms", "persons_per_second_per_core")}
        point["with_index"]["core_ms"] = indexed["stages"][0]["core_ms"]
    return point


def draw(path: Path, reports: Sequence[dict[str, Any]]) -> None:
    """Waiting time and loss over the number of people."""
    from matplotlib.figure import Figure

    sizes: F64 = np.array([report["persons"] for report in reports], np.float64)
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    time_axes, loss_axes = figure.subplots(1, 2)
    for threads in ("1", "2"):
        time_axes.plot(
            sizes, [r["p50_ms"][threads] for r in reports], "o-", label=f"p50, {threads} thread(s)"
        )
        time_axes.plot(
            sizes, [r["p99_ms"][threads] for r in reports], "^--", label=f"p99, {threads} thread(s)"
        )
    time_axes.set(xscale="log", yscale="log", xlabel="people", ylabel="ms a search", title="All stages")
    if "with_index" in reports[-1]:
        waits = [r["with_index"]["p50_ms"]["1"] for r in reports]
        time_axes.plot(sizes, waits, "s-.", label="p50, 1 thread, index of words")
    least = 0.5 / reports[-1]["probes"]
    for length in (1_000, 100, 10):
        values = [r["stages"][0]["loss"].get(str(length), 0.0) for r in reports]
        loss_axes.plot(sizes, np.maximum(values, least), "o-", label=f"outside the first {length:,}")
    loss_axes.set(xscale="log", yscale="log", xlabel="people", ylabel="share of mates", title="First pass")
    for axes in (time_axes, loss_axes):
        axes.grid(visible=True, which="both", alpha=0.25)
        axes.legend(fontsize="small")
    figure.suptitle(f"1:N search, {reports[-1]['fingers']} fingers a person (loss 0 is drawn at half a mate)")
    figure.savefig(path)
