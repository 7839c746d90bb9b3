"""`tunggal forecast`: what runs dry where and when, and what holds cards back meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
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
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, PlotFile, TlsDir, connect
from cli.places import name_of, require_known
from services.inventory.words import counted

#: Words for what holds cards back.
WORDS = {
    pb.CONSTRAINT_MAINTENANCE: "maintenance ended",
    pb.CONSTRAINT_LICENCE: "ABIS licence ended",
    pb.CONSTRAINT_LICENCE_FULL: "ABIS licence full",
    pb.CONSTRAINT_SEARCHES: "ABIS searches",
    pb.CONSTRAINT_PRINTERS: "printers",
    pb.CONSTRAINT_RIBBON: "ribbon",
    pb.CONSTRAINT_BLANKS: "blanks",
}
#: Days that count as soon; widths of a screen that has room for intervals, and for names.
_SOON, _MIDDLE, _WIDE = 30, 104, 132
#: Locations whose days are asked for with one call; the service sends those of at most 50.
_AT_ONCE = 40


@readable
def forecast(
    location: Annotated[
        str, typer.Argument(metavar="[LOCATION]", help="32.16, 32 or ID; with all below it.")
    ] = "",
    horizon: Annotated[int, typer.Option(min=1, max=730, metavar="DAYS", help="Days to look ahead.")] = 180,
    plot: PlotFile = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Forecast the use of blanks: run-dry dates with their 80 % interval, when to order, what binds."""
    with connect("inventory", inventory, tls_dir) as channel:
        stub = PlanningServiceStub(channel)
        request = pb.GetForecastRequest(location=location, horizon_days=horizon)
        answer = stub.GetForecast(request, timeout=60)
        drawn = _with_days(stub, request, answer) if plot is not None else []
    if not answer.forecasts:
        require_known(location)
    if plot is not None and drawn:
        from cli import plots

        plots.forecast(drawn, len(answer.forecasts), date.fromisoformat(answer.start), plot)
    if as_json:
        typer.echo(to_json(answer))
        return
    console = Console()
    if not answer.forecasts:
        console.print(
            "No day of use has ended here yet, and nothing is reported: there is nothing to forecast."
        )
        return
    start = date.fromisoformat(answer.start)
    if len(answer.forecasts) == 1:
        _one(console, answer.forecasts[0], start, horizon)
    else:
        console.print(_many(answer.forecasts, start, console.width))
    for line in _gate(answer.gate, start, horizon):
        console.print(line)
    made_of = f"closed days up to {answer.history_until}" if answer.history_until else "reports alone"
    console.print(f"Made of {made_of}; looks {horizon} days ahead from {answer.start}.", style="dim")
    if plot is not None:
        console.print(f"Drawn in {plot}.", style="dim")


def _with_days(
    stub: PlanningServiceStub, request: pb.GetForecastRequest, answer: pb.GetForecastResponse
) -> list[pb.LocationForecast]:
    """Those that run dry first, with what is left on each day: the service sends that of some, not of all."""
    from cli import plots

    wanted = [each.location for each in plots.soonest(answer.forecasts)]
    asked = [request.location] if len(answer.forecasts) <= _AT_ONCE else wanted
    found: dict[str, pb.LocationForecast] = {}
    for location in asked if wanted else ():
        with_path = pb.GetForecastRequest(
            location=location, horizon_days=request.horizon_days, with_path=True
        )
        each = stub.GetForecast(with_path, timeout=60)
        found |= {one.location: one for one in each.forecasts}
    return [found[location] for location in wanted if location in found]


