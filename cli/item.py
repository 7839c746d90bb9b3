"""`tunggal item`: the catalogue of what is kept in stock."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import ledger_pb2 as pb
from tunggal.inventory.v1.ledger_pb2_grpc import LedgerServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect

app = typer.Typer(help="The catalogue of what is kept in stock.", no_args_is_help=True)


@app.command(name="list")
@readable
def listed(
    inventory: InventoryEndpoint = INVENTORY, tls_dir: TlsDir = DEFAULT_TLS_DIR, as_json: AsJson = False
) -> None:
    """List the items."""
    with connect("inventory", inventory, tls_dir) as channel:
        items = LedgerServiceStub(channel).ListItems(pb.ListItemsRequest()).items
    if as_json:
        typer.echo(to_json(items))
        return
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("Item", "Name", "Unit"):
        table.add_column(column)
    table.add_column("Cards a unit", justify="right")
    for one in items:
        table.add_row(one.item_id, one.name, one.unit, f"{one.cards_per_unit:,}")
    Console(highlight=False).print(table)


@app.command()
@readable
def add(
    item_id: Annotated[str, typer.Argument(metavar="ITEM", help="Short name, such as ribbon-colour.")],
    name: Annotated[str, typer.Option(help="Name for people.")],
    unit: Annotated[str, typer.Option(help="What one unit is: roll, kit.")],
    cards: Annotated[int, typer.Option(min=1, help="How many cards one unit is enough for.")],
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Add an item without serial numbers; it stays for good."""
    new = pb.Item(item_id=item_id, name=name, unit=unit, cards_per_unit=cards)
    request = pb.AddItemRequest(request_id=str(uuid.uuid4()), item=new)
    with connect("inventory", inventory, tls_dir) as channel:
        stored = LedgerServiceStub(channel).AddItem(request).item
    said = (
        f"{stored.item_id}: {stored.name}; one {stored.unit} is enough for {stored.cards_per_unit:,} cards."
    )
    typer.echo(to_json(stored) if as_json else said)
