"""`tunggal target`: can so many cards be made until then, and what would it take."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import planning_pb2 as pb
from tunggal.inventory.v1.planning_pb2_grpc import PlanningServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect
from services.inventory.words import counted

_DAY = "%Y-%m-%d"
_WORDS = {
    pb.BOTTLENECK_PRINTERS: "printers",
    pb.BOTTLENECK_OPERATORS: "operators",
    pb.BOTTLENECK_BLANKS: "blanks",
}


@readable
def target(
    cards: Annotated[int, typer.Option(min=1, help="Cards to be made.")],
    start: Annotated[datetime, typer.Option(formats=[_DAY], metavar="DAY", help="First day.")],
    deadline: Annotated[datetime, typer.Option(formats=[_DAY], metavar="DAY", help="Last day.")],
    printers: Annotated[int, typer.Option(min=1, help="Printers.")],
    rate: Annotated[float, typer.Option(help="Cards of one printer on a working day, as seen.")] = 0.0,
    minutes: Annotated[
        float, typer.Option(help="Minutes a card occupies its printer, if there is no rate.")
    ] = 0.0,
    hours: Annotated[float, typer.Option(help="Hours of a working day.")] = 8.0,
    operators: Annotated[int, typer.Option(help="Operators; 0: enough.")] = 0,
    operator_minutes: Annotated[float, typer.Option(help="Minutes of an operator a card takes.")] = 0.0,
    spoilage: Annotated[
        float, typer.Option(help="Share of blanks that become no card, such as 0.047.")
    ] = 0.0,
    blanks: Annotated[int, typer.Option(min=-1, help="Blanks on hand; -1: enough.")] = -1,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Judge a target: feasible or not, when it is done, what is in the way."""
    given = pb.Target(
        cards=cards,
        start=f"{start:{_DAY}}",
        deadline=f"{deadline:{_DAY}}",
        printers=printers,
        cards_per_printer_day=rate,
        hours_per_day=hours,
        minutes_per_card=minutes,
        operators=operators,
        operator_minutes_per_card=operator_minutes,
        spoilage=spoilage,
        blanks=blanks if blanks >= 0 else None,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        verdict = PlanningServiceStub(channel).AssessTarget(pb.AssessTargetRequest(target=given))
    if as_json:
        typer.echo(to_json(verdict))
        return
    console = Console()
    word = "[bold green]Feasible" if verdict.feasible else "[bold red]Infeasible"
    console.print(f"{word}[/]: {counted(cards, 'card')} from {start:{_DAY}} to {deadline:{_DAY}}.")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    table.add_row(
        "It would take",
        f"{counted(verdict.needed_per_printer_day, 'card')} a printer and day over "
        f"{counted(verdict.working_days, 'working day')}",
    )
    table.add_row(
        "There is",
        f"{counted(verdict.cards_per_day, 'card')} a day: {verdict.days_of_work:,.1f} working days of work",
    )
    table.add_row("Finished on", verdict.finish or _unfinished(verdict))
    table.add_row("By the deadline", counted(verdict.cards_by_deadline, "card"))
    table.add_row("Bottleneck", _WORDS[verdict.bottleneck])
    table.add_row("Blanks needed", f"{verdict.blanks_needed:,}")
    console.print(table)
    if verdict.advice:
        console.print("What would make it feasible:")
        for advice in verdict.advice:
            console.print(f"  • {advice}")


def _unfinished(verdict: pb.AssessTargetResponse) -> str:
    return f"later than {verdict.later_than}" if verdict.later_than else "never: the blanks end first"
