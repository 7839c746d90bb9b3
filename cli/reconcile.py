"""`tunggal reconcile`: ask inventory, cardperso and enroll for the same cards, and show where they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any

import grpc
import typer
from rich.console import Console
from rich.table import Table
from tunggal.cardperso.v1 import cardperso_pb2
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub
from tunggal.enroll.v1 import enroll_pb2, record_pb2
from tunggal.enroll.v1.enroll_pb2_grpc import EnrollServiceStub
from tunggal.inventory.v1 import exchange_pb2, inventory_pb2, stock_pb2
from tunggal.inventory.v1.exchange_pb2_grpc import ExchangeServiceStub
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub

from cli.errors import readable
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
from cli.reconciliation import Consumed, Issued, Personalized, PutAside, Reconciliation, reconcile

DIFFERENT = 2
"""Exit code where the services do not agree."""
#: Days are those of the ledger, in Jakarta.
_WIB = timezone(timedelta(hours=7))
_DONE = (cardperso_pb2.CARD_JOB_STATE_PRINTED, cardperso_pb2.CARD_JOB_STATE_HANDED_OVER)
_LOST = (cardperso_pb2.CARD_JOB_STATE_SPOILED, cardperso_pb2.CARD_JOB_STATE_VOID)
_SPOILED = (stock_pb2.BLANK_STATE_SPOILED, stock_pb2.BLANK_STATE_DESTROYED)
#: What a blank is that became a card: out, or back again.
_MADE = (
    stock_pb2.BLANK_STATE_CONSUMED,
    stock_pb2.BLANK_STATE_WITHDRAWN,
    stock_pb2.BLANK_STATE_DESTROYED,
)
_WITH_CARD = (
    record_pb2.RECORD_STATUS_CARD_PRINTED,
    record_pb2.RECORD_STATUS_CARD_SHIPPED,
    record_pb2.RECORD_STATUS_CARD_ISSUED,
)


@readable
def command(
    location: Annotated[
        str, typer.Argument(metavar="[LOCATION]", help="32.16, 32 or ID; with all below.")
    ] = "",
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First day, 2017-03-31.")] = "",
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last day.")] = "",
    inventory: InventoryEndpoint = INVENTORY,
    cardperso: CardPersoEndpoint = CARDPERSO,
    enroll: EnrollEndpoint = ENROLL,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Compare blanks consumed, chips personalized and records with a card; exit code 2 on a difference."""
    with (
        connect("inventory", inventory, tls_dir) as stock,
        connect("cardperso", cardperso, tls_dir) as station,
        connect("enroll", enroll, tls_dir) as records,
    ):
        # Inventory comes last: what it consumed meanwhile the others have booked before.
        written = [
            job for job in _jobs(station) if _within(job.location, location) and _since(job.day, first)
        ]
        issued = [
            each for each in _records(records) if _within(each.region, location) and _since(each.day, first)
        ]
        # All that is later, too: a job may have changed since. What is not of these days is told from them
        # below.
        everything = list(_consumed(stock, location, _eve(first)))
        consumed = [
            each for each in everything if (not first or each.day >= first) and _until(each.day, last)
        ]
        others = {each.chip_uid for each in everything} - {each.chip_uid for each in consumed}
        elsewhere = others | (_long_ago(stock, everything, written) if first else set())
        aside = [
            each
            for each in _put_aside(station, stock)
            if _within(each.location, location)
            and (not first or each.day >= first)
            and _until(each.day, last)
        ]
    found = reconcile(consumed, written, issued, elsewhere, aside)
    if as_json:
        typer.echo(json.dumps(_plain(found), indent=2))
    else:
        _show(found)
    if not found.agrees:
        raise typer.Exit(DIFFERENT)


def _consumed(channel: grpc.Channel, location: str, first: str) -> Iterator[Consumed]:
    stub = ExchangeServiceStub(channel)
    request = exchange_pb2.ListUsedBlanksRequest(location=location, first_day=first, page_size=1000)
    while True:
        answer = stub.ListUsedBlanks(request)
        for each in answer.blanks:
            if not each.spoiled:
                yield Consumed(each.serial, each.location, each.chip_uid, each.day, each.withdrawn)
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def _jobs(channel: grpc.Channel) -> Iterator[Personalized]:
    stub = CardPersoServiceStub(channel)
    for state in _DONE:
        request = cardperso_pb2.ListCardJobsRequest(state=state, page_size=1000)
        while True:
            answer = stub.ListCardJobs(request)
            for job in answer.jobs:
                yield Personalized(
                    job.job_id,
                    job.blank_serial,
                    job.location,
                    job.chip_uid,
                    job.record_id,
                    _day(job.update_time),
                )
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token


