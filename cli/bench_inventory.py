"""`tunggal bench inventory`: how fast the books are, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.errors import readable


@readable
def inventory(
    regencies: Annotated[int, typer.Option(min=1, max=514, metavar="N", help="That use blanks.")] = 514,
    days: Annotated[
        int, typer.Option(min=9, max=3650, metavar="N", help="Each of which has its use.")
    ] = 1095,
    seconds: Annotated[float, typer.Option(min=0.1, help="For each rate of postings.")] = 3.0,
    postgres: Annotated[
        str, typer.Option(metavar="URL", help="Server to make databases on; else one of its own, if there.")
    ] = "",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures for programs.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw rates, and bytes and memory by movements.")
    ] = None,
) -> None:
    """Book blanks through gRPC and without, ask about the past, and weigh what it takes."""
    from bench import inventory as measured

    for file in (json_file, plot):
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
    report = measured.run(
        seconds=seconds,
        regencies=regencies,
        days=days,
        postgres=postgres,
        json_file=json_file,
        plot=plot,
    )
    console = Console()
    console.print(_postings(report))
    console.print(_questions(report))
    console.print(_planning(report))


def _postings(report: dict[str, Any]) -> Table:
    table = Table(title="Postings per second", title_justify="left", header_style="bold")
    table.add_column("Database")
    for column in ("Clients", "gRPC", "same SQL, no gRPC", "Share"):
        table.add_column(column, justify="right")
    for name, by_clients in report["postings_per_second"].items():
        for clients, rate in by_clients.items():
            without, share = report["sql_per_second"][name][clients], report["share_of_sql"][name][clients]
            table.add_row(name, f"{clients}", f"{rate:,.0f}", f"{without:,.0f}", f"{share:.0%}")
        table.add_section()
    return table


def _questions(report: dict[str, Any]) -> Table:
    title = f"{report['regencies']} regencies × {report['days']:,} days"
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("Database")
    for column in ("Movements", "MB", "MB resident", "Balance ms", "Country ms", "Custody ms"):
        table.add_column(column, justify="right")
    for name, growth in report["growth"].items():
        last = growth[-1]
        table.add_row(
            name,
            f"{last['movements']:,}",
            f"{last['bytes'] / 1e6:,.0f}",
            f"{last['resident_bytes'] / 1e6:,.0f}",
            *(f"{report[key][name]:.1f}" for key in ("balance_ms", "country_balance_ms", "custody_ms")),
        )
    return table


def _planning(report: dict[str, Any]) -> Table:
    table = Table(title="Forecast and plan of all regencies", title_justify="left", header_style="bold")
    table.add_column("Database")
    for column in ("Forecast s", "again s", "Plan s"):
        table.add_column(column, justify="right")
    for name, seconds in report["forecast_seconds"].items():
        more = (f"{report[key][name]:.2f}" for key in ("forecast_again_seconds", "plan_seconds"))
        table.add_row(name, f"{seconds:.2f}", *more)
    return table
