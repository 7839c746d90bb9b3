"""The picture of `tunggal bench card`."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw(path: Path, report: dict[str, Any]) -> None:
    """Time of a card against its floor, and cards per hour over readers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    pace = report["pace"]
    parts = [
        ("no chip time", report["without_pace"]),
        (f"{pace['apdu_ms']:g} ms an APDU,\n{pace['byte_us']:g} µs a byte", report),
    ]
    floors = [part["floor_ms_per_card"] for _, part in parts]
    rests = [part["ms_per_card"] - part["floor_ms_per_card"] for _, part in parts]
    names = [name for name, _ in parts]
    left.bar(names, floors, color="#8aa9c8", label="bare exchange of the same APDUs")
    left.bar(names, rests, bottom=floors, color="#c8553d", label="all that we add, and the simulated chip")
    for index, (_, part) in enumerate(parts):
        left.annotate(
            f"{part['ratio_to_floor']:.2f} × floor", (index, part["ms_per_card"]), ha="center", va="bottom"
        )
    left.set(ylabel="ms a card", title=f"One reader, {report['apdus_per_card']:.0f} APDUs a card")
    # The legend gets a band of its own above the bars.
    left.set_ylim(0, 1.35 * max(part["ms_per_card"] for _, part in parts))
    left.legend(fontsize="small", loc="upper left")
    counts = [int(count) for count in report["by_readers"]]
    rates = [part["cards_per_hour"] for part in report["by_readers"].values()]
    right.plot(counts, [count * rates[0] for count in counts], "--", color="gray", label="linear")
    right.plot(counts, rates, "o-", color="#c8553d", label="measured")
    for count, rate, part in zip(counts, rates, report["by_readers"].values(), strict=True):
        right.annotate(
            f"{part['scaling']:.0%}", (count, rate), textcoords="offset points", xytext=(-7, 6), ha="right"
        )
    right.margins(y=0.1)
    right.set_xlim(0, 1.1 * max(counts))
    right.yaxis.set_major_formatter("{x:,.0f}")
    right.set(xlabel="readers", ylabel="cards an hour", title=f"At once, on {report['cores']} cores")
    right.grid(visible=True, alpha=0.25)
    right.legend(fontsize="small", loc="lower right")
    figure.savefig(path)
