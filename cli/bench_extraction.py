"""`tunggal bench extractors`, `quality` and `stress`: what the steps before the comparison are worth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from cli.errors import readable
from services.common.errors import InvalidArgument

T = TypeVar("T")
Directories = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Sets, each with manifest.csv and its images.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the figures for programs.")
]


@readable
def extractors(directories: Directories, json_file: JsonFile = None) -> None:
    """Compare our minutiae with mindtct's under the same matcher, on whole prints and on parts."""
    from bench import extractors as measured

    _make_room(json_file)
    report = told(lambda: measured.run(directories))
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    table = _table("FNMR at FMR 0.1 %, with 95 % intervals", "Prints", "Minutiae")
    for column in ("EER", "FNMR", "more than own", "ms"):
        table.add_column(column, justify="right")
    for kind, found in report.items():
        for name, figures in found.items():
            low, high = figures["fnmr_at_fmr_1e-3_interval"]
            more = ""
            if "fnmr_more" in figures:
                less, most = figures["fnmr_more_interval"]
                more = f"{figures['fnmr_more']:.1%} ({less:.1%} to {most:.1%})"
            rate = f"{figures['fnmr_at_fmr_1e-3']:.2%} ({low:.1%} to {high:.1%})"
            table.add_row(kind, name, f"{figures['eer']:.2%}", rate, more, f"{figures['ms']:.1f}")
        table.add_section()
    Console().print(table)


@readable
def quality(
    directories: Directories,
    json_file: JsonFile = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw error versus discard.")] = None,
) -> None:
    """Which errors go when the prints of lowest quality go: our score beside NFIQ 2."""
    from bench import quality as measured

    _make_room(json_file, plot)
    report = told(lambda: measured.run(directories, json_file, plot))
    table = _table("FNMR at the threshold of FMR 0.1 %, by share of pairs discarded", "Set", "Score")
    shares = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
    for heading in (*(f"{share:.0%}" for share in shares), "Area", "Rank correlation"):
        table.add_column(heading, justify="right")
    places = [min(range(len(report["discarded"])), key=lambda k: abs(report["discarded"][k] - share))
              for share in shares]  # fmt: skip
    for one in [*report["sets"], {"set": "all", **report["all"]}]:
        for key, name in (("own", "own"), ("nfiq2", "NFIQ 2")):
            figures = one[key]
            rates = (f"{figures['fnmr'][k]:.2%}" for k in places)
            table.add_row(
                one["set"], name, *rates, f"{figures['area']:.2%}", f"{figures['rank_correlation']:.2f}"
            )
        table.add_section()
    Console().print(table)


@readable
def stress(
    directories: Directories,
    json_file: JsonFile = None,
    peer: Annotated[
        str | None, typer.Option(metavar="nbis", help="Run another matcher on the same pictures.")
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one; may be repeated.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Take every N-th print of a finger.")] = 2,
) -> None:
    """Measure sets as other sensors, dry, wet and hasty fingers would have given them."""
    from bench import stress as measured

    _make_room(json_file)
    report = told(lambda: measured.run(directories, json_file, peer, variant or (), every))
    table = _table("Mean of the sets: EER, FNMR at FMR 0.1 %, images not extracted", "Variant")
    for matcher in ("tunggal", *([peer] if peer else [])):
        for what in ("EER", "FNMR", "failures"):
            table.add_column(f"{matcher} {what}", justify="right")
    for entry in report:
        cells = [entry["variant"]]
        for figures in (entry, *entry.get("peers", {}).values()):
            cells += [f"{figures['eer']:.2%}", f"{figures['fnmr_at_fmr_1e-3']:.2%}"]
            cells.append(str(figures["failures_to_extract"]))
        table.add_row(*cells)
    Console().print(table)


def told(measure: Callable[[], T]) -> T:
    """What `measure` returns; its complaint about the data as an error with a remedy."""
    try:
        return measure()
    except ValueError as error:
        raise InvalidArgument(
            "DATA_UNUSABLE",
            str(error),
            remedy="Give directories with manifest.csv (path,subject,position,impression,dpi) and images.",
        ) from error


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", padding=(0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _make_room(*files: Path | None) -> None:
    for file in files:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
