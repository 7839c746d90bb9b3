"""`tunggal reconcile`: ask inventory, cardperso and enroll for the same cards, and show where they differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.errors import readable
from cli.options import (
    CARDPERSO,
    DEFAULT_TLS_DIR,
    ENROLL,
    INVENTORY,
    AsJson,
    CardPersoEndpoint,
    EnrollEndpoint,
    InventoryEndpoint,
    TlsDir,
    connect,
)
from cli.reconcile_sources import Scope, ask
from cli.reconciliation import PutAside, Reconciliation, reconcile
from services.common.errors import InvalidArgument

DIFFERENT = 2
"""Exit code where the services do not agree."""


@readable
def command(
    location: Annotated[
        str, typer.Argument(metavar="[LOCATION]", help="32.16, 32 or ID; with all below.")
    ] = "",
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day, 2017-03-31.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    cardperso: CardPersoEndpoint = CARDPERSO,
    enroll: EnrollEndpoint = ENROLL,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Compare blanks consumed, chips personalized and records with a card; exit code 2 on a difference."""
    scope = Scope(location, _day(first, "--from"), _day(last, "--to"))
    if scope.first and scope.last and scope.last < scope.first:
        raise InvalidArgument(
            "SPAN_REVERSED", f"{last} is before {first}", field="--to", remedy="Swap --from and --to."
        )
    with (
        connect("inventory", inventory, tls_dir) as stock,
        connect("cardperso", cardperso, tls_dir) as station,
        connect("enroll", enroll, tls_dir) as people,
    ):
        said = ask(stock, station, people, scope)
    found = reconcile(said.consumed, said.personalized, said.issued, said.put_aside)
    if as_json:
        typer.echo(json.dumps(_plain(found), indent=2))
    else:
        _show(found)
    if not found.agrees:
        raise typer.Exit(DIFFERENT)


def _day(text: str, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidArgument(
            "DAY_MALFORMED", f"{text!r} is no day", field=option, remedy="Write it as 2017-03-31."
        ) from None


def _plain(found: Reconciliation) -> dict[str, object]:
    return {
        "agrees": found.agrees,
        "tallies": [
            {"location": location, "day": day, **asdict(tally)}
            for (location, day), tally in sorted(found.tallies.items())
        ],
        "differences": [asdict(each) for each in found.differences],
        "put_aside": [asdict(each) for each in found.put_aside],
    }


def _show(found: Reconciliation) -> None:
    console = Console()
    if not found.tallies:
        console.print("No card was made there in that time.")
    else:
        _show_cards(found, console)
    if found.put_aside:
        _show_put_aside(found.put_aside, console)
    if not found.differences:
        return
    table = Table("Site", "Day", "Serial", "Chip UID", "Difference", header_style="bold")
    for each in found.differences:
        table.add_row(each.location, each.day, str(each.serial or "–"), each.chip_uid or "–", each.what)
    console.print(table)


def _show_put_aside(found: Sequence[PutAside], console: Console) -> None:
    waiting = sum(not each.reviewed for each in found)
    console.print(
        f"{len(found):,} blanks put aside as spoiled, {waiting:,} of them not accepted by a second person.",
        highlight=False,
    )
    for each in found:
        if not each.reviewed or each.untold:
            console.print(
                f"  blank {each.serial} of {each.location}, job {each.job_id} {each.untold}".rstrip(),
                soft_wrap=True,
                markup=False,
                highlight=False,
            )


def _show_cards(found: Reconciliation, console: Console) -> None:
    table = Table("Site", "Day", header_style="bold")
    back = any(tally.withdrawn for tally in found.tallies.values())
    columns = ("Blanks consumed", "Chips personalized", "Records with card")
    for column in (*columns, *(["Came back"] if back else [])):
        table.add_column(column, justify="right")
    table.add_column("")
    wrong = {(each.location, each.day) for each in found.differences}
    for (location, day), tally in sorted(found.tallies.items()):
        fine = tally.agrees and (location, day) not in wrong
        table.add_row(
            location,
            day,
            f"{tally.consumed:,}",
            f"{tally.personalized:,}",
            f"{tally.issued:,}",
            *([f"{tally.withdrawn:,}"] if back else []),
            "[green]agree[/]" if fine else "[red]differ[/]",
        )
    console.print(table)
