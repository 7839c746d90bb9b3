"""`tunggal reversal`: take back what was booked, alone on the day, by two people afterwards."""

from __future__ import annotations

from typing import Annotated

import typer
from tunggal.inventory.v1 import ledger_pb2
from tunggal.inventory.v1 import reversals_pb2 as pb
from tunggal.inventory.v1.ledger_pb2_grpc import LedgerServiceStub
from tunggal.inventory.v1.reversals_pb2_grpc import ReversalServiceStub

from cli.errors import readable
from cli.movements import Reason, new_id, person, tabulate, tell, word
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.pages import every
from services.common.errors import InvalidArgument

app = typer.Typer(
    help="Take back what was booked: your own typo of today alone, anything else by two people.",
    no_args_is_help=True,
)

ReversalId = Annotated[str, typer.Argument(metavar="REVERSAL", help="Id of the reversal.")]
TransferId = Annotated[
    str, typer.Option("--transfer", metavar="ID", help="A transfer (tunggal blank show N --json).")
]
ShipmentId = Annotated[str, typer.Option("--shipment", metavar="ID", help="The last step of a shipment.")]


@app.command()
@readable
def typo(
    transfer: Annotated[str, typer.Argument(metavar="TRANSFER", help="Id of the transfer.")],
    reason: Reason,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Take your own transfer of today back alone. Of a shipment: tunggal shipment reverse."""
    request = ledger_pb2.ReverseTransferRequest(request_id=new_id(), transfer_id=transfer, reason=reason)
    with connect("inventory", inventory, tls_dir) as channel:
        opposite = LedgerServiceStub(channel).ReverseTransfer(request).transfer
    tell(opposite, f"Transfer {transfer} is taken back; both stay in the books.", as_json=as_json)


@app.command()
@readable
def propose(
    reason: Reason,
    operator: Operator,
    transfer: TransferId = "",
    shipment: ShipmentId = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Propose to take something back; nothing moves before somebody else approves."""
    if bool(transfer) == bool(shipment):
        raise InvalidArgument(
            "ONE_SUBJECT",
            "Either a transfer or a shipment is taken back.",
            field="subject",
            remedy="Give --transfer or --shipment.",
        )
    request = pb.ProposeReversalRequest(request_id=new_id(), reason=reason, operator=operator)
    if transfer:
        request.transfer_id = transfer
    else:
        request.allocation_id = shipment
    with connect("inventory", inventory, tls_dir) as channel:
        made = ReversalServiceStub(channel).ProposeReversal(request).reversal
    tell(made, f"{_said(made)}\nSomebody else: tunggal reversal approve {made.reversal_id}", as_json=as_json)


@app.command()
@readable
def approve(
    reversal: ReversalId,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Take it back as a second person."""
    request = pb.ApproveReversalRequest(request_id=new_id(), reversal_id=reversal, operator=operator)
    with connect("inventory", inventory, tls_dir) as channel:
        done = ReversalServiceStub(channel).ApproveReversal(request).reversal
    tell(done, _said(done), as_json=as_json)


@app.command()
@readable
def reject(
    reversal: ReversalId,
    operator: Operator,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Let stand what was booked, as a second person."""
    request = pb.RejectReversalRequest(request_id=new_id(), reversal_id=reversal, operator=operator)
    with connect("inventory", inventory, tls_dir) as channel:
        done = ReversalServiceStub(channel).RejectReversal(request).reversal
    tell(done, _said(done), as_json=as_json)


@app.command(name="list")
@readable
def listed(
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those that nobody decided on yet.")
    ] = False,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List reversals that were proposed."""
    state = pb.REVERSAL_STATE_PROPOSED if waiting else pb.REVERSAL_STATE_UNSPECIFIED
    with connect("inventory", inventory, tls_dir) as channel:
        found = every(
            ReversalServiceStub(channel).ListReversals, pb.ListReversalsRequest(state=state), "reversals"
        )
    tabulate(
        found,
        ("Reversal", "What", "Why", "Proposed by", "State", "Decided by"),
        lambda one: (
            one.reversal_id,
            one.kind.replace(".", " "),
            one.reason,
            person(one.proposed_by),
            f"stale: {one.stale}" if one.stale else word(pb.ReversalState, one.state),
            person(one.decided_by),
        ),
        as_json=as_json,
        nothing="No reversal.",
    )


def _said(one: pb.Reversal) -> str:
    of = f" of shipment {one.allocation_id}" if one.allocation_id else f" {one.transfer_id}"
    return f"To take back {one.kind}{of}: {word(pb.ReversalState, one.state)}."
