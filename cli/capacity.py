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
from cli.places import warn_unknown
from services.common.errors import InvalidArgument


@readable
def capacity(
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="Where, such as 32.16.")],
    printers: Annotated[
        int | None, typer.Option(min=0, help="Printers that work; 0 or left out: not known.")
    ] = None,
    rate: Annotated[
        int | None,
        typer.Option(min=0, help="Cards of one printer on a working day; 0 or left out: not known."),
    ] = None,
    lead_days: Annotated[
        int | None, typer.Option(min=0, help="Days from order to receipt; 0 or left out: not known.")
    ] = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Say what a place has beside its stock; this replaces all that was said before."""
    if printers is rate is lead_days is None:
        raise InvalidArgument(
            "CAPACITY_MISSING",
            f"nothing is said of {location}, and what was said before would be forgotten",
            remedy="Name what is known, such as --printers 3; tunggal forecast shows what it reckons with.",
        )
    warn_unknown(location)
    given = pb.Capacity(
        location=location,
        printers=printers or 0,
        cards_per_printer_day=rate or 0,
        lead_days=lead_days or 0,
    )
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
