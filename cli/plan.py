"""`tunggal plan`: who gets how many, so that all run out together; proposed, approved, carried out."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tunggal.inventory.v1 import planning_pb2 as pb
from tunggal.inventory.v1.planning_pb2_grpc import PlanningServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.options import (
    DEFAULT_TLS_DIR,
    INVENTORY,
    AsJson,
    InventoryEndpoint,
    Operator,
    PlotFile,
    TlsDir,
    connect,
)
from cli.pages import every
from cli.places import CENTRE, name_of
from services.common.errors import InvalidArgument
from services.inventory.words import counted

app = typer.Typer(
    help="Share stock out so that all run out together. Moves nothing before a second person approves it."
)
_STATES = {
    pb.PLAN_STATE_PROPOSED: "proposed",
    pb.PLAN_STATE_APPROVED: "approved",
    pb.PLAN_STATE_REJECTED: "rejected",
    pb.PLAN_STATE_CARRIED_OUT: "carried out",
}


#: Width of a screen that has room for names and reasons.
_WIDE = 104
#: So many next commands are read; of more, one tells where to find them.
_MOST_NEXT = 10

PlanId = Annotated[str, typer.Argument(metavar="PLAN", help="Id of the plan.")]


@app.callback(invoke_without_command=True)
@readable
def propose(
    context: typer.Context,
    operator: Operator,
    province: Annotated[str, typer.Option(metavar="CODE", help="Plan for one province, such as 32.")] = "",
    country: Annotated[bool, typer.Option("--country", help="Plan for all regencies.")] = False,
    source: Annotated[
        str, typer.Option("--from", metavar="LOCATION", help="Whose stock; the province's, or the centre's.")
    ] = "",
    available: Annotated[int, typer.Option(min=0, help="Units to share out; 0: all that is free.")] = 0,
    lot: Annotated[int, typer.Option(min=1, help="Units in a box; only whole boxes travel.")] = 1,
    minimum: Annotated[int, typer.Option(min=0, help="Least units of a shipment.")] = 0,
    lending: Annotated[bool, typer.Option("--lending", help="Regencies may lend to each other.")] = False,
    item: Annotated[str, typer.Option(help="Item, such as ribbon; blank cards unless given.")] = "",
    reason: Annotated[str, typer.Option(help="Why; publishable.")] = "equal run-out",
    plot: PlotFile = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Propose a plan for a province or the country, and show it."""
    if context.invoked_subcommand is not None:
        return
    if bool(province) == country:
        raise InvalidArgument(
            "NO_SCOPE",
            "say for which province the plan is, or that it is for the country",
            field="province",
            remedy="Use either --province 32 or --country.",
        )
    if province:
        _require_province(province)
    with connect("inventory", inventory, tls_dir) as channel:
        request = pb.CreatePlanRequest(
            request_id=str(uuid.uuid4()),
            scope=province or "ID",
            source=source,
            item=item,
            available=available,
            lot=lot,
            minimum=minimum,
            lending=lending,
            reason=reason,
            operator=operator,
        )
        found = PlanningServiceStub(channel).CreatePlan(request, timeout=60).plan
    _show(found, as_json)
    _draw(found, plot, as_json)
    if not as_json:
        Console().print(
            f"Nothing has moved. A second person approves it: tunggal plan approve {found.plan_id}",
            style="yellow",
            soft_wrap=True,
        )


