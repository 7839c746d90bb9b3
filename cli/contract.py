"""`tunggal contract`: what was promised, what came, what is missing, and who agreed to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any

import grpc
import typer
from google.protobuf.timestamp_pb2 import Timestamp
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1 import exchange_pb2, inventory_pb2
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub
from tunggal.inventory.v1.exchange_pb2_grpc import ExchangeServiceStub
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from tunggal.inventory.v1.stock_pb2 import Lot

from cli import contract_papers, contract_steps
from cli.answers import to_json
from cli.errors import readable
from cli.forecast import PlotFile
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect
from services.common.errors import InvalidArgument

_WIB = timezone(timedelta(hours=7))
#: Width of a screen that has room for suppliers and for what is overdue.
_WIDE = 104
#: Contracts whose vendor could lock the programme out.
_OF_THE_ABIS = (pb.CONTRACT_KIND_ABIS_LICENCE, pb.CONTRACT_KIND_MAINTENANCE)

app = typer.Typer(help="Look at contracts, and take steps that need two people.", no_args_is_help=True)
app.command()(contract_papers.draft)
app.command()(contract_papers.attach)
app.command()(contract_steps.propose)
app.command(name="take-over")(contract_steps.take_over)
app.command(name="reverse-lot")(contract_steps.reverse_lot)
app.command()(contract_steps.approve)
app.command()(contract_steps.reject)
app.command()(contract_papers.supply)
app.command()(contract_papers.left)


@app.callback()
def contract() -> None:
    """Look at contracts, and take steps that need two people."""


@app.command()
@readable
def show(
    contract_id: Annotated[
        str, typer.Argument(metavar="[CONTRACT]", help="Number of a contract; all are listed without.")
    ] = "",
    plot: PlotFile = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show a contract with its deliveries, steps and what its vendor left; or list all contracts."""
    if plot is not None and not contract_id:
        raise InvalidArgument(
            "CONTRACT_MISSING", "--plot draws one contract and none is named", remedy="Name the contract too."
        )
    with connect("inventory", inventory, tls_dir) as channel:
        stub = ContractServiceStub(channel)
        if not contract_id:
            _list(_all(stub), as_json)
            return
        file = stub.GetContractFile(pb.GetContractFileRequest(contract_id=contract_id)).contract
        received = _received(channel, file)
    if plot is not None:
        from cli import plots

        plots.contract(file, received, datetime.now(_WIB).date(), plot)
    if as_json:
        typer.echo(to_json(file))
        return
    _show(Console(), file, received)


def _all(stub: ContractServiceStub) -> list[pb.ContractFile]:
    found: list[pb.ContractFile] = []
    request = pb.ListContractFilesRequest(page_size=1000)
    while True:
        answer = stub.ListContractFiles(request)
        found += answer.contracts
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def _received(channel: grpc.Channel, file: pb.ContractFile) -> list[tuple[date, int]]:
    """Day and units of each delivery that stands: lots of blanks, lines of the ledger of anything else."""
    if file.terms.kind == pb.CONTRACT_KIND_BLANKS:
        return [
            (_day(lot.receive_time), lot.serials.last - lot.serials.first + 1) for lot in _lots(channel, file)
        ]
    if not file.delivered:
        return []
    owed = f"{file.contract_id}/{file.terms.item}/outstanding"
    request = exchange_pb2.ExportMovementsRequest(location="ID", item=file.terms.item)
    came: dict[str, tuple[date, int]] = {}
    for part in ExchangeServiceStub(channel).ExportMovements(request):
        for row in part.movements:
            if row.from_account == owed and row.kind == "supply.received":
                came[row.subject] = (_day(row.book_time), row.quantity)
            elif row.to_account == owed and row.kind == "stock.reversed":
                came.pop(row.subject, None)
    return list(came.values())


def _lots(channel: grpc.Channel, file: pb.ContractFile) -> list[Lot]:
    found: list[Lot] = []
    request = inventory_pb2.ListLotsRequest(contract_id=file.contract_id, page_size=1000)
    while True:
        answer = InventoryServiceStub(channel).ListLots(request)
        found += answer.lots
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


def _day(stamp: Timestamp) -> date:
    """The day of the ledger (Jakarta)."""
    return stamp.ToDatetime(UTC).astimezone(_WIB).date()


