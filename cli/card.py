"""`tunggal card`: cards from the blank to their holder; what one says of itself, and whether it is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table
from tunggal.cardperso.v1 import cardperso_pb2, verification_pb2
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub
from tunggal.cardperso.v1.verification_pb2_grpc import VerificationServiceStub

from cli import card_check, card_job
from cli.card_journal import journal
from cli.errors import readable
from cli.exit_codes import NO
from cli.options import CARDPERSO, DEFAULT_TLS_DIR, AsJson, CardPersoEndpoint, TlsDir, connect
from services.common.clock import SystemClock
from services.common.errors import NotFound

_FINGERS = (
    "unknown finger",
    *(
        f"{hand} {name}"
        for hand in ("right", "left")
        for name in ("thumb", "index", "middle", "ring", "little")
    ),
)
_VERDICTS = {
    "CARD_BLANK": "This card is blank.",
    "CARD_LOCKED": "This card is locked.",
    "CARD_FOREIGN": "This is no card of ours.",
    "CARD_VOID": "This card is void: take it in and have it destroyed.",
    "CARD_UNFINISHED": "This card was begun and never finished.",
    "ACCESS_REFUSED": "This card does not open to our readers.",
    "SIGNER_REVOKED": "This card bears the signature of a signer that was revoked.",
}
"""What one finding says of a card as a whole."""

app = typer.Typer(help="Make, check, hand over and read cards.", no_args_is_help=True)


app.command("make")(card_job.make)
app.command("jobs")(card_job.jobs)
app.command("show")(card_job.show)
app.command("faces")(card_job.faces)
app.command("unseal")(card_job.unseal)
app.command("pass")(card_check.pass_)
app.command("reject")(card_check.reject)
app.command("unreviewed")(card_check.unreviewed)
app.command("review")(card_check.review)
app.command("hand-over")(card_job.hand_over)
app.command("chips")(card_check.chips)
app.command("release-chip")(card_check.release_chip)
app.command("journal")(journal)


@app.callback()
def card() -> None:
    """Make, check, hand over and read cards."""


@app.command()
@readable
def read(
    reader: Annotated[
        str, typer.Option("--reader", metavar="NAME", help="Reader; left out: the one with a card on it.")
    ] = "",
    mrz: Annotated[
        str,
        typer.Option("--mrz", metavar="ZONE", help="Machine readable zone, for a card that opens with it."),
    ] = "",
    code: Annotated[
        str,
        typer.Option("--code", metavar="TOKEN", help="Content of the QR code on its back, to be compared."),
    ] = "",
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="DIR", help="Save portrait and signature there as PNG."),
    ] = None,
    cardperso: CardPersoEndpoint = CARDPERSO,
    tls_dir: TlsDir = DEFAULT_TLS_DIR,
    as_json: AsJson = False,
) -> None:
    """Read a card as any reader does, and say whether it is genuine; exit code 2 where it is not."""
    with connect("cardperso", cardperso, tls_dir) as channel:
        chosen = reader or _only_card(channel)
        request = verification_pb2.VerifyCardRequest(reader=chosen, mrz=mrz, code=code)
        found = VerificationServiceStub(channel).VerifyCard(request)
    saved = _save(found, pictures) if pictures is not None else []
    if as_json:
        typer.echo(json.dumps(_plain(found, saved), indent=2))
    else:
        _show(found, saved, Console())
    if not found.genuine:
        raise typer.Exit(NO)


@app.command()
@readable
def token(
    text: Annotated[str, typer.Argument(metavar="TOKEN", help="Content of the QR code on the card's back.")],
    certificates: Annotated[
        Path,
        typer.Option("--certificates", metavar="DIR", help="PEM files of CSCA and document signers."),
    ] = Path("var/cardperso/certificates"),
    as_json: AsJson = False,
) -> None:
    """Verify the code on a card's back; no reader and no service is needed."""
    from services.cardperso.face.token import verify
    from services.cardperso.keys.authority import Authorities
    from services.cardperso.verify import Trust

    known = Authorities(certificates, "", "")
    claims = verify(text, known.signers(), Trust(known.anchors(), SystemClock().now(), known.revocations()))
    said = {
        "nik": claims.nik,
        "name": claims.name,
        "issuer": claims.issuer,
        "issue_date": claims.issue_date.isoformat(),
        "chip_uid": claims.chip_uid,
        "digest": claims.digest,
        "signer": claims.signer.subject.rfc4514_string(),
    }
    if as_json:
        typer.echo(json.dumps(said, indent=2))
        return
    table = Table(show_header=False)
    for name, value in said.items():
        table.add_row(f"[bold]{name.replace('_', ' ')}[/]", value)
    console = Console()
    console.print("[bold green]This code is genuine.[/] Compare it with the print.")
    console.print(table)


