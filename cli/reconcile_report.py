"""A reconciliation as people and as programs read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from cli.cards_told import PutAside, Scope
from cli.reconciliation import Crossing, Reconciliation, UnderWay

_NUMBERS = ("consumed", "personalized", "issued", "withdrawn", "crossed", "under_way")


def plain(found: Reconciliation, scope: Scope) -> dict[str, Any]:
    """For programs. Keys are only ever added."""
    tallies = [
        {"location": location, "day": day, **asdict(tally)}
        for (location, day), tally in sorted(found.tallies.items())
    ]
    return {
        "agrees": found.agrees,
        "tallies": tallies,
        "differences": [each._asdict() for each in found.differences],
        "put_aside": [each._asdict() for each in found.put_aside],
        "location": scope.region or "ID",
        "first_day": scope.first.isoformat() if scope.first else None,
        "last_day": scope.last.isoformat() if scope.last else None,
        "totals": {name: sum(int(each[name]) for each in tallies) for name in _NUMBERS},
        "crossings": [each._asdict() for each in found.crossings],
        "under_way": [each._asdict() for each in found.under_way],
    }


def show(found: Reconciliation, scope: Scope) -> None:
    """For people."""
    console = Console()
    if not found.tallies:
        console.print(f"No card was made {_where_and_when(scope)}.", highlight=False)
    else:
        _show_cards(found, console)
    if found.put_aside:
        _show_put_aside(found.put_aside, console)
    if found.crossings:
        _show_crossings(found.crossings, console)
    if found.under_way:
        _show_under_way(found.under_way, console)
    if not found.differences:
        return
    table = Table("Site", "Day", "Serial", "Chip UID", "Difference", header_style="bold")
    for each in found.differences:
        table.add_row(each.location, each.day, str(each.serial or "–"), each.chip_uid or "–", each.what)
    console.print(table)


def _where_and_when(scope: Scope) -> str:
    where = f"in {scope.region}" if scope.region not in {"", "ID"} else "anywhere"
    if scope.first is not None and scope.first == scope.last:
        return f"{where} on {scope.first}"
    since = f" from {scope.first}" if scope.first else ""
    until = f" to {scope.last}" if scope.last else ""
    return f"{where}{since}{until}"


def _show_cards(found: Reconciliation, console: Console) -> None:
    table = Table("Site", "Day", header_style="bold", show_footer=len(found.tallies) > 1)
    columns = {
        "consumed": "Blanks consumed",
        "personalized": "Chips personalized",
        "issued": "Records with card",
    }
    if any(tally.under_way for tally in found.tallies.values()):
        columns["under_way"] = "Under way"
    if any(tally.withdrawn for tally in found.tallies.values()):
        columns["withdrawn"] = "Came back"
    table.columns[0].footer = "Total"
    for name, column in columns.items():
        total = sum(getattr(tally, name) for tally in found.tallies.values())
        table.add_column(column, justify="right", footer=f"{total:,}")
    table.add_column("")
    wrong = {(each.location, each.day) for each in found.differences}
    for (location, day), tally in sorted(found.tallies.items()):
        fine = (location, day) not in wrong
        numbers = (f"{getattr(tally, name):,}" for name in columns)
        table.add_row(location, day, *numbers, "[green]agree[/]" if fine else "[red]differ[/]")
    console.print(table)


def _show_put_aside(found: Sequence[PutAside], console: Console) -> None:
    waiting = sum(not each.reviewed for each in found)
    console.print(
        f"Blanks put aside as spoiled: {len(found):,}; not accepted by a second person: {waiting:,}.",
        highlight=False,
    )
    for each in found:
        if not each.reviewed or each.untold:
            untold = f", has yet to tell: {each.untold}" if each.untold else ""
            console.print(
                f"  blank {each.serial} of {each.location}, job {each.job_id}{untold}",
                soft_wrap=True,
                markup=False,
                highlight=False,
            )


def _show_under_way(found: Sequence[UnderWay], console: Console) -> None:
    console.print(
        f"{len(found):,} {'card is' if len(found) == 1 else 'cards are'} under way, and no difference yet:",
        highlight=False,
    )
    for each in found:
        moment = datetime.fromisoformat(each.since)
        console.print(
            f"  blank {each.serial} of {each.location}, since {moment:%Y-%m-%d %H:%M:%S} WIB: {each.what}\n"
            f"    chip {each.chip_uid}, record {each.record_id}, job {each.job_id}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )


def _show_crossings(found: Sequence[Crossing], console: Console) -> None:
    one = len(found) == 1
    console.print(
        f"{len(found):,} {'card was' if one else 'cards were'} booked on both sides of a midnight, "
        f"and {'counts' if one else 'count'} for the day of {'its' if one else 'their'} blank:",
        highlight=False,
    )
    for each in found:
        told = {"consumed": each.consumed, "personalized": each.personalized, "issued": each.issued}
        moments = ", ".join(
            f"{name} {datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"
            for name, moment in told.items()
            if moment
        )
        console.print(
            f"  blank {each.serial} of {each.location}: {moments} WIB", soft_wrap=True, highlight=False
        )
