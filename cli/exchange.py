"""`tunggal export` and `tunggal import`: movements and balances out, delivery notes in."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import exchange_pb2 as pb
from tunggal.inventory.v1.exchange_pb2_grpc import ExchangeServiceStub

from cli.errors import missing_extra, readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, InventoryEndpoint, TlsDir, connect
from services.common.errors import InvalidArgument

export_app = typer.Typer(help="Write movements or balances to a file.", no_args_is_help=True)
import_app = typer.Typer(help="Read data from a file.", no_args_is_help=True)

_MOVEMENT = {
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
    "book_time": str,
}
_BALANCE = {
    "day": str,
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
        written = _write(file, _MOVEMENT, rows)
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
        rows = ([getattr(row, name) for name in _BALANCE] for part in parts for row in part.balances)
        written = _write(file, _BALANCE, rows)
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
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidArgument(
            "NOT_UTF8", f"{file} is not UTF-8 text", field="FILE", remedy="Save it as CSV (UTF-8)."
        ) from None
    # The same file sent again is the same request: a retry after a lost answer books nothing twice.
    same = not (dry_run or again)
    request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, text) if same else uuid.uuid4())
    request = pb.ImportDeliveryNotesRequest(request_id=request_id, csv=text, dry_run=dry_run)
    with connect("inventory", inventory, tls_dir) as channel:
        answer = ExchangeServiceStub(channel).ImportDeliveryNotes(request, timeout=120)
    console = Console()
    if answer.faults:
        table = Table(header_style="bold", title=f"{file}: nothing was booked", title_justify="left")
        table.add_column("Line", justify="right")
        for column in ("Column", "Problem", "What to do"):
            table.add_column(column)
        for fault in answer.faults:
            table.add_row(str(fault.line), fault.column or "–", fault.problem, fault.remedy)
        console.print(table)
        raise typer.Exit(1)
    done = "can be taken into stock" if dry_run else "taken into stock"
    lots = "1 lot" if answer.lines == 1 else f"{answer.lines:,} lots"
    console.print(f"{lots} with {answer.blanks:,} blanks {done}.")


def _movement(row: pb.Movement) -> list[Any]:
    moment = row.book_time.ToDatetime(UTC).isoformat(timespec="microseconds")
    return [moment if name == "book_time" else getattr(row, name) for name in _MOVEMENT]


def _write(file: Path, columns: dict[str, type], rows: Iterable[list[Any]]) -> int:
    """Write ``rows`` beside ``file`` and put them in its place at the end; how many there were."""
    if file.suffix not in {".csv", ".parquet"}:
        raise InvalidArgument(
            "FORMAT_UNKNOWN", f"{file} is neither .csv nor .parquet", field="FILE", remedy="Name it so."
        )
    draft = file.with_name(f".{file.name}.part")
    try:
        count = _parquet(draft, columns, rows) if file.suffix == ".parquet" else _csv(draft, columns, rows)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return count


def _csv(file: Path, columns: dict[str, type], rows: Iterable[list[Any]]) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _parquet(file: Path, columns: dict[str, type], rows: Iterable[list[Any]]) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise missing_extra(error, "parquet") from error
    schema = pa.schema([(name, pa.int64() if kind is int else pa.string()) for name, kind in columns.items()])
    count = 0
    with pq.ParquetWriter(file, schema) as writer:
        for part in _batches(rows, 10_000):
            values = [list(column) for column in zip(*part, strict=True)]
            writer.write_table(pa.table(values, schema=schema))
            count += len(part)
    return count


def _batches(rows: Iterable[list[Any]], size: int) -> Iterator[list[list[Any]]]:
    part: list[list[Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
