"""`tunggal contract`: what was promised, what came, what is missing, and who agreed to it."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import grpc
import typer
from rich.console import Console
from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1 import exchange_pb2, inventory_pb2
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub
from tunggal.inventory.v1.exchange_pb2_grpc import ExchangeServiceStub
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub

from cli import contract_papers, contract_steps, contract_view
from cli.answers import to_json
from cli.errors import readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, PlotFile, TlsDir, connect
from cli.pages import every
from services.common.errors import InvalidArgument

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
        str, typer.Argument(metavar="CONTRACT", help="Number of a contract; all are listed without.")
    ] = "",
    history: Annotated[
        bool, typer.Option("--history", help="Show everything that happened to it instead.")
    ] = False,
    plot: PlotFile = None,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show a contract with its deliveries, steps and what its vendor left; or list all contracts."""
    for given, option in ((plot, "--plot"), (history, "--history")):
        if given and not contract_id:
            raise InvalidArgument(
                "CONTRACT_MISSING",
                f"{option} shows one contract and none is named",
                remedy="Name the contract too.",
            )
    with connect("inventory", inventory, tls_dir) as channel:
        stub = ContractServiceStub(channel)
        if not contract_id:
            _list(every(stub.ListContractFiles, pb.ListContractFilesRequest(), "contracts"), as_json)
            return
        file = stub.GetContractFile(pb.GetContractFileRequest(contract_id=contract_id)).contract
        shown = not (as_json or history) or plot is not None
        received = _received(channel, file) if shown else []
    console = Console(emoji=False)
    if as_json:
        typer.echo(to_json(file))
    elif history:
        contract_view.show_history(console, file)
    else:
        contract_view.show_file(console, file, received)
    if plot is not None:
        from cli import plots

        plots.contract(file, received, contract_view.today(), plot)
        if not as_json:
            console.print(f"Drawn in {plot}.", style="dim", markup=False)


def _list(files: list[pb.ContractFile], as_json: bool) -> None:
    if as_json:
        typer.echo(to_json(files))
    elif files:
        contract_view.show_list(Console(emoji=False), files)
    else:
        typer.echo("There is no contract yet.")


def _received(channel: grpc.Channel, file: pb.ContractFile) -> list[tuple[date, int]]:
    """Day and units of each delivery that stands: lots of blanks, lines of the ledger of anything else."""
    if file.terms.kind == pb.CONTRACT_KIND_BLANKS:
        request = inventory_pb2.ListLotsRequest(contract_id=file.contract_id)
        lots = every(InventoryServiceStub(channel).ListLots, request, "lots")
        return [
            (contract_view.day_of(lot.receive_time), lot.serials.last - lot.serials.first + 1) for lot in lots
        ]
    if not file.delivered:
        return []
    owed = f"{file.contract_id}/{file.terms.item}/outstanding"
    movements = exchange_pb2.ExportMovementsRequest(location="ID", item=file.terms.item)
    came: dict[str, tuple[date, int]] = {}
    for part in ExchangeServiceStub(channel).ExportMovements(movements):
        for row in part.movements:
            if row.from_account == owed and row.kind == "supply.received":
                came[row.subject] = (contract_view.day_of(row.book_time), row.quantity)
            elif row.to_account == owed and row.kind == "stock.reversed":
                came.pop(row.subject, None)
    return list(came.values())
