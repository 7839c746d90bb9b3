"""`tunggal card make, jobs, show, faces, hand-over`: cards on their way from a blank to their holder."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import grpc
import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from tunggal.cardperso.v1 import cardperso_pb2 as pb
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub

from cli.errors import readable
from cli.exit_codes import NO
from cli.options import CARDPERSO, DEFAULT_TLS_DIR, AsJson, CardPersoEndpoint, Operator, TlsDir, connect
from cli.pages import every
from services.common.crypto import KeyRing
from services.common.errors import NotFound

_MADE = (pb.CARD_JOB_STATE_PRINTED, pb.CARD_JOB_STATE_HANDED_OVER)
_WAIT_SECONDS = 3600.0
_SHOWS_A_PERSON = "These files show a person: delete them when the card is printed."


class JobState(StrEnum):
    """States of jobs as options write them."""

    PENDING = "pending"
    CLAIMED = "claimed"
    WRITING = "writing"
    VERIFIED = "verified"
    PRINTED = "printed"
    HANDED_OVER = "handed-over"
    SPOILED = "spoiled"
    FAILED = "failed"
    VOID = "void"


JobId = Annotated[str, typer.Argument(metavar="JOB", help="Identifier of the card job (UUID).")]


@readable
def make(
    region: Annotated[str, typer.Argument(metavar="REGENCY", help="Whose queue is served, such as 32.16.")],
    reader: Annotated[str, typer.Option(metavar="NAME", help="Reader that the blank is laid on.")],
    operator: Operator,
    location: Annotated[
        str, typer.Option(help="Site in the regency whose blanks are used; left out: the regency's own.")
    ] = "",
    wait: Annotated[
        bool, typer.Option("--wait", help="Tell every step until the card is made; exit code 2 where not.")
    ] = False,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Make one card: for the record that waits longest, of the blank on the reader."""
    request = pb.CreateCardJobRequest(
        request_id=str(uuid.uuid4()),
        region=region,
        location=location or region,
        reader=reader,
        operator=operator,
    )
    with connect("cardperso", cardperso, tls_dir) as channel:
        job = CardPersoServiceStub(channel).CreateCardJob(request).job
        if wait:
            job = _follow(channel, job, quiet=as_json)
    show_jobs([job], as_json=as_json)
    if wait and job.state not in _MADE:
        raise typer.Exit(NO)


