"""`tunggal statement`: the signed daily stock statements, for a screen, for the public, for whoever
doubts them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.console import Console
from rich.table import Table
from tunggal.inventory.v1 import statements_pb2 as pb
from tunggal.inventory.v1.statements_pb2_grpc import StatementServiceStub

from cli.errors import missing_extra, readable
from cli.options import DEFAULT_TLS_DIR, INVENTORY, AsJson, InventoryEndpoint, TlsDir, connect
from cli.places import name_of
from services.common.errors import InvalidArgument, NotFound
from services.inventory.statement.signing import key_id
from services.inventory.statement.verify import Published, faults

app = typer.Typer(help="Daily stock statements: signed, and chained to the day before.", no_args_is_help=True)

NOT_GENUINE = 2
"""Exit code where a statement is not what the service signed; 1 is for faults of the set-up."""

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
    console = Console()
    console.print(
        f"[bold]{location} {name_of(location)}[/], {content['day']}, statement no. {content['sequence']}"
    )
    table = Table("Item", "Condition", header_style="bold")
    for column in ("Opening", "Added", "Removed", "Closing"):
        table.add_column(column, justify="right")
    for level in content["levels"]:
        numbers = (f"{level[name]:,}" for name in ("opening", "added", "removed", "closing"))
        table.add_row(level["item"], level["condition"], *numbers)
    console.print(table)
    for refused in content["refusals"]:
        console.print(
            f"[red]{refused['people']} people were sent away at {refused['time']}[/]: {refused['reason']} — "
            f"the books had {refused['on_hand']:,} {refused['item']} then."
        )
    console.print(f"Signed with {latest.key_id[:16]}…; follows {content['previous'][:16]}…", style="dim")


@app.command()
@readable
def publish(
    location: Location,
    directory: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where the pages go.")],
    below: Annotated[bool, typer.Option("--below", help="With all locations below it.")] = False,
    first: Annotated[str, typer.Option("--from", metavar="DAY")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
) -> None:
    """Write statements as JSON to verify and as pages to read, with an index and the public key."""
    try:
        from cli.statement_page import write_index, write_page
    except ModuleNotFoundError as error:
        raise missing_extra(error, "report") from error
    with connect("inventory", inventory, tls_dir) as channel:
        key = StatementServiceStub(channel).GetStatementKey(pb.GetStatementKeyRequest())
        by_location: dict[str, list[Published]] = defaultdict(list)
        for each in _listed(channel, location, below=below, first=first, last=last):
            by_location[each.statement["location"]].append(each)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "key.pem").write_text(key.public_key)
    for statements in by_location.values():
        for before, each in zip([None, *statements], statements, strict=False):
            write_page(directory, each, before)
    write_index(directory, by_location, key.key_id)
    count = sum(map(len, by_location.values()))
    Console().print(f"{count:,} statements of {len(by_location):,} locations in {directory}.")


@app.command()
@readable
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Statements (.json), or folders.")],
    key: Annotated[
        Path, typer.Option("--key", metavar="PEM", help="Public key of the service, from a source you trust.")
    ],
    as_json: AsJson = False,
) -> None:
    """Verify published statements without asking anybody; exit code 2 where something is wrong."""
    pem = key.read_bytes()
    try:
        trusted = {key_id(pem): pem}
    except ValueError as error:
        raise InvalidArgument(
            "KEY_MALFORMED",
            f"{key} is no Ed25519 public key",
            field="key",
            remedy="Use the key.pem that is published with the statements, or GetStatementKey.",
        ) from error
    by_location: dict[str, list[Published]] = defaultdict(list)
    for file in _files(files):
        published = _parsed(file)
        by_location[str(published.statement.get("location"))].append(published)
    found: list[str] = []
    for statements in by_location.values():
        statements.sort(key=lambda each: str(each.statement.get("day")))
        found += faults(statements, trusted)
    count = sum(map(len, by_location.values()))
    if as_json:
        typer.echo(
            json.dumps({"statements": count, "locations": sorted(by_location), "faults": found}, indent=2)
        )
    else:
        console = Console(soft_wrap=True)
        for fault in found:
            console.print(fault, style="red", markup=False)
        verdict = "[red]not genuine[/]" if found else "[green]genuine, unbroken and consistent[/]"
        console.print(f"{count:,} statements of {len(by_location):,} locations: {verdict}.")
    if found:
        raise typer.Exit(NOT_GENUINE)


def _files(paths: list[Path]) -> list[Path]:
    files = [file for path in paths for file in (sorted(path.rglob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise InvalidArgument(
            "NO_STATEMENT", "there is no statement in these folders", field="FILE", remedy="Name .json files."
        )
    return files


def _parsed(file: Path) -> Published:
    try:
        return Published.from_json(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidArgument(
            "NO_STATEMENT",
            f"{file} is no stock statement ({error})",
            field="FILE",
            remedy="Name the .json files that were published.",
        ) from error


def _listed(
    channel: grpc.Channel, location: str, *, below: bool = False, first: str = "", last: str = ""
) -> Iterator[Published]:
    stub = StatementServiceStub(channel)
    request = pb.ListStatementsRequest(
        location=location, with_below=below, first_day=first, last_day=last, page_size=1000
    )
    while True:
        answer = stub.ListStatements(request)
        for each in answer.statements:
            yield Published(each.content, each.signature, each.key_id)
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token
