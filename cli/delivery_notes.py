"""`tunggal import delivery-notes`: lots of a supplier into stock, from a spreadsheet's CSV."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tunggal.inventory.v1 import exchange_pb2 as pb
from tunggal.inventory.v1.exchange_pb2_grpc import ExchangeServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.exit_codes import ERROR
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect
from cli.remedies import at_a_shell
from services.common.errors import InvalidArgument
from services.inventory.exchange.delivery_notes import MOST_LINES
from services.inventory.words import counted

#: What the service takes in one request, and in parts.
_AT_ONCE = 1 << 20
_LARGEST_FILE = 16 << 20
#: Characters of a part: four bytes each at most.
_PART = _AT_ONCE // 4
#: Faults that are shown as a table; more are told line by line, as they are.
_AS_TABLE = 200

import_app = typer.Typer(help="Read data from a file.", no_args_is_help=True)


@import_app.callback()
def bring_in() -> None:
    """Read data from a file."""


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
    as_json: AsJson = False,
) -> None:
    """Take the lots of a file into stock; exit code 1 where a line has a fault, and then nothing is booked.

    Up to 2,000 lines are booked together, a longer file note by note, each with all its lines or none. What
    broke off goes on when the file is sent again.
    """
    text = _text_of(file)
    console = Console()
    with connect("inventory", inventory, tls_dir) as channel:
        stub = ExchangeServiceStub(channel)
        if len(text.encode()) <= _AT_ONCE and text.count("\n") <= MOST_LINES:
            # The same file sent again is the same request: a retry after a lost answer books nothing twice.
            same = not (dry_run or again)
            request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, text) if same else uuid.uuid4())
            request = pb.ImportDeliveryNotesRequest(request_id=request_id, csv=text, dry_run=dry_run)
            answer = stub.ImportDeliveryNotes(request, timeout=120)
            told = pb.ImportDeliveryFileResponse(
                lines=answer.lines, blanks=answer.blanks, booked_lines=len(answer.lots), faults=answer.faults
            )
        else:
            told = _sent(stub, text, dry_run=dry_run)
    if as_json:
        typer.echo(to_json(told))
    elif told.faults:
        _show(file, told.faults, told.booked_lines, console)
    else:
        done = "can be taken into stock" if dry_run else "taken into stock"
        lots = counted(told.lines, "lot")
        before = f" {told.known_lines:,} of them came before." if told.known_lines else ""
        console.print(f"{lots} with {told.blanks:,} blanks {done}.{before}")
    if told.faults:
        raise typer.Exit(ERROR)


def _sent(stub: ExchangeServiceStub, text: str, *, dry_run: bool) -> pb.ImportDeliveryFileResponse:
    """What was told of a long file at last, with all its faults."""
    request_id = str(uuid.uuid4())

    def parts() -> Iterator[pb.ImportDeliveryFileRequest]:
        for begin in range(0, len(text), _PART):
            yield pb.ImportDeliveryFileRequest(
                request_id=request_id, csv=text[begin : begin + _PART], dry_run=dry_run
            )

    faults: list[pb.LineFault] = []
    told = pb.ImportDeliveryFileResponse()
    beside = Console(stderr=True)
    try:
        # It takes minutes; only a terminal shows how far it has come.
        with beside.status("All lines are looked through first.") as status:
            for told in stub.ImportDeliveryFile(parts()):
                faults += told.faults
                status.update(f"{told.booked_lines:,} lines are in stock.")
    except grpc.RpcError:
        if told.booked_lines:
            beside.print(
                f"{told.booked_lines:,} lines are in stock. Send the same file again: it goes on behind them."
            )
        raise
    del told.faults[:]
    told.faults.extend(faults)
    return told


def _show(file: Path, faults: Sequence[pb.LineFault], booked: int, console: Console) -> None:
    outcome = f"only {booked:,} lines were booked" if booked else "nothing was booked"
    title = f"{escape(str(file))}: {outcome}"
    if len(faults) > _AS_TABLE:
        console.print(f"{title}; {len(faults):,} faults", highlight=False)
        for fault in faults:
            where = f"{fault.line}, {fault.column}" if fault.column else f"{fault.line}"
            typer.echo(f"line {where}: {fault.problem} {at_a_shell(fault.remedy)}")
        return
    table = Table(header_style="bold", title=title, title_justify="left")
    table.add_column("Line", justify="right")
    for column in ("Column", "Problem", "What to do"):
        table.add_column(column)
    for fault in faults:
        # What the file has is no markup.
        remedy = escape(at_a_shell(fault.remedy))
        table.add_row(str(fault.line), fault.column or "–", escape(fault.problem), remedy)
    console.print(table)


def _text_of(file: Path) -> str:
    """The file's text, UTF-8; raises :class:`InvalidArgument` with what to do about any other."""
    if file.stat().st_size > _LARGEST_FILE:
        raise InvalidArgument(
            "FILE_TOO_LARGE",
            f"{file} is larger than {_LARGEST_FILE >> 20} MiB; nothing was booked",
            field="FILE",
            remedy="Send it in several files.",
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
