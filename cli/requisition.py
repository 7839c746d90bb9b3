"""`tunggal requisition`: a location asks for stock, somebody else grants it."""

from __future__ import annotations

from typing import Annotated

import typer
from tunggal.inventory.v1 import movements_pb2 as pb
from tunggal.inventory.v1.movements_pb2_grpc import MovementServiceStub

from cli.errors import readable
from cli.movements import Item, Reason, Where, new_id, person, tabulate, tell, units, warn_past, word
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.pages import every
from cli.places import warn_unknown

app = typer.Typer(help="Ask for stock, and grant it as a second person.", no_args_is_help=True)

Requisition = Annotated[str, typer.Argument(metavar="REQUISITION", help="Id of the requisition.")]


@app.command()
@readable
def ask(
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="Who needs it, such as 32.16.")],
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", min=1, help="Units.")],
    reason: Reason,
    operator: Operator,
    item: Item = "blank",
    needed_by: Annotated[str, typer.Option(metavar="DAY", help="By which day: 2026-03-10.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Ask for stock."""
    warn_unknown(location)
    warn_past(needed_by)
    request = pb.CreateRequisitionRequest(
        request_id=new_id(),
        location=location,
        item=item,
        quantity=quantity,
        needed_by=needed_by,
        reason=reason,
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        made = MovementServiceStub(channel).CreateRequisition(request).requisition
    grant = f"tunggal requisition grant {made.requisition_id} --from ID --reason …"
    tell(made, f"{location} asks for {units(quantity, item)}.\nSomebody else: {grant}", as_json=as_json)


@app.command()
@readable
def grant(
    requisition: Requisition,
    source: Annotated[str, typer.Option("--from", metavar="LOCATION", help="Who sends.")],
    reason: Reason,
    operator: Operator,
    quantity: Annotated[int, typer.Option(min=0, help="Units; all that were asked for unless given.")] = 0,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Grant a requisition as a second person; its stock is set aside at once."""
    request = pb.ApproveRequisitionRequest(
        request_id=new_id(),
        requisition_id=requisition,
        from_location=source,
        quantity=quantity,
        reason=reason,
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        answer = MovementServiceStub(channel).ApproveRequisition(request)
    given, shipment = answer.requisition, answer.allocation.allocation_id
    share = f"{given.granted:,} of {units(given.quantity, given.item)}"
    said = f"{share} are set aside at {source} for {given.location}."
    tell(answer, f"{said}\nWhen it leaves: tunggal shipment dispatch {shipment}", as_json=as_json)


@app.command()
@readable
def reject(
    requisition: Requisition,
    reason: Reason,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Refuse a requisition as a second person."""
    request = pb.RejectRequisitionRequest(
        request_id=new_id(), requisition_id=requisition, reason=reason, operator=operator
    )
    with connect("inventory", inventory, tls_dir) as channel:
        refused = MovementServiceStub(channel).RejectRequisition(request).requisition
    tell(
        refused, f"{refused.location} does not get {units(refused.quantity, refused.item)}.", as_json=as_json
    )


@app.command(name="list")
@readable
def listed(
    location: Where = "",
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those that nobody decided on yet.")
    ] = False,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List requisitions."""
    state = pb.REQUISITION_STATE_REQUESTED if waiting else pb.REQUISITION_STATE_UNSPECIFIED
    request = pb.ListRequisitionsRequest(location=location, state=state)
    with connect("inventory", inventory, tls_dir) as channel:
        found = every(MovementServiceStub(channel).ListRequisitions, request, "requisitions")
    tabulate(
        found,
        ("Requisition", "Who", "What", "By day", "State", "Granted", "Asked by", "Why"),
        lambda one: (
            one.requisition_id,
            one.location,
            units(one.quantity, one.item),
            one.needed_by,
            word(pb.RequisitionState, one.state),
            f"{one.granted:,}" if one.granted else "",
            person(one.requested_by),
            one.reason,
        ),
        as_json=as_json,
        nothing="No requisition.",
    )
