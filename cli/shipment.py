"""`tunggal shipment`: stock from one location to another: set aside, sent, received as it arrived."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from tunggal.inventory.v1 import inventory_pb2, stock_pb2
from tunggal.inventory.v1 import movements_pb2 as pb
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from tunggal.inventory.v1.movements_pb2_grpc import MovementServiceStub

from cli.errors import readable
from cli.movements import Item, Reason, Where, new_id, ranges, tabulate, tell, units, word, written
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.pages import every
from cli.places import warn_unknown

app = typer.Typer(
    help="Send stock from one location to another and confirm what arrived.", no_args_is_help=True
)

Shipment = Annotated[str, typer.Argument(metavar="SHIPMENT", help="Id of the allocation.")]


class State(StrEnum):
    """How far a shipment has come."""

    ALLOCATED = "allocated"
    DISPATCHED = "dispatched"
    RECEIVED = "received"
    CANCELLED = "cancelled"


@app.command()
@readable
def allocate(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Who sends, such as ID or 32.15.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Who gets it, such as 32.16.")],
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", min=1, help="Units.")],
    reason: Reason,
    item: Item = "blank",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Set stock aside for another location."""
    warn_unknown(target)
    request = pb.AllocateItemRequest(
        request_id=new_id(),
        item=item,
        from_location=source,
        to_location=target,
        quantity=quantity,
        reason=reason,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        movements = MovementServiceStub(channel)
        if ":" in target and all(
            target != site.location for site in movements.ListSites(pb.ListSitesRequest()).sites
        ):
            typer.echo(f"note: No site {target} was opened (tunggal site open). Is it mistyped?", err=True)
        made = movements.AllocateItem(request).allocation
    tell(
        made,
        f"{_said(made)}\nWhen it leaves: tunggal shipment dispatch {made.allocation_id}",
        as_json=as_json,
    )


@app.command()
@readable
def dispatch(
    shipment: Shipment,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Say that a shipment left; from now on it is nobody's stock."""
    request = inventory_pb2.DispatchAllocationRequest(request_id=new_id(), allocation_id=shipment)
    with connect("inventory", inventory, tls_dir) as channel:
        sent = InventoryServiceStub(channel).DispatchAllocation(request).allocation
    tell(sent, f"{_said(sent)}\nWhen it arrives: tunggal shipment receive {shipment}", as_json=as_json)


@app.command()
@readable
def receive(
    shipment: Shipment,
    operator: Operator,
    missing: Annotated[str, typer.Option(help="What is not there: 101-150, or units of rolls.")] = "",
    damaged: Annotated[str, typer.Option(help="What cannot be used; somebody else reviews it.")] = "",
    surplus: Annotated[str, typer.Option(help="What came beyond what was sent.")] = "",
    reason: Annotated[str, typer.Option(help="What explains the difference.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Confirm what arrived: all of it, unless something is named as missing, damaged or too much."""
    named = {"missing": missing, "damaged": damaged, "too much": surplus}
    if any(named.values()) and not reason:
        # Else the books would give the reason of the shipment for the difference.
        reason = f"on arrival: {', '.join(what for what, units in named.items() if units)}"
    with connect("inventory", inventory, tls_dir) as channel:
        known = InventoryServiceStub(channel).GetAllocation(
            inventory_pb2.GetAllocationRequest(allocation_id=shipment)
        )
        request = pb.ReceiveShipmentRequest(
            request_id=new_id(),
            allocation_id=shipment,
            missing=_parcel(known.allocation.item, missing),
            damaged=_parcel(known.allocation.item, damaged),
            surplus=_parcel(known.allocation.item, surplus),
            reason=reason,
            operator=operator,
        )
        got = MovementServiceStub(channel).ReceiveShipment(request).allocation
    differences = ", ".join(
        f"{number:,} {what}"
        for number, what in ((got.missing, "missing"), (got.damaged, "damaged"), (got.surplus, "too much"))
        if number
    )
    said = [_said(got), f"Differences: {differences or 'none'}."]
    if got.damaged:
        said.append(f"Somebody else reviews the damage: tunggal spoilage list {got.to_location} --waiting")
    if got.missing:
        said.append(f"What turns up later is booked by a count: tunggal count begin {got.to_location}")
    tell(got, "\n".join(said), as_json=as_json)


@app.command()
@readable
def cancel(
    shipment: Shipment,
    reason: Reason,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Withdraw a shipment that has not left; its stock is free again."""
    request = inventory_pb2.CancelAllocationRequest(
        request_id=new_id(), allocation_id=shipment, reason=reason
    )
    with connect("inventory", inventory, tls_dir) as channel:
        gone = InventoryServiceStub(channel).CancelAllocation(request).allocation
    tell(gone, _said(gone), as_json=as_json)


@app.command()
@readable
def reverse(
    shipment: Shipment,
    reason: Reason,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Take its last step back: your own typo of today. Anything else: tunggal reversal propose."""
    request = pb.ReverseShipmentRequest(request_id=new_id(), allocation_id=shipment, reason=reason)
    with connect("inventory", inventory, tls_dir) as channel:
        again = MovementServiceStub(channel).ReverseShipment(request).allocation
    tell(again, _said(again), as_json=as_json)


@app.command(name="list")
@readable
def listed(
    location: Where = "",
    state: Annotated[State | None, typer.Option(help="Only those that have come so far.")] = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List shipments from and to a location."""
    request = inventory_pb2.ListAllocationsRequest(
        location=location,
        state=stock_pb2.AllocationState.Value(f"ALLOCATION_STATE_{state.name}") if state else 0,  # type: ignore[arg-type]
    )
    with connect("inventory", inventory, tls_dir) as channel:
        found = every(InventoryServiceStub(channel).ListAllocations, request, "allocations")
    tabulate(
        found,
        ("Shipment", "From", "To", "What", "State", "Serials", "Why"),
        lambda one: (
            one.allocation_id,
            one.from_location,
            one.to_location,
            units(one.quantity, one.item),
            word(stock_pb2.AllocationState, one.state),
            written(one.serials, most=2),
            one.reason,
        ),
        as_json=as_json,
        nothing="No shipment.",
    )


def _parcel(item: str, text: str) -> pb.Parcel:
    """Part of a shipment as typed: serial numbers of blanks, else units."""
    if item != "blank" and text.isdecimal():
        return pb.Parcel(quantity=int(text))
    return pb.Parcel(serials=ranges(text))


def _said(one: stock_pb2.Allocation) -> str:
    serials = f" ({written(one.serials)})" if one.serials else ""
    state = word(stock_pb2.AllocationState, one.state)
    return f"{units(one.quantity, one.item)}{serials} from {one.from_location} to {one.to_location}: {state}."
