"""`tunggal card pass, reject, review, chips` and others: what people say of cards and chips."""

from __future__ import annotations

import json
import uuid
from enum import StrEnum
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from tunggal.cardperso.v1 import cardperso_pb2
from tunggal.cardperso.v1 import production_pb2 as pb
from tunggal.cardperso.v1.production_pb2_grpc import ProductionServiceStub

from cli.card_job import JobId, show_jobs
from cli.errors import readable
from cli.options import CARDPERSO, DEFAULT_TLS_DIR, AsJson, CardPersoEndpoint, Operator, TlsDir, connect
from cli.pages import every


class Fault(StrEnum):
    """What is wrong with a card."""

    PRINT = "print"
    SURFACE = "surface"
    CHIP = "chip"
    CONTENT = "content"
    OTHER = "other"


@readable
def pass_(
    job_id: JobId,
    operator: Operator,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Find a card good."""
    request = pb.PassCardRequest(request_id=_new_id(), job_id=job_id, operator=operator)
    with connect("cardperso", cardperso, tls_dir) as channel:
        job = ProductionServiceStub(channel).PassCard(request).job
    show_jobs([job], as_json=as_json)


@readable
def reject(
    job_id: JobId,
    fault: Annotated[Fault, typer.Option("--reason", help="What is wrong with it.")],
    operator: Operator,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What was seen.")] = "",
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Find a card bad. It stays where it is until a second person has reviewed it."""
    request = pb.RejectCardRequest(
        request_id=_new_id(),
        job_id=job_id,
        reason=pb.RejectReason.Value(f"REJECT_REASON_{fault.name}"),
        note=note,
        operator=operator,
    )
    with connect("cardperso", cardperso, tls_dir) as channel:
        job = ProductionServiceStub(channel).RejectCard(request).job
    show_jobs([job], as_json=as_json)


@readable
def review(
    job_id: JobId,
    operator: Operator,
    confirmed: Annotated[
        bool,
        typer.Option(
            "--confirm/--question",
            help="Whether it is as the first person, or the machine, says. A confirmed rejection voids the "
            "card; a rejection in question is taken back; a spoiled blank in question stays spoiled.",
        ),
    ],
    note: Annotated[str, typer.Option(metavar="TEXT", help="What you have seen.")] = "",
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Review a rejected or spoiled card as a second person. The inventory hears of it."""
    request = pb.ReviewCardRequest(
        request_id=_new_id(), job_id=job_id, confirmed=confirmed, note=note, operator=operator
    )
    with connect("cardperso", cardperso, tls_dir) as channel:
        job = ProductionServiceStub(channel).ReviewCard(request).job
    show_jobs([job], as_json=as_json)


@readable
def unreviewed(
    cardperso: CardPersoEndpoint = CARDPERSO, tls_dir: TlsDir = DEFAULT_TLS_DIR, as_json: AsJson = False
) -> None:
    """List rejected, spoiled and void cards that wait for a second person."""
    with connect("cardperso", cardperso, tls_dir) as channel:
        list_unreviewed = ProductionServiceStub(channel).ListUnreviewed
        found: list[cardperso_pb2.CardJob] = every(list_unreviewed, pb.ListUnreviewedRequest(), "jobs")
    show_jobs(found, as_json=as_json)


@readable
def chips(
    cardperso: CardPersoEndpoint = CARDPERSO, tls_dir: TlsDir = DEFAULT_TLS_DIR, as_json: AsJson = False
) -> None:
    """List chips with failed sessions; a suspended one is left alone until it is released."""
    with connect("cardperso", cardperso, tls_dir) as channel:
        found = ProductionServiceStub(channel).ListFailedChips(pb.ListFailedChipsRequest()).chips
    if as_json:
        shown = [
            MessageToDict(chip, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            for chip in found
        ]
        typer.echo(json.dumps(shown, indent=2))
        return
    if not found:
        typer.echo("No session has failed with any chip.")
        return
    table = Table("Chip", "Failed sessions", "Last one", "", header_style="bold")
    for chip in found:
        last = f"{chip.last_time.ToDatetime():%Y-%m-%d %H:%M} UTC"
        table.add_row(chip.chip_uid, str(chip.failures), last, "[red]suspended[/]" if chip.suspended else "")
    Console().print(table)


@readable
def release_chip(
    chip_uid: Annotated[str, typer.Argument(metavar="UID", help="Chip UID, hexadecimal.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="What was found out; others will read it.")],
    operator: Operator,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Let a chip be tried again that was left alone after failed sessions."""
    uid = chip_uid.replace(" ", "").replace(":", "").upper()
    request = pb.ReleaseChipRequest(request_id=_new_id(), chip_uid=uid, reason=reason, operator=operator)
    with connect("cardperso", cardperso, tls_dir) as channel:
        ProductionServiceStub(channel).ReleaseChip(request)
    typer.echo(json.dumps({"released": uid}) if as_json else f"Chip {uid} may be tried again.")


def _new_id() -> str:
    return str(uuid.uuid4())
