"""`tunggal capacity`: printers and lead times of a place, which its forecast reckons with."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer
from tunggal.inventory.v1 import planning_pb2 as pb
from tunggal.inventory.v1.planning_pb2_grpc import PlanningServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect


@readable
def capacity(
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="Where, such as 32.16.")],
    printers: Annotated[int, typer.Option(min=0, help="Printers that work; 0: not known.")] = 0,
    rate: Annotated[
        int, typer.Option(min=0, help="Cards of one printer on a working day; 0: not known.")
    ] = 0,
    lead_days: Annotated[int, typer.Option(min=0, help="Days from order to receipt; 0: not known.")] = 0,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Say what a place has beside its stock; this replaces what was said before."""
    given = pb.Capacity(location=location, printers=printers, cards_per_printer_day=rate, lead_days=lead_days)
    request = pb.SetCapacityRequest(request_id=str(uuid.uuid4()), capacity=given)
    with connect("inventory", inventory, tls_dir) as channel:
        stored = PlanningServiceStub(channel).SetCapacity(request).capacity
    known = (
        f"{name} {number:,}" if number else f"{name} not known"
        for name, number in (
            ("printers", stored.printers),
            ("cards a printer and day", stored.cards_per_printer_day),
            ("days from order to receipt", stored.lead_days),
        )
    )
    typer.echo(to_json(stored) if as_json else f"{stored.location}: {', '.join(known)}.")
