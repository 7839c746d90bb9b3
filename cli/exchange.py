"""`tunggal export` and `tunggal import`: movements and balances out, delivery notes in."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tunggal.inventory.v1 import exchange_pb2 as pb
from tunggal.inventory.v1.exchange_pb2_grpc import ExchangeServiceStub

from cli import tabular
from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, InventoryEndpoint, TlsDir, connect
from services.common.errors import InvalidArgument
from services.inventory.exchange.delivery_notes import MOST_LINES

#: What the service takes in one request.
_LARGEST_FILE = 1 << 20

export_app = typer.Typer(help="Write movements or balances to a file.", no_args_is_help=True)
import_app = typer.Typer(help="Read data from a file.", no_args_is_help=True)

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


@import_app.callback()
def bring_in() -> None:
    """Read data from a file."""


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


@import_app.command(name="delivery-notes")
@readable
def delivery_notes(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV: contract_id, delivery_note, first_serial, last_serial."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look for faults.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="The lots of this very file were taken back: book it anew.")
    ] = False,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
) -> None:
    """Take the lots of a file into stock, all or none; exit code 1 where a line has a fault."""
    text = _text_of(file)
    # The same file sent again is the same request: a retry after a lost answer books nothing twice.
    same = not (dry_run or again)
    request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, text) if same else uuid.uuid4())
    request = pb.ImportDeliveryNotesRequest(request_id=request_id, csv=text, dry_run=dry_run)
    with connect("inventory", inventory, tls_dir) as channel:
        answer = ExchangeServiceStub(channel).ImportDeliveryNotes(request, timeout=120)
    console = Console()
    if answer.faults:
        table = Table(
            header_style="bold", title=f"{escape(str(file))}: nothing was booked", title_justify="left"
        )
        table.add_column("Line", justify="right")
        for column in ("Column", "Problem", "What to do"):
            table.add_column(column)
        for fault in answer.faults:
            # What the file has is no markup.
            table.add_row(str(fault.line), fault.column or "–", escape(fault.problem), escape(fault.remedy))
        console.print(table)
        raise typer.Exit(1)
    done = "can be taken into stock" if dry_run else "taken into stock"
    lots = "1 lot" if answer.lines == 1 else f"{answer.lines:,} lots"
    console.print(f"{lots} with {answer.blanks:,} blanks {done}.")


def _text_of(file: Path) -> str:
    """The file's text, UTF-8; raises :class:`InvalidArgument` with what to do about any other."""
    if file.stat().st_size > _LARGEST_FILE:
        raise InvalidArgument(
            "FILE_TOO_LARGE",
            f"{file} is larger than {_LARGEST_FILE:,} bytes; nothing was booked",
            field="FILE",
            remedy=f"Send it in several files of at most {MOST_LINES:,} lines; each is booked as a whole.",
        )
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidArgument(
            "NOT_UTF8",
            f"{file} is not UTF-8 text; nothing was booked",
            field="FILE",
            remedy="Save it as CSV (UTF-8); Excel calls that 'CSV UTF-8 (comma delimited)'.",
        ) from None


def _movement(row: pb.Movement) -> list[Any]:
    return [
        _moment(row, name) if kind is datetime else getattr(row, name) for name, kind in _MOVEMENT.items()
    ]


def _balance(row: pb.DayBalance) -> list[Any]:
    return [date.fromisoformat(row.day) if name == "day" else getattr(row, name) for name in _BALANCE]


def _moment(row: Any, name: str) -> datetime | None:
    return getattr(row, name).ToDatetime(UTC) if row.HasField(name) else None
