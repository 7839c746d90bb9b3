"""`tunggal status`: where a person's record stands, how it came there, and what it waits for."""

from __future__ import annotations

import json
import uuid
from typing import Annotated, Any

import grpc
import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from tunggal.cardperso.v1 import cardperso_pb2
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub
from tunggal.enroll.v1 import enroll_pb2, record_pb2
from tunggal.enroll.v1.enroll_pb2_grpc import EnrollServiceStub

from cli.errors import readable
from cli.options import (
    CARDPERSO,
    DEFAULT_TLS_DIR,
    ENROLL,
    AsJson,
    CardPersoEndpoint,
    EnrollEndpoint,
    TlsDir,
    connect,
)
from cli.pages import paged
from services.common.errors import InvalidArgument, NotFound, TunggalError, remote_error


@readable
def status(
    who: Annotated[str, typer.Argument(metavar="NIK|RECORD", help="A NIK (16 digits) or a record's id.")],
    enroll: EnrollEndpoint = ENROLL,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show a record: status, history, reason, next attempt and card. A NIK shows every record under it."""
    is_nik = _is_nik(who)
    with connect("enroll", enroll, tls_dir) as channel:
        stub = EnrollServiceStub(channel)
        record_ids = _under_nik(stub, who) if is_nik else [who]
        found = [stub.GetRecord(enroll_pb2.GetRecordRequest(record_id=record_id)) for record_id in record_ids]
    with connect("cardperso", cardperso, tls_dir) as channel:
        jobs = [_jobs(CardPersoServiceStub(channel), answer.record) for answer in found]
    if as_json:
        typer.echo(
            json.dumps([_as_dict(answer, made) for answer, made in zip(found, jobs, strict=True)], indent=2)
        )
        return
    console = Console()
    for answer, made in zip(found, jobs, strict=True):
        console.print(_panel(answer, made))


_Jobs = list[cardperso_pb2.CardJob] | TunggalError


def _is_nik(who: str) -> bool:
    """Whether `who` is a NIK; otherwise it is a record's id.

    Raises:
        InvalidArgument: it is neither.
    """
    if who.isdecimal() and len(who) == 16:
        return True
    try:
        uuid.UUID(who)
    except ValueError:
        raise InvalidArgument(
            "NEITHER_NIK_NOR_RECORD",
            f"{who!r} is neither a NIK (16 digits) nor a record's id (UUID)",
            field="NIK|RECORD",
            remedy="Give the NIK as printed on the card, or the record_id that the submission returned.",
        ) from None
    return False


def _under_nik(stub: EnrollServiceStub, nik: str) -> list[str]:
    request = enroll_pb2.ListRecordsRequest(nik=nik)
    records = [record.record_id for record in paged(stub.ListRecords, request, "records")]
    if not records:
        raise NotFound(
            "NIK_NOT_FOUND",
            f"no record was submitted under NIK {nik}",
            field="NIK",
            remedy="Check the digits; a person recorded under another NIK is found under that one.",
        )
    return records


def _jobs(stub: CardPersoServiceStub, record: record_pb2.Record) -> _Jobs:
    """The record's card jobs; the error where no card station answers, which must not hide the record."""
    try:
        return list(stub.ListCardJobs(cardperso_pb2.ListCardJobsRequest(record_id=record.record_id)).jobs)
    except grpc.RpcError as error:
        return remote_error(error)


def _as_dict(answer: enroll_pb2.GetRecordResponse, jobs: _Jobs) -> dict[str, Any]:
    cards = {"unknown": jobs.reason} if isinstance(jobs, TunggalError) else [_plain(job) for job in jobs]
    return {
        "record": _plain(answer.record),
        "events": [_plain(event) for event in answer.events],
        "cards": cards,
    }


def _plain(message: record_pb2.Record | record_pb2.RecordEvent | cardperso_pb2.CardJob) -> dict[str, Any]:
    return dict(MessageToDict(message, preserving_proto_field_name=True))


def _panel(answer: enroll_pb2.GetRecordResponse, jobs: _Jobs) -> Panel:
    record = answer.record
    facts = Table.grid(padding=(0, 2))
    facts.add_row("Record", record.record_id)
    facts.add_row("NIK", record.biodata.nik)
    facts.add_row("Region", record.region)
    facts.add_row("Arrived", f"{_time(record.create_time)}, no. {record.arrival_number}")
    facts.add_row("Status", Text(_status(record.status), style="bold"))
    if record.reason:
        facts.add_row("Reason", record.reason)
    if record.HasField("next_attempt_time"):
        facts.add_row("Next attempt", f"{_time(record.next_attempt_time)}, after {record.attempts} failed")
    if record.matching_record_id:
        facts.add_row(
            "Matches", f"{record.matching_record_id} (log-likelihood ratio {record.match_score:.1f})"
        )
    if record.chip_uid:
        facts.add_row("Chip", record.chip_uid)
    history = Table(box=None, padding=(0, 2), header_style="bold")
    for column in ("Time (UTC)", "Status", "By", "Reason"):
        history.add_column(column)
    for event in answer.events:
        history.add_row(_time(event.event_time), _status(event.status), event.actor, event.reason)
    return Panel(
        Group(facts, "", history, *_cards(jobs)), title=Text(record.biodata.full_name), title_align="left"
    )


def _cards(jobs: _Jobs) -> list[Text]:
    if isinstance(jobs, TunggalError):
        return [Text(f"\nCards unknown: the card station does not answer ({jobs.reason})", style="yellow")]
    lines = []
    for job in jobs:
        state = cardperso_pb2.CardJobState.Name(job.state).removeprefix("CARD_JOB_STATE_")
        blank = f", blank {job.blank_serial}" if job.blank_serial else ""
        reason = f": {job.reason}" if job.reason else ""
        lines.append(Text(f"\nCard job {job.job_id}: {state}{blank}{reason}"))
    return lines


def _status(status: record_pb2.RecordStatus.ValueType) -> str:
    return record_pb2.RecordStatus.Name(status).removeprefix("RECORD_STATUS_")


def _time(stamp: Timestamp) -> str:
    return f"{stamp.ToDatetime():%Y-%m-%d %H:%M:%S}"
