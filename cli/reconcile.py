"""`tunggal reconcile`: ask inventory, cardperso and enroll for the same cards, and show where they differ."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from cli.cards_told import Scope
from cli.errors import readable
from cli.exit_codes import NO
from cli.options import (
    CARDPERSO,
    DEFAULT_TLS_DIR,
    ENROLL,
    INVENTORY,
    AsJson,
    CardPersoEndpoint,
    EnrollEndpoint,
    InventoryEndpoint,
    TlsDir,
    connect,
)
from cli.reconcile_report import plain, show
from cli.reconcile_sources import Services
from cli.reconciliation import reconcile
from services.common.errors import InvalidArgument
from services.common.moments import require_ordered
from services.inventory.ledger import days


@readable
def command(
    location: Annotated[
        str, typer.Argument(metavar="[LOCATION]", help="32.16, 32.16:mall-01, 32 or ID; with all below.")
    ] = "",
    day: Annotated[str, typer.Option(metavar="DAY", help="This day only, 2017-03-31.")] = "",
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All days that there are.")] = False,
    inventory: InventoryEndpoint = INVENTORY,
    cardperso: CardPersoEndpoint = CARDPERSO,
    enroll: EnrollEndpoint = ENROLL,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Compare blanks consumed, chips personalized and records with a card; exit code 2 on a difference.

    Without a day it compares yesterday and today, days of Jakarta. A card that is just being made or voided
    is told as under way, and is no difference.
    """
    scope = _scope(location, day, first, last, everything=everything)
    with (
        connect("inventory", inventory, tls_dir) as stock,
        connect("cardperso", cardperso, tls_dir) as station,
        connect("enroll", enroll, tls_dir) as people,
    ):
        found = reconcile(Services(stock, station, people, scope), scope)
    if as_json:
        typer.echo(json.dumps(plain(found, scope), indent=2))
    else:
        show(found, scope)
    if not found.agrees:
        raise typer.Exit(NO)


def _scope(location: str, day: str, first: str, last: str, *, everything: bool) -> Scope:
    """What is compared; raises :class:`InvalidArgument` where the options say two things."""
    if sum((bool(day), bool(first or last), everything)) > 1:
        raise InvalidArgument(
            "DAYS_TWICE",
            "--day, --from with --to, and --all each say which days",
            field="--all" if everything else "--day",
            remedy="Give one of them.",
        )
    if everything:
        return Scope(location)
    if day:
        only = _day(day, "--day")
        return Scope(location, only, only)
    if first or last:
        begin, end = (_day(text, option) for text, option in ((first, "--from"), (last, "--to")))
        require_ordered(begin, end, ("--from", "--to"))
        return Scope(location, begin, end)
    today = days.day_of(datetime.now(UTC))
    return Scope(location, today - timedelta(days=1), today)


def _day(text: str, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidArgument(
            "DAY_MALFORMED", f"{text!r} is no day", field=option, remedy="Write it as 2017-03-31."
        ) from None
