"""`tunggal site`: places of events, with stock and printers of their own for some days."""

from __future__ import annotations

from typing import Annotated

import typer
from tunggal.inventory.v1 import movements_pb2 as pb
from tunggal.inventory.v1.movements_pb2_grpc import MovementServiceStub

from cli.errors import readable
from cli.movements import new_id, person, tabulate, tell, warn_past
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, Operator, TlsDir, connect
from cli.places import warn_unknown

app = typer.Typer(
    help="Sites of events: what they print is charged to them, wherever its holders live.",
    no_args_is_help=True,
)

Code = Annotated[
    str, typer.Argument(metavar="SITE", help="Regency and a word of its own: 31.71:jakarta-fair.")
]


@app.command(name="open")
@readable
def begin(
    location: Code,
    operator: Operator,
    name: Annotated[str, typer.Option(help="Name for people.")],
    opens: Annotated[str, typer.Option(metavar="DAY", help="First day: 2026-06-01.")],
    closes: Annotated[str, typer.Option(metavar="DAY", help="Last day.")],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Open a site, so that stock can be sent there."""
    warn_unknown(location)
    warn_past(closes)
    request = pb.OpenSiteRequest(
        request_id=new_id(), location=location, name=name, opens=opens, closes=closes, operator=operator
    )
    with connect("inventory", inventory, tls_dir) as channel:
        site = MovementServiceStub(channel).OpenSite(request).site
    stock = f"Stock for it: tunggal shipment allocate ID {location} QUANTITY --reason …"
    tell(site, f"{name} ({location}) is open from {opens} to {closes}.\n{stock}", as_json=as_json)


@app.command()
@readable
def close(
    location: Code,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Close a site that has nothing left: no stock, no scrap, no debt."""
    request = pb.CloseSiteRequest(request_id=new_id(), location=location)
    with connect("inventory", inventory, tls_dir) as channel:
        site = MovementServiceStub(channel).CloseSite(request).site
    tell(site, f"{site.name} ({location}) is closed.", as_json=as_json)


@app.command(name="list")
@readable
def listed(
    inventory: InventoryEndpoint = INVENTORY, tls_dir: TlsDir = DEFAULT_TLS_DIR, as_json: AsJson = False
) -> None:
    """List sites."""
    with connect("inventory", inventory, tls_dir) as channel:
        found = list(MovementServiceStub(channel).ListSites(pb.ListSitesRequest()).sites)
    tabulate(
        found,
        ("Site", "Name", "From", "To", "State", "Opened by"),
        lambda one: (
            one.location,
            one.name,
            one.opens,
            one.closes,
            "open" if one.open else "closed",
            person(one.opened_by),
        ),
        as_json=as_json,
        nothing="No site.",
    )