def _only_card(channel: grpc.Channel) -> str:
    """The reader that a card lies on."""
    answer = CardPersoServiceStub(channel).ListReaders(cardperso_pb2.ListReadersRequest())
    names = [reader.name for reader in answer.readers if reader.card_present]
    if len(names) != 1:
        raise NotFound(
            "CARD_NOT_FOUND" if not names else "SEVERAL_CARDS",
            "No reader has a card on it." if not names else f"{len(names)} readers have a card on them.",
            remedy="Lay a card on a reader." if not names else f"Name one: {'; '.join(names)}.",
        )
    return names[0]


def _save(found: verification_pb2.VerifyCardResponse, directory: Path) -> list[Path]:
    """Write what pictures there are; they show a person, so nobody else may read the files."""
    written = []
    directory.mkdir(parents=True, exist_ok=True)
    for name, png in (("portrait", found.portrait), ("signature", found.signature)):
        if png:
            path = directory / f"{found.chip_uid or 'card'}-{name}.png"
            path.touch(mode=0o600)
            path.write_bytes(png)
            written.append(path)
    return written


def _plain(found: verification_pb2.VerifyCardResponse, saved: list[Path]) -> dict[str, Any]:
    """The answer for programs, with paths in place of pictures."""
    plain = MessageToDict(found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    del plain["portrait"], plain["signature"]
    plain["fields"] = {field.name: field.text for field in found.fields}
    for file, message in zip(plain["files"], found.files, strict=True):
        file["sha256"] = message.sha256.hex()
    return plain | {"pictures": [str(path) for path in saved]}


def _show(found: verification_pb2.VerifyCardResponse, saved: list[Path], console: Console) -> None:
    if found.genuine:
        verdict = "[bold green]This card is genuine.[/]"
    else:
        alone = found.findings[0].problem if len(found.findings) == 1 else ""
        verdict = f"[bold red]{_VERDICTS.get(alone, 'Do not trust this card.')}[/]"
    console.print(f"{verdict} Chip {found.chip_uid or 'without UID'}, profile {found.profile}.")
    for finding in found.findings:
        console.print(f"  • {finding.detail} ({finding.problem})", markup=False, highlight=False)
    if found.fields or found.fingers:
        console.print(_holder(found))
    if found.HasField("signer"):
        until = found.signer.not_after.ToDatetime()
        console.print(
            f"Signed by {found.signer.subject} under {found.signer.issuer}; "
            f"certificate {found.signer.serial} until {until:%Y-%m-%d}.",
            markup=False,
            highlight=False,
        )
    for path in saved:
        console.print(f"Saved {path}", markup=False, highlight=False)


def _holder(found: verification_pb2.VerifyCardResponse) -> Table:
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for field in found.fields:
        table.add_row(field.name.replace("_", " "), field.text)
    for finger in found.fingers:
        table.add_row(_FINGERS[finger.position], f"{finger.minutiae} minutiae")
    for name, png in (("portrait", found.portrait), ("signature", found.signature)):
        if png:
            size = next((file.size for file in found.files if file.key in _FILES[name]), 0)
            table.add_row(name, f"{size} bytes")
    return table


_FILES = {"portrait": ("portrait", "dg2"), "signature": ("signature",)}
