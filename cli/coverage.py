"""`tunggal coverage`: of those who must have a card, how many are recorded; each figure with its source."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import planning_pb2 as pb
from tunggal.inventory.v1.planning_pb2_grpc import PlanningServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect

app = typer.Typer(
    help="Of those who must have a card, how many are recorded; each figure with its source.",
    no_args_is_help=True,
)

Location = Annotated[str, typer.Argument(metavar="LOCATION", help="A region; ID for the country.")]
_DAY = "%Y-%m-%d"


@app.command()
@readable
def report(
    location: Location,
    recorded: Annotated[int, typer.Option(min=0, help="People recorded.")],
    obliged: Annotated[int, typer.Option(min=1, help="People who must have a card.")],
    day: Annotated[
        datetime, typer.Option(formats=[_DAY], metavar="DAY", help="Day that the figures are of.")
    ],
    source: Annotated[str, typer.Option(help="Who says so.")],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Enter a figure; older ones stay, for a new denominator never replaces an old one."""
    given = pb.Coverage(
        location=location, recorded=recorded, obliged=obliged, day=f"{day:{_DAY}}", source=source
    )
    request = pb.ReportCoverageRequest(request_id=str(uuid.uuid4()), coverage=given)
    with connect("inventory", inventory, tls_dir) as channel:
        stored = PlanningServiceStub(channel).ReportCoverage(request).coverage
    typer.echo(to_json(stored) if as_json else f"Entered: {_said(stored)}")


@app.command()
@readable
def show(
    location: Location = "ID",
    known_at: Annotated[
        datetime | None,
        typer.Option(
            formats=[_DAY, "%Y-%m-%dT%H:%M:%S"],
            metavar="MOMENT",
            help="As it was known at this moment (UTC).",
        ),
    ] = None,
    goal: Annotated[float, typer.Option(min=0, max=1, help="Share to be reached, such as 1; 0: none.")] = 0.0,
    deadline: Annotated[
        datetime | None,
        typer.Option(formats=[_DAY], metavar="DAY", help="Day by which the goal is to be reached."),
    ] = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the newest figure, all that were entered, and what a goal would take."""
    request = pb.GetCoverageRequest(
        location=location, goal=goal, deadline=f"{deadline:{_DAY}}" if deadline else ""
    )
    if known_at is not None:
        request.known_at.FromDatetime(known_at.replace(tzinfo=UTC))
    with connect("inventory", inventory, tls_dir) as channel:
        found = PlanningServiceStub(channel).GetCoverage(request)
    if as_json:
        typer.echo(to_json(found))
        return
    console = Console(emoji=False, highlight=False)
    console.print(_said(found.latest))
    if goal:
        wanted = f"For {goal:.1%} by {request.deadline}: {found.missing:,} people"
        each = f" on {found.working_days} working days, {found.needed_per_working_day:,.0f} on each."
        console.print(wanted + (each if found.working_days else ", and no working day is left."))
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("Day", "Recorded", "Obliged", "Share"):
        table.add_column(column, justify="left" if column == "Day" else "right", no_wrap=True)
    table.add_column("Source", overflow="fold")
    table.add_column("Entered (UTC)", no_wrap=True)
    for one in found.history:
        entered = f"{one.entry_time.ToDatetime():%Y-%m-%d %H:%M}"
        share = f"{one.recorded / one.obliged:.2%}"
        table.add_row(one.day, f"{one.recorded:,}", f"{one.obliged:,}", share, one.source, entered)
    console.print(table)


def _said(one: pb.Coverage) -> str:
    share = one.recorded / one.obliged
    return (
        f"{one.location} on {one.day}: {one.recorded:,} of {one.obliged:,} recorded, {share:.2%}, "
        f"says {one.source}."
    )
