"""What a visitor sees while the day passes: one bar a stage, and lines for what happens beside it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from cli.demo.checks import Check


class Screen:
    """Progress bars on a terminal; where nobody watches, one line a finished stage.

    `seconds` has the time that each stage took, in order.
    """

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}[/]", table_column=None),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._name = ""
        self._title = ""
        self._since = time.perf_counter()

    def begin(self, name: str) -> None:
        """The next stage, by the name that the report has for it; `stage` opens its bar."""
        self.finish()
        self._name, self._since = name, time.perf_counter()

    def stage(self, name: str, total: int) -> None:
        """Open the bar of the stage."""
        self._title = name
        self._task = self._bars.add_task(name, total=total, detail="")

    def advance(self, detail: str = "") -> None:
        """One step of the stage is done."""
        if self._task is not None:
            self._bars.update(self._task, advance=1, detail=detail)

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._bars.console.print(Text("• " + text, style="yellow"), soft_wrap=True)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        self._bars.stop()

    def finish(self) -> None:
        """The stage is over; nothing where none is open."""
        if not self._name:
            return
        passed = time.perf_counter() - self._since
        self.seconds[self._name] = self.seconds.get(self._name, 0.0) + passed
        if self._task is not None:
            self._bars.update(self._task, detail="")
            self._bars.stop_task(self._task)
        if not self._console.is_terminal and self._title:
            self._console.print(f"{self._title}: {passed:.1f} s", highlight=False)
        self._name, self._title, self._task = "", "", None


def summary(report: dict[str, Any], checks: list[Check]) -> list[Table]:
    """The tables at the end of the day."""
    numbers = Table(title=f"One day in {report['region']}", header_style="bold", title_justify="left")
    numbers.add_column("What")
    numbers.add_column("Number", justify="right")
    duplicates, stock = report["duplicates"], report["stock"]
    for what, number in (
        ("people enrolled", report["enrolled"]),
        ("records submitted", report["submitted"]),
        ("duplicates found", f"{duplicates['found']} of {duplicates['injected']}"),
        ("false duplicates", duplicates["false"]),
        ("left for people to decide", duplicates["adjudicated"]),
        ("print-ready", report["print_ready"]),
        ("cards issued", report["cards_issued"]),
        ("blanks spoiled", report["spoiled"]),
        ("chip read-back mismatches", report["chip_readback_mismatches"]),
        (
            "contracted = received + outstanding",
            f"{stock['contracted']} = {stock['received']} + {stock['outstanding']}",
        ),
        (
            "received = on hand + consumed + spoiled",
            f"{stock['received']} = {stock['on_hand']} + {stock['consumed']} + {stock['spoiled']}",
        ),
        ("seconds", " · ".join(f"{stage} {seconds:.1f}" for stage, seconds in report["seconds"].items())),
    ):
        numbers.add_row(what, str(number))
    verdicts = Table(title="Checks", header_style="bold", title_justify="left")
    for column in ("", "Condition", "Seen"):
        verdicts.add_column(column)
    for item in checks:
        mark = Text("✓", style="green") if item.holds else Text("✗", style="bold red")
        verdicts.add_row(mark, item.name, item.seen, style="" if item.holds else "red")
    return [numbers, verdicts]