@app.command()
@readable
def show(
    plan_id: PlanId,
    plot: PlotFile = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show a plan with the reason of each quantity."""
    with connect("inventory", inventory, tls_dir) as channel:
        found = PlanningServiceStub(channel).GetPlan(pb.GetPlanRequest(plan_id=plan_id)).plan
    _show(found, as_json, why=True)
    _draw(found, plot, as_json)


@app.command(name="list")
@readable
def list_plans(
    inventory: InventoryEndpoint = INVENTORY, tls_dir: TlsDir = DEFAULT_TLS_DIR, as_json: AsJson = False
) -> None:
    """List plans, the newest last."""
    with connect("inventory", inventory, tls_dir) as channel:
        stub = PlanningServiceStub(channel)
        plans: list[pb.Plan] = every(stub.ListPlans, pb.ListPlansRequest(), "plans")
    if as_json:
        typer.echo(to_json(plans))
        return
    console = Console()
    wide = console.width >= _WIDE
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("Plan", "State", "For", *(["From", "Proposed"] if wide else []), "By"):
        table.add_column(column, no_wrap=True)
    table.add_column("Units", justify="right", no_wrap=True)
    if wide:
        table.add_column("Reason")
    for each in plans:
        table.add_row(
            each.plan_id,
            _STATES[each.state],
            each.scope,
            *([each.source, f"{each.propose_time.ToDatetime():%Y-%m-%d %H:%M}"] if wide else []),
            each.proposed_by.partition(":")[2],
            f"{each.available - each.left_over:,}",
            *([Text(each.reason)] if wide else []),
        )
    console.print(table if plans else "There is no plan yet.")


@app.command()
@readable
def approve(
    plan_id: PlanId,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
) -> None:
    """Approve a plan as a second person."""
    with connect("inventory", inventory, tls_dir) as channel:
        request = pb.ApprovePlanRequest(request_id=str(uuid.uuid4()), plan_id=plan_id, operator=operator)
        PlanningServiceStub(channel).ApprovePlan(request)
    Console().print(f"Approved. It is carried out with: tunggal plan carry-out {plan_id}", soft_wrap=True)


@app.command()
@readable
def reject(
    plan_id: PlanId,
    operator: Operator,
    reason: Annotated[str, typer.Option(help="Why.")],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
) -> None:
    """Refuse a plan as a second person."""
    with connect("inventory", inventory, tls_dir) as channel:
        request = pb.RejectPlanRequest(
            request_id=str(uuid.uuid4()), plan_id=plan_id, operator=operator, reason=reason
        )
        PlanningServiceStub(channel).RejectPlan(request)
    Console().print("Rejected.")


@app.command(name="carry-out")
@readable
def carry_out(
    plan_id: PlanId,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
) -> None:
    """Turn an approved plan into allocations."""
    with connect("inventory", inventory, tls_dir) as channel:
        request = pb.CarryOutPlanRequest(request_id=str(uuid.uuid4()), plan_id=plan_id, operator=operator)
        done = PlanningServiceStub(channel).CarryOutPlan(request, timeout=60).plan
    made = len(done.allocation_ids)
    typer.echo(f"{counted(made, 'allocation')} made; dispatch each as it leaves:")
    if made > _MOST_NEXT:
        typer.echo("tunggal shipment list --state allocated\ntunggal shipment dispatch SHIPMENT")
    else:
        typer.echo("\n".join(f"tunggal shipment dispatch {each}" for each in done.allocation_ids))


def _draw(found: pb.Plan, plot: Path | None, as_json: bool) -> None:
    """After the plan was shown: where the file cannot be written, its id is known."""
    if plot is None:
        return
    from cli import plots

    plots.plan(found, plot)
    if not as_json:
        Console().print(f"Drawn in {plot}.", style="dim", markup=False)


def _require_province(code: str) -> None:
    """Raises :class:`InvalidArgument` for what is no province."""
    if re.fullmatch("[0-9]{2}", code) and name_of(code):
        return
    province = code[:2] if name_of(code) and name_of(code[:2]) else ""
    raise InvalidArgument(
        "NOT_A_PROVINCE",
        f"{code} is {f'{name_of(code)}, ' if province else ''}no province",
        field="province",
        remedy=f"Plan for all of {name_of(province)}: --province {province}."
        if province
        else "Provinces have codes of two digits, such as 32 for Jawa Barat.",
    )


def _show(found: pb.Plan, as_json: bool, *, why: bool = False) -> None:
    if as_json:
        typer.echo(to_json(found))
        return
    console = Console()
    given = found.available - found.left_over
    whole = "The whole country" if found.scope == CENTRE else f"{found.scope} {name_of(found.scope)}"
    source = "the centre" if found.source == CENTRE else f"{found.source} {name_of(found.source)}"
    console.print(
        f"[bold]{whole}[/]: {given:,} of {found.available:,} units of {found.item} from {source}; "
        f"{found.left_over:,} stay. State: {_STATES[found.state]}."
    )
    before = f"{found.days_before:,.1f}" if found.days_before > 0 else "0 (it is short already)"
    console.print(f"The first runs dry after {found.days_after:,.1f} working days instead of {before}.")
    late = sum(share.gap_days > 0 for share in found.shares)
    if late:
        dry = "location runs" if late == 1 else "locations run"
        console.print(f"{late} {dry} dry before anything can arrive.", style="yellow")
    console.print(_reasons(found) if why else _numbers(found, console.width))
    lent = [move for move in found.moves if move.from_location != found.source]
    for move in lent:
        console.print(f"{move.from_location} lends {move.units:,} to {move.to_location}.")


def _numbers(found: pb.Plan, width: int) -> Table:
    names = width >= _WIDE
    table = Table(header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Location", no_wrap=True)
    if names:
        table.add_column("", overflow="ellipsis", no_wrap=True, max_width=24)
    for column in ("Has", "Waiting", "A day", "Gets", "Lasts", "then"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("Runs dry", no_wrap=True)
    for share in found.shares:
        table.add_row(
            share.location,
            *([name_of(share.location)] if names else []),
            f"{share.stock:,}",
            f"{share.waiting:,}",
            f"{share.per_working_day:,.0f}",
            _gets(share),
            _lasts(share.days_before),
            _lasts(share.days_after),
            share.run_dry_after or "now",
        )
    table.caption = "days: working days"
    table.caption_justify = "left"
    return table


def _reasons(found: pb.Plan) -> Table:
    table = Table(header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Location", no_wrap=True)
    table.add_column("Gets", justify="right", no_wrap=True)
    table.add_column("Why")
    for share in found.shares:
        table.add_row(share.location, _gets(share), Text(share.explanation))
    return table


def _lasts(days: float) -> str:
    """Working days; below zero: so many ago."""
    return f"{round(days, 1) + 0.0:,.1f}"


def _gets(share: pb.PlanShare) -> Text:
    style = "green" if share.units > 0 else "yellow" if share.units < 0 else "dim"
    return Text(f"{share.units:+,}" if share.units else "–", style)
