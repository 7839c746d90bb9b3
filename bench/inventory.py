"""`tunggal bench inventory`: postings, questions about the past, and what it takes, on SQLite and PostgreSQL.

Each section measures one thing on every database and adds its figures to the report under names that
programs may rely on. PostgreSQL is the server at a given URL, or the one that the tests bring with them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench import inventory_planning, inventory_postings, inventory_queries
from bench.postgres import databases_on
from services.common.db import Database

Report = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """Where and how much is measured."""

    #: Makes the URL of a new, empty database, by the name of its kind.
    databases: dict[str, Callable[[], str]]
    directory: Path
    #: For each rate of postings, three times, in short turns.
    seconds: float
    regencies: int
    days: int


def run(
    *,
    seconds: float = 3.0,
    regencies: int = inventory_queries.REGENCIES,
    days: int = inventory_queries.DAYS,
    postgres: str = "",
    json_file: Path | None = None,
    plot: Path | None = None,
) -> Report:
    """Measure all sections and write what was asked for."""
    report: Report = {"regencies": regencies, "days": days}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tunggal-bench-")))
        databases = {"sqlite": lambda: f"sqlite:///{directory}/{uuid4().hex}.db"}
        server = stack.enter_context(databases_on(postgres))
        if server is not None:
            databases["postgresql"] = server
        bench = Bench(databases, directory, seconds, regencies, days)
        for section in SECTIONS:
            section(bench, report)
    if plot is not None:
        _draw(report, plot)
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=2) + "\n")
    return report


def postings(bench: Bench, report: Report) -> None:
    """``postings_per_second`` and ``share_of_sql``, by database and number of clients."""
    for name, new in bench.databases.items():
        found = inventory_postings.measure(new(), bench.directory / name, bench.seconds)
        report.setdefault("postings_per_second", {})[name] = found.per_second
        report.setdefault("sql_per_second", {})[name] = found.without_grpc
        report.setdefault("share_of_sql", {})[name] = found.share


def questions(bench: Bench, report: Report) -> None:
    """``balance_ms``, ``custody_ms`` by database, and ``growth``: bytes and memory by number of movements."""
    for name, new in bench.databases.items():
        growth = report.setdefault("growth", {}).setdefault(name, [])
        for days in sorted({max(1, bench.days // 9), max(1, bench.days // 3), bench.days}):
            url = new()
            database = Database(url)
            found = inventory_queries.measure(database, bench.regencies, days)
            wrong = inventory_queries.sound(database)
            if wrong:
                raise RuntimeError(f"the books that were made up are wrong: {wrong[0]}")
            database.dispose()
            memory = inventory_postings.resident(url, bench.directory / f"{name}-{days}")
            growth.append({"movements": found.movements, "bytes": found.bytes, "resident_bytes": memory})
            report.setdefault("balance_ms", {})[name] = found.balance_ms
            report.setdefault("country_balance_ms", {})[name] = found.country_ms
            report.setdefault("custody_ms", {})[name] = found.custody_ms


def planning(bench: Bench, report: Report) -> None:
    """``forecast_seconds`` (the first of a day), ``forecast_again_seconds`` and ``plan_seconds`` by database:
    all regencies at once, through gRPC.
    """
    for name, new in bench.databases.items():
        found = inventory_planning.measure(
            new(), bench.directory / f"{name}-planning", regencies=bench.regencies, days=bench.days
        )
        report.setdefault("forecast_seconds", {})[name] = found.forecast_seconds
        report.setdefault("forecast_again_seconds", {})[name] = found.forecast_again_seconds
        report.setdefault("plan_seconds", {})[name] = found.plan_seconds


#: In the order in which they are measured.
SECTIONS: tuple[Callable[[Bench, Report], None], ...] = (postings, questions, planning)


def _draw(report: Report, path: Path) -> None:
    """Rates by clients, and bytes and memory by movements."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, MaxNLocator

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    rates, sizes, memory = figure.subplots(1, 3)
    for name, by_clients in report["postings_per_second"].items():
        (line,) = rates.plot(list(by_clients), list(by_clients.values()), "o-", label=name)
        without = report["sql_per_second"][name]
        rates.plot(
            list(without), list(without.values()), "--", color=line.get_color(), label=f"{name}, no gRPC"
        )
    rates.set(xlabel="clients", ylabel="postings/s", xscale="log", ylim=(0, None))
    rates.set_xticks(inventory_postings.CLIENTS, [str(n) for n in inventory_postings.CLIENTS])
    rates.legend(fontsize=7)
    for name, points in report["growth"].items():
        movements = [point["movements"] for point in points]
        sizes.plot(movements, [point["bytes"] / 1e6 for point in points], "o-", label=name)
        memory.plot(movements, [point["resident_bytes"] / 1e6 for point in points], "o-", label=name)
    sizes.set(xlabel="movements", ylabel="MB on disk", ylim=(0, None))
    memory.set(xlabel="movements", ylabel="MB resident, service")
    memory.set_ylim(0, 1.1 * memory.get_ylim()[1])
    for axes in (sizes, memory):
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    sizes.legend(fontsize=7)
    figure.savefig(path)