@readable
def jobs(
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    record: Annotated[str, typer.Option(metavar="RECORD", help="Only jobs of this record (UUID).")] = "",
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """List card jobs in order of creation."""
    name = f"CARD_JOB_STATE_{state.name if state else 'UNSPECIFIED'}"
    request = pb.ListCardJobsRequest(state=pb.CardJobState.Value(name), record_id=record)
    with connect("cardperso", cardperso, tls_dir) as channel:
        found: list[pb.CardJob] = every(CardPersoServiceStub(channel).ListCardJobs, request, "jobs")
    show_jobs(found, as_json=as_json)


@readable
def show(
    job_id: JobId,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of one card job."""
    with connect("cardperso", cardperso, tls_dir) as channel:
        job = CardPersoServiceStub(channel).GetCardJob(pb.GetCardJobRequest(job_id=job_id)).job
    if as_json:
        typer.echo(json.dumps(plain(job), indent=2))
        return
    table = Table(show_header=False)
    for name, value in plain(job).items():
        if value not in ("", 0, "0", "CARD_REVIEW_UNSPECIFIED"):
            table.add_row(f"[bold]{name.replace('_', ' ')}[/]", _short(str(value)))
    Console().print(table)


@readable
def faces(
    job_id: JobId,
    to: Annotated[Path, typer.Option(metavar="DIR", help="Where the files are written.")] = Path(),
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Fetch both faces of a card, as PNG and as PDF for a printer. It is written down who fetches them."""
    from services.cardperso.face import pdf

    with connect("cardperso", cardperso, tls_dir) as channel:
        stub = CardPersoServiceStub(channel)
        sides = {
            name: stub.GetCardFace(pb.GetCardFaceRequest(job_id=job_id, side=side)).png
            for name, side in (("front", pb.CARD_SIDE_FRONT), ("back", pb.CARD_SIDE_BACK))
        }
    contents = {f"{job_id}-{name}.png": png for name, png in sides.items()}
    contents[f"{job_id}.pdf"] = pdf.document(list(sides.values()))
    written = [_write(to / name, content) for name, content in contents.items()]
    if as_json:
        typer.echo(json.dumps([str(path) for path in written], indent=2))
        return
    for path in written:
        typer.echo(f"Saved {path}")
    typer.echo(_SHOWS_A_PERSON)


@readable
def unseal(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Sealed files of a spool.")],
    keys: Annotated[
        Path, typer.Option(metavar="FILE", help="Keyring of the service that sealed them.")
    ] = Path("var/cardperso/keys.json"),
    to: Annotated[Path, typer.Option(metavar="DIR", help="Where the files are written.")] = Path(),
) -> None:
    """Open faces in the spool, for a printer that is not CUPS's; no service is needed."""
    from services.cardperso.printing.spool import SEALED
    from services.cardperso.printing.spool import unseal as open_sealed

    if not keys.is_file():
        raise NotFound("KEYRING_MISSING", f"There is no keyring at {keys}.", remedy="Name it with --keys.")
    ring = KeyRing.load(keys)
    for path in files:
        written = _write(to / path.name.removesuffix(SEALED), open_sealed(path, ring))
        typer.echo(f"Saved {written}")
    typer.echo(_SHOWS_A_PERSON)


@readable
def hand_over(
    job_id: JobId,
    operator: Operator,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Say that the holder has the card."""
    request = pb.HandOverCardRequest(request_id=str(uuid.uuid4()), job_id=job_id, operator=operator)
    with connect("cardperso", cardperso, tls_dir) as channel:
        job = CardPersoServiceStub(channel).HandOverCard(request).job
    show_jobs([job], as_json=as_json)


def show_jobs(found: Sequence[pb.CardJob], *, as_json: bool) -> None:
    """Print jobs, a line or two each, or as JSON for programs."""
    if as_json:
        typer.echo(json.dumps([plain(job) for job in found], indent=2))
        return
    if not found:
        typer.echo("There is none.")
        return
    console = Console(soft_wrap=True, highlight=False)
    for job in found:
        state = pb.CardJobState.Name(job.state).removeprefix("CARD_JOB_STATE_")
        blank = f"blank {job.blank_serial}" if job.blank_serial else ""
        chip = f"chip {job.chip_uid}" if job.chip_uid else ""
        facts = filter(None, (blank, chip, job.station or job.reader, *_people(job)))
        console.print(f"[bold]{job.job_id}[/]  [bold]{state}[/]  ", end="")
        console.print(" · ".join(facts), markup=False)
        for why in filter(None, (job.reason or job.reject_reason, job.review_note, job.errand)):
            console.print(f"    {why}", markup=False)


def plain(job: pb.CardJob) -> dict[str, object]:
    """A job for programs."""
    found: dict[str, object] = MessageToDict(
        job, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found


def _follow(channel: grpc.Channel, job: pb.CardJob, *, quiet: bool) -> pb.CardJob:
    """Tell what changes until the job has ended; the job as it ended."""
    answers: Iterable[pb.WatchCardJobResponse] = CardPersoServiceStub(channel).WatchCardJob(
        pb.WatchCardJobRequest(job_id=job.job_id), timeout=_WAIT_SECONDS
    )
    told = ""
    for answer in answers:
        job = answer.job
        state = pb.CardJobState.Name(job.state).removeprefix("CARD_JOB_STATE_")
        line = f"{state} {job.reason}".rstrip()
        if line != told and not quiet:
            typer.echo(line)
        told = line
    return job


def _people(job: pb.CardJob) -> list[str]:
    """Who said what of the card."""
    said = {"good": job.checked_by, "rejected": job.rejected_by, "reviewed": job.reviewed_by}
    return [f"{what} by {who}" for what, who in said.items() if who]


def _short(value: str) -> str:
    for prefix in ("CARD_JOB_STATE_", "CARD_STATE_", "CARD_REVIEW_"):
        value = value.removeprefix(prefix)
    return value


def _write(path: Path, content: bytes) -> Path:
    """Write a file that nobody else may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path
