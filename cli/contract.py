"""`tunggal contract`: what was promised, what came, what is missing, and who agreed to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any

import grpc
import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1 import exchange_pb2
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub
from tunggal.inventory.v1.exchange_pb2_grpc import ExchangeServiceStub

from cli.errors import readable
from cli.forecast import PlotFile
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect

#: Contracts whose vendor could lock the programme out.
_OF_THE_ABIS = (pb.CONTRACT_KIND_ABIS_LICENCE, pb.CONTRACT_KIND_MAINTENANCE)

app = typer.Typer(help="Look at contracts.", no_args_is_help=True)


@app.callback()
def contract() -> None:
    """Look at contracts."""


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
    with connect("inventory", inventory, tls_dir) as channel:
        stub = ContractServiceStub(channel)
        if not contract_id:
            _list(_all(stub), as_json)
            return
        file = stub.GetContractFile(pb.GetContractFileRequest(contract_id=contract_id)).contract
        received = _received(channel, contract_id)
    if plot is not None:
        from cli import plots

        plots.contract(file, received, datetime.now(UTC).date(), plot)
    if as_json:
        typer.echo(json.dumps(MessageToDict(file, preserving_proto_field_name=True), indent=2))
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


def _received(channel: grpc.Channel, contract_id: str) -> list[tuple[date, int]]:
    """Day and units of each delivery, from the ledger: out of what the contract owes, into stock."""
    parts = ExchangeServiceStub(channel).ExportMovements(exchange_pb2.ExportMovementsRequest(location="ID"))
    return [
        (row.book_time.ToDatetime().date(), row.quantity)
        for part in parts
        for row in part.movements
        if row.from_account.startswith(f"{contract_id}/") and row.to_account.startswith("ID/")
    ]


def _list(files: list[pb.ContractFile], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([MessageToDict(f, preserving_proto_field_name=True) for f in files], indent=2))
        return
    table = Table(header_style="bold")
    for column in ("Contract", "For", "State", "Supplier"):
        table.add_column(column, no_wrap=column == "Contract")
    for column in ("Units", "Delivered", "Outstanding", "Overdue"):
        table.add_column(column, justify="right")
    table.add_column("Valid until")
    for file in files:
        table.add_row(
            file.contract_id,
            _word(pb.ContractKind.Name, file.terms.kind),
            _word(pb.ContractState.Name, file.state),
            file.terms.supplier,
            f"{file.terms.quantity:,}",
            f"{file.delivered:,}",
            f"{file.outstanding:,}",
            f"[red]{file.overdue:,}[/]" if file.overdue else "–",
            file.terms.valid_until or "open",
        )
    Console().print(table if files else "There is no contract yet.")


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
        facts.add_row(
            "Units",
            f"{terms.quantity:,} {terms.item} = {file.delivered:,} delivered "
            f"+ {file.outstanding:,} outstanding{late}",
        )
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
    if register.items or terms.kind in _OF_THE_ABIS:
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
        missing = f"[red]missing: {', '.join(register.missing)}[/]" if register.missing else ""
        console.print("[green]Nothing is missing.[/]" if register.complete else missing)


def _word(name_of: Callable[[Any], str], number: int) -> str:
    """The last words of an enumeration's name: CONTRACT_KIND_ABIS_LICENCE becomes "abis licence"."""
    return " ".join(name_of(number).lower().split("_")[2:])
