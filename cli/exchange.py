"""`tunggal export`: movements and balances out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from tunggal.inventory.v1 import exchange_pb2 as pb
from tunggal.inventory.v1.exchange_pb2_grpc import ExchangeServiceStub

from cli import tabular
from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, InventoryEndpoint, TlsDir, connect

export_app = typer.Typer(help="Write movements or balances to a file.", no_args_is_help=True)

#: Columns of the files; those of a day or a moment are of that type in Parquet.
_MOVEMENT: dict[str, type] = {
    "entry": int,
    "transfer_id": str,
    "kind": str,
    "subject": str,
    "item": str,
    "from_account": str,
    "to_account": str,
    "quantity": int,
    "first_serial": int,
    "last_serial": int,
    "reason": str,
    "book_time": datetime,
    "event_time": datetime,
    "reverses": str,
}
_BALANCE: dict[str, type] = {
    "day": date,
    "location": str,
    "item": str,
    "condition": str,
    "added": int,
    "removed": int,
    "balance": int,
}

Target = Annotated[Path, typer.Argument(metavar="FILE", help=".csv or .parquet by the name.")]
Region = Annotated[str, typer.Option("--location", help="Only this location and all below it.")]
Item = Annotated[str, typer.Option(help="Only this item, such as blank.")]
First = Annotated[str, typer.Option("--from", metavar="DAY", help="First day, 2017-03-31.")]
Last = Annotated[str, typer.Option("--to", metavar="DAY", help="Last day.")]


@export_app.callback()
def export() -> None:
    """Write movements or balances to a file."""


@export_app.command()
@readable
def movements(
    file: Target,
    location: Region = "",
    item: Item = "",
    first: First = "",
    last: Last = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
) -> None:
    """Write the lines of the ledger, each with its transfer."""
    request = pb.ExportMovementsRequest(location=location, item=item, first_day=first, last_day=last)
    with connect("inventory", inventory, tls_dir) as channel:
        parts = ExchangeServiceStub(channel).ExportMovements(request)
        rows = (_movement(row) for part in parts for row in part.movements)
        written = tabular.write(file, _MOVEMENT, rows)
    Console().print(f"{written:,} lines of the ledger in {file}.")


@export_app.command()
@readable
def balances(
    file: Target,
    location: Region = "",
    item: Item = "",
    first: First = "",
    last: Last = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
) -> None:
    """Write the balance of each account at the end of each closed day on which it moved."""
    request = pb.ExportBalancesRequest(location=location, item=item, first_day=first, last_day=last)
    with connect("inventory", inventory, tls_dir) as channel:
        parts = ExchangeServiceStub(channel).ExportBalances(request)
        rows = (_balance(row) for part in parts for row in part.balances)
        written = tabular.write(file, _BALANCE, rows)
    Console().print(f"{written:,} balances in {file}.")


def _movement(row: pb.Movement) -> list[Any]:
    return [
        _moment(row, name) if kind is datetime else getattr(row, name) for name, kind in _MOVEMENT.items()
    ]


def _balance(row: pb.DayBalance) -> list[Any]:
    return [date.fromisoformat(row.day) if name == "day" else getattr(row, name) for name in _BALANCE]


def _moment(row: Any, name: str) -> datetime | None:
    return getattr(row, name).ToDatetime(UTC) if row.HasField(name) else None
