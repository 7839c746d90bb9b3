"""`tunggal count`: what is on the shelf, counted blindly by two people and approved by a third."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

import typer
from rich.console import Console
from tunggal.inventory.v1 import counts_pb2 as pb
from tunggal.inventory.v1.counts_pb2_grpc import CountServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.movements import (
    Item,
    Quantity,
    Reason,
    Serials,
    Where,
    new_id,
    person,
    ranges,
    tabulate,
    tell,
    word,
    written,
)
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.pages import every
from cli.places import national_time
from services.inventory.words import counted

app = typer.Typer(
    help="Count free stock: two people who see neither books nor each other, a third who approves.",
    no_args_is_help=True,
)

#: What becomes of a difference, by the state of its count.
_BOOKED = {
    pb.COUNT_STATE_AGREED: " Approval books it.",
    pb.COUNT_STATE_APPLIED: " It is booked.",
    pb.COUNT_STATE_REJECTED: " Nothing was booked.",
}

CountId = Annotated[str, typer.Argument(metavar="COUNT", help="Id of the count.")]


@app.command()
@readable
def begin(
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="Where, such as 32.16.")],
    operator: Operator,
    item: Item = "blank",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Begin a count of one item; let nothing move there until it is approved."""
    request = pb.BeginCountRequest(request_id=new_id(), location=location, item=item, operator=operator)
    with connect("inventory", inventory, tls_dir) as channel:
        begun = CountServiceStub(channel).BeginCount(request).count
    option = "--serials 1-400,411-500" if item == "blank" else "--quantity 17"
    tell(
        begun,
        f"Count of free {item} at {location} begun; let nothing move there.\n"
        f"Each of two people: tunggal count sheet {begun.count_id} {option}",
        as_json=as_json,
    )


@app.command()
@readable
def sheet(
    count: CountId,
    operator: Operator,
    serials: Serials = "",
    quantity: Quantity = 0,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Hand in what you counted; an empty shelf is a sheet with neither serials nor quantity."""
    request = pb.SubmitCountRequest(
        request_id=new_id(), count_id=count, quantity=quantity, serials=ranges(serials), operator=operator
    )
    with connect("inventory", inventory, tls_dir) as channel:
        seen = CountServiceStub(channel).SubmitCount(request).count
    if seen.state == pb.COUNT_STATE_AGREED:
        next_step = f"The last two sheets agree. Somebody who did not count: {_approval(count)}"
    elif seen.rounds == 1:
        next_step = "Somebody else counts now, without having seen this sheet."
    else:
        next_step = (
            f"{seen.rounds} sheets, and the last two do not agree: somebody who has not counted counts."
        )
    tell(seen, f"Sheet {seen.rounds} is in. {next_step}", as_json=as_json)


@app.command()
@readable
def show(
    count: CountId,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show a count: the books and the sheets, once two sheets agree."""
    with connect("inventory", inventory, tls_dir) as channel:
        found = CountServiceStub(channel).GetCount(pb.GetCountRequest(count_id=count)).count
    if as_json:
        typer.echo(to_json(found))
        return
    console = Console(emoji=False)
    console.print(_said(found), highlight=False)
    if found.state == pb.COUNT_STATE_COUNTING:
        return
    console.print(f"The books had {found.expected:,} when it began.", highlight=False)
    for one in found.sheets:
        serials = f": {written(one.serials)}" if one.serials else ""
        console.print(
            f"  {one.round}. {person(one.counted_by)} counted {one.quantity:,}{serials}", highlight=False
        )
    difference = found.sheets[-1].quantity - found.expected if found.sheets else 0
    if difference:
        console.print(f"Difference: {difference:+,}.{_BOOKED.get(found.state, '')}", highlight=False)
    if found.state == pb.COUNT_STATE_AGREED:
        console.print(f"Somebody who did not count: {_approval(count)}", soft_wrap=True, highlight=False)
    if found.decided_by:
        console.print(f"{person(found.decided_by)} decided: {found.decision}", highlight=False)


@app.command()
@readable
def approve(
    count: CountId,
    reason: Reason,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Let the books follow what two people counted, as a third."""
    request = pb.ApproveCountRequest(request_id=new_id(), count_id=count, reason=reason, operator=operator)
    with connect("inventory", inventory, tls_dir) as channel:
        answer = CountServiceStub(channel).ApproveCount(request)
    tell(
        answer, f"{_said(answer.count)}\n{answer.missing:,} missing, {answer.found:,} found.", as_json=as_json
    )


@app.command()
@readable
def reject(
    count: CountId,
    reason: Reason,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Drop a count as somebody who did not count; the books stay as they are."""
    request = pb.RejectCountRequest(request_id=new_id(), count_id=count, reason=reason, operator=operator)
    with connect("inventory", inventory, tls_dir) as channel:
        dropped = CountServiceStub(channel).RejectCount(request).count
    tell(dropped, _said(dropped), as_json=as_json)


@app.command(name="list")
@readable
def listed(
    location: Where = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List counts."""
    request = pb.ListCountsRequest(location=location)
    with connect("inventory", inventory, tls_dir) as channel:
        found = every(CountServiceStub(channel).ListCounts, request, "counts")
    tabulate(
        found,
        ("Count", "Where", "Item", "Begun (WIB)", "By", "Sheets", "State"),
        lambda one: (
            one.count_id,
            one.location,
            one.item,
            national_time(one.begin_time.ToDatetime(UTC)),
            person(one.begun_by),
            str(one.rounds),
            word(pb.CountState, one.state),
        ),
        as_json=as_json,
        nothing="No count.",
    )


def _approval(count: str) -> str:
    return f"tunggal count approve {count} --reason …"


def _said(count: pb.StockCount) -> str:
    state = word(pb.CountState, count.state)
    sheets = counted(count.rounds, "sheet")
    return f"Count of {count.item} at {count.location}, {sheets}: {state}."
