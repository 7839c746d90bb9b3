"""`tunggal stock`: how many blanks are where, in which condition."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import inventory_pb2
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from tunggal.inventory.v1.stock_pb2 import StockLevel

from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect

_CONDITIONS = ("on_hand", "allocated", "in_transit", "reserved", "consumed", "spoiled")


@readable
def stock(
    location: Annotated[
        str, typer.Argument(metavar="[LOCATION]", help="ID, 32, 32.16 or 32.16:site; with all below it.")
    ] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the stock of blanks, of the whole country or of one location and all below it."""
    with connect("inventory", inventory, tls_dir) as channel:
        answer = InventoryServiceStub(channel).GetStock(inventory_pb2.GetStockRequest(location=location))
    if as_json:
        plain = MessageToDict(
            answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        # JSON knows int64 as text; no stock of blanks outgrows a double.
        typer.echo(json.dumps(_numbers(plain), indent=2))
        return
    table = Table(header_style="bold")
    table.add_column("Location")
    for condition in _CONDITIONS:
        table.add_column(condition.replace("_", " ").capitalize(), justify="right")
    for level in answer.levels:
        table.add_row(level.location, *_counts(level))
    table.add_section()
    table.add_row("Total", *_counts(answer.total), style="bold")
    console = Console()
    console.print(table)
    outstanding = answer.contracted - answer.delivered
    console.print(
        f"Contracted {answer.contracted:,} = delivered {answer.delivered:,} + outstanding {outstanding:,} "
        "(whole country)"
    )


def _counts(level: StockLevel) -> list[str]:
    return [f"{getattr(level, condition):,}" for condition in _CONDITIONS]


def _numbers(value: object) -> object:
    if isinstance(value, dict):
        return {key: item if key == "location" else _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return int(value) if isinstance(value, str) and value.isdecimal() else value