def _many(forecasts: Sequence[pb.LocationForecast], start: date, width: int) -> Table:
    names, interval = width >= _WIDE, width >= _MIDDLE
    caption = "soonest first; early–late: 80 % interval of the run-dry date" if interval else "soonest first"
    table = Table(
        header_style="bold",
        caption=caption,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("Location", no_wrap=True)
    if names:
        table.add_column("", overflow="ellipsis", no_wrap=True, max_width=24)
    for column in ("Free", *(["Coming"] if interval else []), "Waiting", "A day"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("Runs dry", no_wrap=True)
    if interval:
        table.add_column("early–late", no_wrap=True)
    table.add_column("Order by", no_wrap=True)
    # The only one that may be broken, so that no number is.
    table.add_column("Held back by")
    for each in sorted(forecasts, key=lambda one: (one.run_dry or "9", one.location)):
        table.add_row(
            each.location,
            *([name_of(each.location)] if names else []),
            f"{each.on_hand:,}",
            *([f"{each.in_transit:,}" if each.in_transit else "–"] if interval else []),
            f"{each.waiting + each.undeduplicated:,}",
            f"{each.per_working_day:,.0f}",
            _soon(each.run_dry, start, in_days=interval),
            *([_between(each, start)] if interval else []),
            Text("today", "bold red")
            if each.order_by == start.isoformat()
            else _short(each.order_by, start) or "–",
            _bound(each, start),
        )
    return table


def _one(console: Console, found: pb.LocationForecast, start: date, horizon: int) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    late = f" ({found.overdue:,} overdue)" if found.overdue else ""
    coming = f", {found.in_transit:,} on their way{late}" if found.in_transit else ""
    coming += f", {found.allocated:,} set aside for it" if found.allocated else ""
    letters = f" ({found.suket_debt:,} with a letter)" if found.suket_debt else ""
    waiting = f"{found.waiting:,} for a card{letters}, {found.undeduplicated:,} for deduplication"
    source = "reported arrivals" if found.from_reports else "own use"
    table.add_row("Blanks", f"{found.on_hand:,} free{coming}")
    table.add_row("People waiting", waiting)
    table.add_row(
        "Use", f"{found.per_working_day:,.1f} on a working day, by {source}; {found.spoilage:.1%} spoiled"
    )
    if found.explanation:
        table.add_row("Why", found.explanation)
    early, late = found.run_dry_early, found.run_dry_late or "later than that"
    beyond = Text(f"not within {horizon} days", "green")
    runs_dry = _when(found.run_dry, start) if found.run_dry else beyond
    table.add_row("Runs dry", runs_dry)
    if early:
        table.add_row("80 % interval", f"{early} to {late}")
    table.add_row(
        "Reorder point", f"{found.reorder_point:,} blanks, for {counted(found.lead_days, 'day')} of delivery"
    )
    table.add_row("Order by", _when(found.order_by, start) if found.order_by else "nothing to order yet")
    table.add_row("Nobody waits from", found.served or Text(f"not within {horizon} days", "red"))
    console.print(Text(f"{found.location} {name_of(found.location)}", style="bold"))
    console.print(table)
    if not found.spans:
        console.print("Nothing holds cards back.", style="green")
        return
    spans = Table(header_style="bold")
    for column in ("Held back by", "from", "to"):
        spans.add_column(column)
    spans.add_column("People waiting, at most", justify="right")
    last = (start + timedelta(days=horizon - 1)).isoformat()
    for span in found.spans:
        open_end = span.last_day >= (date.fromisoformat(last) - timedelta(days=4)).isoformat()
        spans.add_row(
            WORDS[span.constraint],
            span.first_day,
            "end of horizon" if open_end else span.last_day,
            f"{span.held:,}",
        )
    console.print(spans)


def _gate(gate: pb.AbisGate, start: date, horizon: int) -> list[Text]:
    """What lets the whole country through, a line each: licence, its ceiling, maintenance."""
    lines = []
    for name, until in (("ABIS licence", gate.licence_until), ("Maintenance", gate.maintenance_until)):
        if until:
            over = date.fromisoformat(until) < start
            verb = "ended on" if over else "until"
            again = f"; the gate opens again on {gate.opens}" if over and gate.opens else ""
            lines.append(Text(f"{name} {verb} {until}{again}", "bold red" if over else ""))
    if gate.max_people and gate.HasField("people_time"):
        room = gate.max_people - gate.people
        full = f"full on {gate.full_on}" if gate.full_on else f"not full within {horizon} days"
        lines.append(
            Text(
                f"ABIS licence for {gate.max_people:,} people, {gate.people:,} are there: room for {room:,}, "
                f"{full} at {gate.arrivals_per_working_day:,.0f} a working day",
                "yellow" if gate.full_on else "",
            )
        )
    elif gate.max_people:
        lines.append(
            Text(f"ABIS licence for {gate.max_people:,} people; the ABIS has not said how many it has")
        )
    return lines


def _between(found: pb.LocationForecast, start: date) -> str:
    if not found.run_dry_early:
        return "–"
    return f"{_short(found.run_dry_early, start)}–{_short(found.run_dry_late, start) or '…'}"


def _bound(found: pb.LocationForecast, start: date) -> Text:
    if not found.spans:
        return Text("nothing", "green")
    span = found.spans[0]
    more = f" +{len(found.spans) - 1}" if len(found.spans) > 1 else ""
    return Text(f"{WORDS[span.constraint]} {_short(span.first_day, start)}{more}")


def _when(day: str, start: date) -> Text:
    left = (date.fromisoformat(day) - start).days
    return Text(
        f"{day} ({counted(left, 'day')} from now)" if left else f"{day}, which is today", _style(left)
    )


def _soon(day: str, start: date, *, in_days: bool) -> Text:
    if not day:
        return Text("–", "green")
    left = (date.fromisoformat(day) - start).days
    when = f"{_short(day, start)} ({left} d)" if in_days else _short(day, start)
    return Text(when if left else "today", _style(left))


def _style(days_left: int) -> str:
    return "bold red" if days_left <= 7 else "yellow" if days_left <= _SOON else "green"


def _short(day: str, start: date) -> str:
    """The day as 4 Jan, with its year where that is another one than now; nothing for no day."""
    if not day:
        return ""
    found = date.fromisoformat(day)
    return f"{found:%-d %b}" if found.year == start.year else f"{found:%-d %b %Y}"
