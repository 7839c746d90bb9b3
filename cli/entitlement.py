"""`tunggal entitlement`: what the ABIS may do now, until when, and why not."""

from __future__ import annotations

from datetime import UTC

import typer
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import contracts_pb2 as pb
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub

from cli.answers import to_json
from cli.errors import readable
from cli.exit_codes import NO
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect
from cli.places import national_time


@readable
def entitlement(
    inventory: InventoryEndpoint = INVENTORY, tls_dir: TlsDir = DEFAULT_TLS_DIR, as_json: AsJson = False
) -> None:
    """Show what the ABIS may do, until when, and why not; exit code 2 while it may not."""
    with connect("inventory", inventory, tls_dir) as channel:
        found = ContractServiceStub(channel).GetEntitlement(pb.GetEntitlementRequest()).entitlement
    if as_json:
        typer.echo(to_json(found))
    else:
        _show(Console(emoji=False, highlight=False), found)
    if not found.allowed:
        raise typer.Exit(NO)


def _show(console: Console, found: pb.Entitlement) -> None:
    console.print(
        f"[bold green]The ABIS may search until {found.valid_until}.[/]"
        if found.allowed
        else "[bold red]The ABIS may not search.[/]"
    )
    console.print(found.reason)
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    facts.add_column(style="dim")
    facts.add_column()
    facts.add_row("Licence until", found.licence_until or "none in force")
    facts.add_row("Maintenance until", found.maintenance_until or "none in force")
    people, searches = (
        (f"{most:,}" if most else "no ceiling") if found.licence_until else "no licence"
        for most in (found.max_people, found.max_searches_per_day)
    )
    reported = "not reported yet"
    if found.HasField("people_time"):
        reported = f"{found.people:,} ({national_time(found.people_time.ToDatetime(UTC))} WIB)"
    facts.add_row("People at most", people)
    facts.add_row("People so far", reported)
    facts.add_row("Searches a day", searches)
    facts.add_row("Contracts", ", ".join(found.contract_ids) or "none in force")
    console.print(facts)
