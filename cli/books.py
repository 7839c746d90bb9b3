"""`tunggal books`: what the books say, now or at any past moment, and whether they are sound."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import ledger_pb2
from tunggal.inventory.v1.ledger_pb2_grpc import LedgerServiceStub

from cli.errors import readable
from cli.exit_codes import NO
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect
from cli.places import require_known


@readable
def books(
    location: Annotated[
        str, typer.Argument(metavar="LOCATION", help="ID, 32, 32.16 or 32.16:site; with all below it.")
    ] = "",
    item: Annotated[str, typer.Option(help="Only this item: blank, ribbon, film.")] = "",
    at: Annotated[
        datetime | None,
        typer.Option(
            help="What the books said then: 2026-03-02T08:30+07:00; UTC without an offset. Now if left out."
        ),
    ] = None,
    as_happened: Annotated[
        bool, typer.Option("--as-happened", help="With --at: also what was booked later of before.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Check all books instead; exit code 2 when they are not sound.")
    ] = False,
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show balances by location, item and condition at any moment, or check that the books are sound."""
    with connect("inventory", inventory, tls_dir) as channel:
        ledger = LedgerServiceStub(channel)
        if check:
            _tell(list(ledger.CheckBooks(ledger_pb2.CheckBooksRequest()).findings), as_json)
            return
        request = ledger_pb2.GetBalancesRequest(location=location, item=item, as_happened=as_happened)
        if at is not None:
            # To the microsecond, as the books have it.
            request.at.FromDatetime(at.replace(tzinfo=at.tzinfo or UTC))
        balances = ledger.GetBalances(request).balances
    if as_json:
        rows = [
            {"location": b.location, "item": b.item, "condition": b.condition, "balance": b.balance}
            for b in balances
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    if not balances:
        require_known(location)
        typer.echo("The books have nothing there.")
        return
    table = Table(header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("Location", "Item", "Condition"):
        table.add_column(column)
    table.add_column("Balance", justify="right")
    for balance in balances:
        table.add_row(balance.location, balance.item, balance.condition, f"{balance.balance:,}")
    Console().print(table)


def _tell(findings: list[str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"findings": findings}, indent=2))
    else:
        for finding in findings or ["The books are sound."]:
            typer.echo(finding)
    if findings:
        raise typer.Exit(NO)