def _put_aside(station: grpc.Channel, stock: grpc.Channel) -> Iterator[PutAside]:
    """Blanks that jobs have spoiled, and what has become of them in the inventory."""
    stub, blanks = CardPersoServiceStub(station), InventoryServiceStub(stock)
    for state in _LOST:
        request = cardperso_pb2.ListCardJobsRequest(state=state, page_size=1000)
        while True:
            answer = stub.ListCardJobs(request)
            for job in answer.jobs:
                if job.blank_serial:
                    blank = blanks.GetBlank(inventory_pb2.GetBlankRequest(serial=job.blank_serial)).blank
                    yield PutAside(
                        job.job_id,
                        job.blank_serial,
                        job.location,
                        _day(job.create_time),
                        job.review == cardperso_pb2.CARD_REVIEW_ACCEPTED,
                        blank.state in _SPOILED,
                        job.errand,
                    )
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token


def _records(channel: grpc.Channel) -> Iterator[Issued]:
    stub = EnrollServiceStub(channel)
    for status in _WITH_CARD:
        request = enroll_pb2.ListRecordsRequest(status=status, page_size=1000)
        while True:
            answer = stub.ListRecords(request)
            for record in answer.records:
                yield Issued(record.record_id, record.region, record.chip_uid, _day(record.update_time))
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token


def _long_ago(channel: grpc.Channel, consumed: list[Consumed], written: list[Personalized]) -> set[str]:
    """Chips of jobs that changed in these days and whose blank inventory consumed before them."""
    known = {each.chip_uid for each in consumed}
    stub = InventoryServiceStub(channel)
    found = set()
    for job in written:
        if job.chip_uid in known or not job.serial:
            continue
        try:
            blank = stub.GetBlank(inventory_pb2.GetBlankRequest(serial=job.serial)).blank
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                continue
            raise
        if blank.state in _MADE and blank.chip_uid == job.chip_uid:
            found.add(job.chip_uid)
    return found


def _within(place: str, region: str) -> bool:
    return region in {"", "ID"} or place == region or place.startswith((f"{region}.", f"{region}:"))


def _eve(day: str) -> str:
    """The day before. The services book a card one after the other, and midnight may lie between them."""
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat() if day else ""


def _since(day: str, first: str) -> bool:
    return not first or day >= _eve(first)


def _until(day: str, last: str) -> bool:
    return not last or day <= last


def _day(stamp: Any) -> str:
    moment: datetime = stamp.ToDatetime(UTC)
    return moment.astimezone(_WIB).date().isoformat()


def _plain(found: Reconciliation) -> dict[str, object]:
    return {
        "agrees": found.agrees,
        "tallies": [
            {"location": location, "day": day, **asdict(tally)}
            for (location, day), tally in sorted(found.tallies.items())
        ],
        "differences": [asdict(each) for each in found.differences],
        "put_aside": [asdict(each) for each in found.put_aside],
    }


def _show(found: Reconciliation) -> None:
    console = Console()
    if not found.tallies:
        console.print("No card was made there in that time.")
    else:
        _show_cards(found, console)
    if found.put_aside:
        _show_put_aside(found.put_aside, console)
    if not found.differences:
        return
    table = Table("Site", "Day", "Serial", "Chip UID", "Difference", header_style="bold")
    for each in found.differences:
        table.add_row(each.location, each.day, str(each.serial or "–"), each.chip_uid or "–", each.what)
    console.print(table)


def _show_put_aside(found: Sequence[PutAside], console: Console) -> None:
    waiting = sum(not each.reviewed for each in found)
    console.print(
        f"{len(found):,} blanks put aside as spoiled, {waiting:,} of them not accepted by a second person.",
        highlight=False,
    )
    for each in found:
        if not each.reviewed or each.untold:
            console.print(
                f"  blank {each.serial} of {each.location}, job {each.job_id} {each.untold}".rstrip(),
                soft_wrap=True,
                highlight=False,
            )


def _show_cards(found: Reconciliation, console: Console) -> None:
    table = Table("Site", "Day", header_style="bold")
    back = any(tally.withdrawn for tally in found.tallies.values())
    columns = ("Blanks consumed", "Chips personalized", "Records with card")
    for column in (*columns, *(["Came back"] if back else [])):
        table.add_column(column, justify="right")
    table.add_column("")
    wrong = {(each.location, each.day) for each in found.differences}
    for (location, day), tally in sorted(found.tallies.items()):
        fine = tally.agrees and (location, day) not in wrong
        table.add_row(
            location,
            day,
            f"{tally.consumed:,}",
            f"{tally.personalized:,}",
            f"{tally.issued:,}",
            *([f"{tally.withdrawn:,}"] if back else []),
            "[green]agree[/]" if fine else "[red]differ[/]",
        )
    console.print(table)
