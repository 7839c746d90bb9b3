"""`tunggal card journal`: what was said to a card, and whether anybody has changed the record of it."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from tunggal.cardperso.v1 import journal_pb2 as pb
from tunggal.cardperso.v1.journal_pb2_grpc import JournalServiceStub

from cli.errors import readable, tell
from cli.exit_codes import NO
from cli.options import CARDPERSO, DEFAULT_TLS_DIR, AsJson, CardPersoEndpoint, TlsDir, connect
from services.common.errors import DataLoss, InvalidArgument


@readable
def journal(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Job whose sessions are shown (UUID).")] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the whole chain; exit code 2 where it is broken.")
    ] = False,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show every APDU of a card job, secrets as digests only, or check that the journal was not changed."""
    if not job and not verify:
        raise InvalidArgument(
            "NOTHING_TO_DO", "neither a job nor --verify is given", remedy="Give a job id, --verify, or both."
        )
    sessions: list[pb.CardSession] = []
    checked: pb.VerifyJournalResponse | None = None
    with connect("cardperso", cardperso, tls_dir) as channel:
        stub = JournalServiceStub(channel)
        if job:
            sessions = list(stub.ReadJournal(pb.ReadJournalRequest(job_id=job)).sessions)
        if verify:
            checked = stub.VerifyJournal(pb.VerifyJournalRequest())
    if as_json:
        plain: dict[str, object] = {"sessions": [_plain(session) for session in sessions]}
        if checked is not None:
            plain["chain"] = _plain(checked)
        typer.echo(json.dumps(plain, indent=2))
    else:
        for session in sessions:
            _show(session)
        if job and not sessions:
            Console().print("No card was met for this job.")
    if checked is not None:
        _judge(checked, as_json=as_json)


def _judge(checked: pb.VerifyJournalResponse, *, as_json: bool) -> None:
    if checked.broken_sequence:
        changed = DataLoss(
            "JOURNAL_CHANGED",
            f"session {checked.broken_sequence} is missing, was changed or put in",
            remedy="Restore the database from a backup whose last hash is known, and find out who did it.",
        )
        tell(changed, as_json=as_json)
        raise typer.Exit(NO)
    if not as_json:
        Console().print(f"{checked.sessions} sessions hold; the last hash is {checked.hash}.", soft_wrap=True)


def _show(session: pb.CardSession) -> None:
    begin = session.begin_time.ToDatetime()
    table = Table(
        title=f"Session {session.sequence} · chip {session.chip_uid} · {session.reader} · {session.operator}"
        f" · {begin:%Y-%m-%d %H:%M:%S} UTC",
        caption=session.outcome,
        header_style="bold",
        title_justify="left",
        caption_justify="left",
    )
    for column in ("ms", "Command", "Header", "Sent", "Status", "Received"):
        table.add_column(column, justify="right" if column == "ms" else "left", no_wrap=column != "Sent")
    for exchange in session.exchanges:
        table.add_row(
            f"{exchange.at_us / 1000:.1f}",
            exchange.name,
            exchange.header,
            _data(exchange.sent, exchange.sent_bytes),
            exchange.status or "none",
            _data(exchange.received, exchange.received_bytes),
        )
    Console().print(table)


def _data(shown: str, size: int) -> str:
    if not size:
        return ""
    return f"{size} B {shown[:9]}…" if shown.startswith("#") or size > 8 else shown


def _plain(message: pb.CardSession | pb.VerifyJournalResponse) -> dict[str, object]:
    plain: dict[str, object] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return plain
