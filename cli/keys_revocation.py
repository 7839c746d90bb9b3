"""`tunggal keys revoke`, `tunggal keys revocations`: document signers that count no more."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.errors import readable
from cli.keystore import DATA, DataDir, opened
from cli.options import AsJson
from services.cardperso.keys.authority import DOCUMENT_SIGNER
from services.cardperso.keys.revocation import REASONS, entries_of, number_of
from services.common.clock import SystemClock
from services.common.errors import InvalidArgument


@readable
def revoke(
    version: Annotated[int, typer.Argument(metavar="VERSION", help="Of the document signer.")],
    reason: Annotated[str, typer.Option(metavar="WHY", help=", ".join(REASONS))] = "unspecified",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = DATA,
) -> None:
    """Revoke a document signer: from now on every chip that it has signed is found not genuine.

    The list that says so is signed by the CA and lies beside the certificates, for publication.
    """
    if reason not in REASONS:
        raise InvalidArgument(
            "REASON_UNKNOWN",
            f"{reason!r} is no reason",
            field="--reason",
            remedy=f"Say {', '.join(REASONS)}.",
        )
    if not yes:
        typer.confirm(
            f"No card that {DOCUMENT_SIGNER} {version} has signed will be genuine. Revoke?", abort=True
        )
    with opened(data_dir) as issuer:
        path = issuer.authorities.revoke(issuer.store, version, reason, SystemClock().now())
    Console().print(f"{DOCUMENT_SIGNER} {version} is revoked; the list is {path}.", soft_wrap=True)


@readable
def refresh(
    renew: Annotated[
        bool, typer.Option("--renew", help="Sign new lists first, of the same entries.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = DATA,
) -> None:
    """Show what was revoked and when the next lists are due; a list is good for 90 days."""
    with opened(data_dir) as issuer:
        if renew:
            issuer.authorities.renew_lists(issuer.store, SystemClock().now())
        lists = issuer.authorities.revocations()
    shown = [
        {
            "issuer": each.issuer.rfc4514_string(),
            "number": number_of(each),
            "at": each.last_update_utc.isoformat(),
            "next": each.next_update_utc.isoformat() if each.next_update_utc else "",
            "revoked": [
                {"serial": f"{entry.serial:X}", "at": entry.at.isoformat(), "reason": entry.reason}
                for entry in entries_of(each)
            ],
        }
        for each in lists
    ]
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
        return
    table = Table(header_style="bold")
    for column in ("Authority", "List", "Next due", "Revoked", "Since", "Reason"):
        table.add_column(column)
    for each in lists:
        due = f"{each.next_update_utc:%Y-%m-%d}" if each.next_update_utc else ""
        head = (each.issuer.rfc4514_string(), str(number_of(each)), due)
        for entry in entries_of(each):
            table.add_row(*head, f"{entry.serial:X}", f"{entry.at:%Y-%m-%d}", entry.reason)
        if not entries_of(each):
            table.add_row(*head, "none", "", "")
    Console().print(table)