def _list(files: list[pb.ContractFile], as_json: bool) -> None:
    if as_json:
        typer.echo(to_json(files))
        return
    console = Console()
    wide = console.width >= _WIDE
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Contract", no_wrap=True)
    if wide:
        table.add_column("For", no_wrap=True)
    table.add_column("State", no_wrap=True)
    table.add_column("Supplier" if wide else "For", overflow="ellipsis", no_wrap=True)
    for column in ("Units", "Delivered", "Outstanding", *(["Overdue"] if wide else [])):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("Valid until", no_wrap=True)
    for file in files:
        kind = _word(pb.ContractKind.Name, file.terms.kind)
        units = (f"{each:,}" for each in (file.terms.quantity, file.delivered, file.outstanding))
        late = f"[red]{file.overdue:,}[/]" if file.overdue else "–"
        table.add_row(
            file.contract_id,
            *([kind] if wide else []),
            _word(pb.ContractState.Name, file.state),
            file.terms.supplier if wide else kind,
            *(units if file.terms.quantity else ("–", "–", "–")),
            *([late] if wide else []),
            file.terms.valid_until or "open",
        )
    console.print(table if files else "There is no contract yet.")


def _show(console: Console, file: pb.ContractFile, received: list[tuple[date, int]]) -> None:
    terms, register = file.terms, file.exit_register
    console.print(
        f"[bold]{file.contract_id}[/] {_word(pb.ContractKind.Name, terms.kind)}, "
        f"{_word(pb.ContractState.Name, file.state)}, with {terms.supplier}"
    )
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    facts.add_column(style="dim")
    facts.add_column()
    if terms.quantity:
        late = f", [red]{file.overdue:,} overdue[/]" if file.overdue else ""
        split = f" = {file.delivered:,} delivered + {file.outstanding:,} outstanding{late}"
        binding = file.state not in (pb.CONTRACT_STATE_DRAFT, pb.CONTRACT_STATE_SIGNED)
        units = split if binding else ", none of them owed before it is active"
        facts.add_row("Units", f"{terms.quantity:,} {terms.item}{units}")
    if terms.price:
        facts.add_row("Price", f"{terms.currency} {terms.price:,} (smallest unit)")
    facts.add_row("Valid", f"{terms.valid_from or 'open'} to {terms.valid_until or 'open'}")
    if terms.max_people or terms.max_searches_per_day:
        facts.add_row(
            "Licence", f"{terms.max_people:,} people, {terms.max_searches_per_day:,} searches a day"
        )
    if terms.succeeds or file.succeeded_by:
        facts.add_row(
            "Follows", f"{terms.succeeds or '–'}; followed by {', '.join(file.succeeded_by) or '–'}"
        )
    console.print(facts)
    if file.deliveries or received:
        table = Table("Due", header_style="bold")
        table.add_column("Units", justify="right")
        table.add_column("Received")
        table.add_column("Units", justify="right")
        for row in range(max(len(file.deliveries), len(received))):
            due = file.deliveries[row] if row < len(file.deliveries) else None
            came = received[row] if row < len(received) else None
            table.add_row(
                due.due if due else "",
                f"{due.quantity:,}" if due else "",
                came[0].isoformat() if came else "",
                f"{came[1]:,}" if came else "",
            )
        console.print(table)
    if file.changes:
        table = Table("Step", "State", "Proposed by", "Decided by", "Reason", header_style="bold")
        for change in file.changes:
            table.add_row(
                _word(pb.ChangeKind.Name, change.kind),
                _word(pb.ChangeState.Name, change.state),
                change.proposed_by.partition(":")[2],
                change.decided_by.partition(":")[2] or "–",
                change.reason,
            )
        console.print(table)
        for change in file.changes:
            if change.state == pb.CHANGE_STATE_PROPOSED:
                console.print(
                    f"Waits for a second person: tunggal contract approve {change.change_id}",
                    style="yellow",
                    soft_wrap=True,
                )
    for gone in file.reversed_lots:
        first, last = gone.lot.serials.first, gone.lot.serials.last
        console.print(
            f"Lot {first}–{last} ({gone.lot.delivery_note}) was taken back on "
            f"{gone.reverse_time.ToDatetime():%Y-%m-%d}: {gone.reason}"
        )
    if register.items:
        table = Table("Vendor leaves behind", "", "Said by", "Note", header_style="bold")
        for item in register.items:
            there = item.state == pb.EXIT_STATE_ATTESTED
            table.add_row(
                f"{_word(pb.ExitKind.Name, item.kind)}: {item.name}",
                "[green]attested[/]" if there else "[red]missing[/]",
                item.said_by.partition(":")[2],
                item.note,
            )
        console.print(table)
    if register.items or terms.kind in _OF_THE_ABIS:
        missing = f"[red]Its vendor has not left: {', '.join(register.missing)}[/]"
        console.print("[green]Its vendor has left everything.[/]" if register.complete else missing)


def _word(name_of: Callable[[Any], str], number: int) -> str:
    """The last words of an enumeration's name: CONTRACT_KIND_ABIS_LICENCE becomes "abis licence"."""
    return " ".join(name_of(number).lower().split("_")[2:])
