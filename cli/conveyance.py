"""`tunggal conveyance`: spoiled stock and withdrawn cards on their way to a destruction elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer
from tunggal.inventory.v1 import conveyances_pb2 as pb
from tunggal.inventory.v1.conveyances_pb2_grpc import ConveyanceServiceStub

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
    units,
    word,
    written,
)
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.pages import every

app = typer.Typer(help="Send what is to be destroyed to where it is destroyed.", no_args_is_help=True)


@app.command()
@readable
def send(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Where it is, such as 32.16.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where it is to be destroyed, such as 32.")],
    reason: Reason,
    operator: Operator,
    serials: Serials = "",
    quantity: Quantity = 0,
    item: Item = "blank",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Send spoiled stock and withdrawn cards to another place; spoilage must be accepted before."""
    request = pb.SendConveyanceRequest(
        request_id=new_id(),
        from_location=source,
        to_location=target,
        item=item,
        quantity=quantity,
        serials=ranges(serials),
        reason=reason,
        operator=operator,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        sent = ConveyanceServiceStub(channel).SendConveyance(request).conveyance
    arrives = f"Somebody else, when it arrives: tunggal conveyance receive {sent.conveyance_id}"
    tell(sent, f"{_said(sent)}\n{arrives}", as_json=as_json)


@app.command()
@readable
def receive(
    conveyance: Annotated[str, typer.Argument(metavar="CONVEYANCE", help="Id of the conveyance.")],
    operator: Operator,
    serials: Serials = "",
    quantity: Quantity = 0,
    returned: Annotated[bool, typer.Option("--returned", help="It came back to the sender.")] = False,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Confirm what arrived: all of it unless something is named; the rest stays on its way."""
    request = pb.ReceiveConveyanceRequest(
        request_id=new_id(),
        conveyance_id=conveyance,
        quantity=quantity,
        serials=ranges(serials),
        operator=operator,
        returned=returned,
    )
    with connect("inventory", inventory, tls_dir) as channel:
        seen = ConveyanceServiceStub(channel).ReceiveConveyance(request).conveyance
    tell(seen, _said(seen), as_json=as_json)


@app.command(name="list")
@readable
def listed(
    location: Where = "",
    under_way: Annotated[bool, typer.Option("--under-way", help="Only what has not all arrived.")] = False,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List conveyances with what is on its way."""
    state = pb.CONVEYANCE_STATE_SENT if under_way else pb.CONVEYANCE_STATE_UNSPECIFIED
    request = pb.ListConveyancesRequest(location=location, state=state)
    with connect("inventory", inventory, tls_dir) as channel:
        found = every(ConveyanceServiceStub(channel).ListConveyances, request, "conveyances")
    tabulate(
        found,
        ("Conveyance", "From", "To", "What", "Under way", "Serials", "Sent by", "State"),
        lambda one: (
            one.conveyance_id,
            one.from_location,
            one.to_location,
            units(one.quantity, one.item),
            f"{one.under_way:,}",
            written(one.serials_under_way, most=2),
            person(one.sent_by),
            word(pb.ConveyanceState, one.state),
        ),
        as_json=as_json,
        nothing="No conveyance.",
    )


def _said(one: pb.Conveyance) -> str:
    left = f"{one.under_way:,} on their way" if one.under_way else "all arrived"
    serials = f" ({written(one.serials)})" if one.serials else ""
    return f"{units(one.quantity, one.item)}{serials} from {one.from_location} to {one.to_location}: {left}."
