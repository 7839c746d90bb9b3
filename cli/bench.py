"""`tunggal bench`: what is measured, on whose data, written where."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from cli.errors import readable
from services.common.errors import InvalidArgument

T = TypeVar("T")

app = typer.Typer(help="Measure accuracy and speed.", no_args_is_help=True)

JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the figures for programs.")
]


@app.command()
@readable
def synthetic(
    fingers: Annotated[int, typer.Option(min=2, max=5000)] = 50,
    impressions: Annotated[int, typer.Option(min=2, max=50)] = 4,
    directory: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Gets the images and their manifest.csv.")
    ] = Path("var/bench/synthetic"),
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw a contact sheet of all classes.")
    ] = None,
    real: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Real images below the synthetic ones of the sheet.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Make synthetic fingers, compare all their prints, and time each step."""
    from bench import synthetic as measured

    report = _told(lambda: measured.run(directory, fingers=fingers, impressions=impressions))
    if sheet is not None:
        _told(lambda: measured.contact_sheet(sheet, real))
    _write(json_file, asdict(report))
    table = Table(
        title=f"{fingers} synthetic fingers × {impressions}", header_style="bold", title_justify="left"
    )
    table.add_column("What")
    table.add_column("Measured", justify="right")
    for what, value in (
        ("equal error rate", f"{report.eer:.2%}"),
        ("FNMR at FMR 0.1 %", f"{report.fnmr_at_fmr_0_1_percent:.2%}"),
        ("genuine and impostor pairs", f"{report.genuine:,} and {report.impostor:,}"),
        ("failures to extract", f"{report.extraction_failures}"),
        ("minutiae (sd)", f"{report.minutiae_mean:.1f} ({report.minutiae_deviation:.1f})"),
        ("classes", ", ".join(f"{name} {count}" for name, count in report.patterns.items())),
        ("to grow a finger", f"{1000 * report.master_seconds:.0f} ms"),
        ("to print it", f"{1000 * report.impression_seconds:.0f} ms"),
        ("to extract a template", f"{1000 * report.extraction_seconds:.0f} ms"),
    ):
        table.add_row(what, value)
    Console().print(table)


def _told(measure: Callable[[], T]) -> T:
    """What `measure` returns; its complaint about the data as an error with a remedy."""
    try:
        return measure()
    except ValueError as error:
        raise InvalidArgument(
            "DATA_UNUSABLE",
            str(error),
            remedy="Give directories with manifest.csv (path,subject,position,impression,dpi) and images.",
        ) from error


def _write(file: Path | None, figures: object) -> None:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(figures, indent=2) + "\n")
