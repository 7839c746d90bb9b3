"""`tunggal refusal`: somebody was sent away at a counter, beside what the books said at that moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from tunggal.inventory.v1 import movements_pb2 as pb
from tunggal.inventory.v1.movements_pb2_grpc import MovementServiceStub

from cli.errors import readable
from cli.movements import Item, Where, new_id, tabulate, tell, units
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.pages import every
from cli.places import local_time, name_of
from services.common.errors import NotFound

app = typer.Typer(help="Record who was sent away for want of stock, and look at it.", no_args_is_help=True)


@app.command()
@readable
def record(
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="The counter's: 32.16, 32.16:site.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What they were told; never a name or a NIK.")
    ],
    operator: Operator,
    people: Annotated[int, typer.Option(min=1, help="How many were sent away.")] = 1,
    item: Item = "blank",
    at: Annotated[
        datetime | None,
        typer.Option(help="When: 2026-03-02T08:30+07:00; UTC without an offset. Now if left out."),
    ] = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Record that people were sent away. It will be published with the day's statement."""
    if not name_of(location):
        raise NotFound(
            "LOCATION_UNKNOWN",
            f"there is no region {location}",
            field="LOCATION",
            remedy="Write the regency's code, such as 32.16, or its site, 32.16:mall-01.",
        )
    request = pb.RecordRefusalRequest(
        request_id=new_id(), location=location, item=item, people=people, reason=reason, operator=operator
    )
    if at is not None:
        request.event_time.FromDatetime(at.replace(tzinfo=at.tzinfo or UTC))
    with connect("inventory", inventory, tls_dir) as channel:
        made = MovementServiceStub(channel).RecordRefusal(request).refusal
    tell(made, f"{made.people:,} sent away at {made.location}. {_books(made)}", as_json=as_json)


@app.command(name="list")
@readable
def show(
    location: Where = "",
    contradicted: Annotated[
        bool, typer.Option("--contradicted", help="Only those where the books had stock.")
    ] = False,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List refusals in the order of their recording."""
    request = pb.ListRefusalsRequest(location=location, contradicted_only=contradicted)
    with connect("inventory", inventory, tls_dir) as channel:
        found = every(MovementServiceStub(channel).ListRefusals, request, "refusals")
    tabulate(
        found,
        ("Location", "When", "People", "Told", "Books"),
        lambda each: (
            each.location,
            local_time(each.event_time.ToDatetime(UTC), each.location),
            f"{each.people:,}",
            each.reason,
            _books(each),
        ),
        as_json=as_json,
        nothing="Nobody was sent away.",
    )


def _books(refusal: pb.Refusal) -> str:
    had = units(refusal.on_hand, refusal.item) if refusal.contradicted else f"no {refusal.item}"
    return f"The books had {had} then."
