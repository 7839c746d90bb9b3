"""`tunggal statement`: the signed daily stock statements, for a screen, for the public, for whoever
doubts them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import statements_pb2 as pb
from tunggal.inventory.v1.statements_pb2_grpc import StatementServiceStub

from cli.errors import missing_extra, readable
from cli.exit_codes import NO
from cli.movements import units
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect
from cli.pages import paged
from cli.places import local_time, name_of
from cli.statement_check import Findings, check, trusted_keys
from services.common.errors import InvalidArgument, NotFound
from services.common.files import file_lock
from services.inventory.statement.verify import Published

app = typer.Typer(help="Daily stock statements: signed, and chained to the day before.", no_args_is_help=True)


Location = Annotated[str, typer.Argument(metavar="LOCATION", help="32.16, 32.16:site, 32 or ID.")]


@app.callback()
def statement() -> None:
    """Daily stock statements."""


@app.command()
@readable
def show(
    location: Location,
    day: Annotated[str, typer.Option(metavar="DAY", help="2017-03-31; the last one unless given.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the statement of a location."""
    with connect("inventory", inventory, tls_dir) as channel:
        found = list(_listed(channel, location, first=day, last=day))
    if not found:
        raise NotFound(
            "NO_STATEMENT",
            f"there is no statement of {location}" + (f" for {day}" if day else ""),
            field="LOCATION",
            remedy="Statements are of days that are over; check the location's code.",
        )
    latest = found[-1]
    if as_json:
        typer.echo(latest.to_json(), nl=False)
        return
    content = latest.statement
    console = Console(emoji=False)
    console.print(
        f"[bold]{location} {name_of(location)}[/], {content['day']}, statement no. {content['sequence']}"
    )
    first, after = (_local(content[name], location) for name in ("from", "until"))
    console.print(f"from {first} to {after}, {content['zone']}", style="dim", highlight=False)
    table = Table("Item", "Condition", header_style="bold")
    for column in ("Opening", "Added", "Removed", "Closing"):
        table.add_column(column, justify="right")
    for level in content["levels"]:
        numbers = (f"{level[name]:,}" for name in ("opening", "added", "removed", "closing"))
        table.add_row(level["item"], level["condition"], *numbers)
    console.print(table)
    for refused in content["refusals"]:
        console.print(
            f"{refused['people']} people were sent away at {_local(refused['time'], location)}:",
            style="red",
            end=" ",
            highlight=False,
        )
        books = f"the books had {units(refused['on_hand'], refused['item'])} then."
        console.print(f"{refused['reason']} — {books}", markup=False, highlight=False)
    console.print(f"Signed with {latest.key_id[:16]}…; follows {content['previous'][:16]}…", style="dim")


@app.command()
@readable
def publish(
    location: Location,
    directory: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where the pages go.")],
    below: Annotated[bool, typer.Option("--below", help="With all locations below it.")] = False,
    first: Annotated[
        str, typer.Option("--from", metavar="DAY", help="First day, 2017-03-31; all unless given.")
    ] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day; all unless given.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Write statements as JSON to verify and as pages to read, with an index and the public key."""
    try:
        from cli.statement_page import write_index, write_keys, write_page
    except ModuleNotFoundError as error:
        raise missing_extra(error, "report") from error
    count, locations = 0, set()
    with connect("inventory", inventory, tls_dir) as channel:
        key = StatementServiceStub(channel).GetStatementKey(pb.GetStatementKeyRequest())
        directory.mkdir(parents=True, exist_ok=True)
        # One publisher after the other: what is compared with a page is not written over meanwhile, and the
        # last index has the pages of all.
        with file_lock(directory / ".lock"):
            # Keys first, the index last: whenever this breaks off, what is there can be verified.
            used = {each.key_id: each.public_key for each in key.used_keys}
            write_keys(directory, key.public_key, {key.key_id: key.public_key, **used})
            for each in _listed(channel, location, below=below, first=first, last=last):
                write_page(directory, each)
                count += 1
                locations.add(each.statement["location"])
            write_index(directory, key.key_id)
    if as_json:
        made = {"statements": count, "locations": sorted(locations), "directory": str(directory)}
        typer.echo(json.dumps(made, indent=2))
        return
    Console(emoji=False).print(
        f"{count:,} statements of {len(locations):,} locations in {directory}.", markup=False
    )


@app.command()
@readable
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Statements (.json), or folders.")],
    key: Annotated[
        list[Path],
        typer.Option(
            "--key",
            metavar="PEM",
            help="Public key of the service, from a source you trust; several, or a folder of them.",
        ),
    ],
    through: Annotated[
        str, typer.Option(metavar="DAY", help="Day that every location must reach, 2017-03-31.")
    ] = "",
    noted: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HASH",
            help="Hash that verify once showed; one of the statements must have it. Repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify published statements without asking anybody; exit code 2 where something is wrong."""
    found = check(files, trusted_keys(key), _day(through, "--through"), noted or ())
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "statements": found.statements,
                    "locations": [chain.location for chain in found.chains],
                    "chains": [asdict(chain) for chain in found.chains],
                    "faults": found.faults,
                    "notes": found.notes,
                },
                indent=2,
            )
        )
    else:
        _show_findings(found)
    if found.faults:
        raise typer.Exit(NO)


def _show_findings(found: Findings) -> None:
    console = Console(emoji=False, soft_wrap=True, highlight=False)
    table = Table("Location", "Days", "Numbers", "Hash of the last", header_style="bold")
    for chain in found.chains:
        days = f"{chain.first_day} – {chain.last_day}"
        table.add_row(
            chain.location, days, f"{chain.first_number} – {chain.last_number}", chain.head[:16] + "…"
        )
    console.print(table)
    for fault in found.faults:
        console.print(fault, style="red", markup=False)
    for note in found.notes:
        console.print(f"note: {note}", style="yellow", markup=False)
    verdict = "[red]not genuine[/]" if found.faults else "[green]genuine, unbroken and consistent[/]"
    console.print(f"{found.statements:,} statements of {len(found.chains):,} locations: {verdict}.")


def _local(moment: str, location: str) -> str:
    return local_time(datetime.fromisoformat(moment), location)


def _day(text: str, field: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise InvalidArgument(
            "DAY_MALFORMED", f"{text!r} is no day", field=field, remedy="Write it as 2017-03-31."
        ) from None


def _listed(
    channel: grpc.Channel, location: str, *, below: bool = False, first: str = "", last: str = ""
) -> Iterator[Published]:
    stub = StatementServiceStub(channel)
    request = pb.ListStatementsRequest(location=location, with_below=below, first_day=first, last_day=last)
    for found in paged(stub.ListStatements, request, "statements"):
        yield Published(found.content, found.signature, found.key_id)
