"""Any card on a reader, looked at over mTLS and from the shell."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
import zxingcpp
from PIL import Image
from tunggal.cardperso.v1 import cardperso_pb2, verification_pb2
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub
from tunggal.cardperso.v1.verification_pb2_grpc import VerificationServiceStub
from typer.testing import CliRunner, Result

from cli.main import app
from services.cardperso.app import build
from services.cardperso.chip import mrz
from services.cardperso.chip.profile import find
from services.cardperso.face.token import issue
from services.cardperso.holder import Holder
from services.cardperso.keys.authority import Authorities
from services.cardperso.keys.filestore import FileKeystore
from services.cardperso.settings import Settings
from services.common.client import channel
from services.common.clock import SystemClock
from services.common.db import Database
from services.common.errors import remote_error
from services.common.server import RunningServer
from sim.card import VirtualCard, VirtualReader
from sim.card.globalplatform import VirtualGlobalPlatformCard
from sim.card.globalplatform.persistent import CARD_LOCKED
from tests.cardperso.card_makers import eventually, make_holder, present
from tests.cardperso.card_neighbours import Neighbours


@dataclass
class Station:
    """A running service, an operator's line to it, and a reader."""

    server: RunningServer
    settings: Settings
    line: grpc.Channel
    reader: VirtualReader

    def make(self) -> cardperso_pb2.CardJob:
        """Make the card that lies on the reader."""
        stub = CardPersoServiceStub(self.line)
        request = cardperso_pb2.CreateCardJobRequest(
            request_id=str(uuid.uuid4()), region="32.16", location="32.16", reader=self.reader.name
        )
        job = stub.CreateCardJob(request).job
        *_, last = stub.WatchCardJob(cardperso_pb2.WatchCardJobRequest(job_id=job.job_id), timeout=120)
        assert last.job.state == cardperso_pb2.CARD_JOB_STATE_PRINTED, last.job.reason
        made: cardperso_pb2.CardJob = last.job
        return made

    def look(self, zone: str = "") -> verification_pb2.VerifyCardResponse:
        request = verification_pb2.VerifyCardRequest(reader=self.reader.name, mrz=zone)
        return VerificationServiceStub(self.line).VerifyCard(request)

    def shell(self, *arguments: str) -> Result:
        options = ["--cardperso", f"127.0.0.1:{self.server.port}", "--tls-dir", str(self.settings.tls_dir)]
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["card", "read", *arguments, *options])


@pytest.fixture
def profile() -> str:
    """Of the cards that are made."""
    return "ktp-el"


@pytest.fixture
def station(tmp_path: Path, tls_dir: Path, reader: VirtualReader, profile: str) -> Iterator[Station]:
    settings = Settings(
        listen="127.0.0.1:0",
        health_listen="",
        metrics_listen="",
        data_dir=tmp_path,
        tls_dir=tls_dir,
        chip_profile=profile,
        card_wait_seconds=60,
        drain_seconds=5,
    )
    world = Neighbours([make_holder()])
    server = build(settings, SystemClock(), world.enroll, world.inventory).build().start()
    line = channel(f"127.0.0.1:{server.port}", tls_dir, "operator-cli", server="cardperso")
    yield Station(server, settings, line, reader)
    line.close()
    server.stop(grace=2)


@pytest.fixture
def card(reader: VirtualReader, tmp_path: Path) -> Iterator[VirtualGlobalPlatformCard]:
    """A blank on the reader."""
    with VirtualGlobalPlatformCard(tmp_path / "card.eeprom", reader.port) as card:
        eventually(lambda: present(reader.name), 60)
        yield card


def tamper(card: VirtualGlobalPlatformCard, identifier: int) -> None:
    """Change a byte of a file."""
    instance = card.card.persistent.registry.find(find("ktp-el").aid)  # type: ignore[attr-defined]
    file = next(file for file in instance.files if file.tag == identifier)
    (byte,) = card.memory.read(file.at + 9, 1)
    card.memory.write(file.at + 9, bytes([byte ^ 0x20]))


def test_a_card_whose_signer_was_revoked_since_is_not_genuine_any_more(
    station: Station, card: VirtualGlobalPlatformCard
) -> None:
    station.make()
    assert station.look().genuine
    settings = station.settings
    keystore = FileKeystore.open(settings.keystore, settings.keystore_passphrase_file.read_text().strip())
    known = Authorities(settings.certificates, settings.issuer_country, settings.issuer_name)
    path = known.revoke(keystore, 1, "key-compromise", SystemClock().now())
    assert [finding.problem for finding in station.look().findings] == ["SIGNER_REVOKED"]
    told = station.shell()
    assert told.exit_code == 2
    assert "(key-compromise)" in told.output
    path.write_text("")
    with pytest.raises(grpc.RpcError) as caught:
        station.look()
    assert remote_error(caught.value).reason == "REVOCATION_LIST_DAMAGED"


def test_a_card_that_was_made_is_genuine_and_says_whose_it_is(
    station: Station, card: VirtualGlobalPlatformCard, holder: Holder
) -> None:
    job = station.make()
    seen = station.look()
    assert seen.genuine
    assert (seen.chip_uid, seen.profile, seen.job_id) == (card.uid, "ktp-el", job.job_id)
    fields = {field.name: field.text for field in seen.fields}
    assert (fields["nik"], fields["full_name"]) == (holder.nik, holder.full_name)
    assert (fields["birth_date"], fields["religion"]) == ("1992-08-05", "ISLAM")
    assert Image.open(io.BytesIO(seen.portrait)).size == (240, 320)
    assert Image.open(io.BytesIO(seen.signature)).format == "PNG"
    assert [(finger.position, finger.minutiae) for finger in seen.fingers] == [(2, 50), (7, 40)]
    assert seen.signer.subject.startswith("CN=Tunggal development Document Signer 1")
    (security,) = (file for file in seen.files if file.key == "security")
    assert len(security.sha256) == hashlib.sha256().digest_size
    with Database(station.settings.database_url).read() as conn:
        deeds = conn.exec_driver_sql("SELECT action, resource FROM audit_log ORDER BY seq").fetchall()
    assert ("VerifyCard", f"chips/{card.uid}") in [tuple(deed) for deed in deeds]


def test_the_printed_code_belongs_to_the_chip_and_verifies_from_the_shell(
    station: Station, card: VirtualGlobalPlatformCard, holder: Holder
) -> None:
    job = station.make()
    request = cardperso_pb2.GetCardFaceRequest(job_id=job.job_id, side=cardperso_pb2.CARD_SIDE_BACK)
    png = CardPersoServiceStub(station.line).GetCardFace(request).png
    only = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(png)), formats=only)
    assert station.shell("--code", code.text).exit_code == 0
    forged = station.shell("--code", code.text[:-4] + "AAAA")
    assert (forged.exit_code, "CODE_NOT_GENUINE" in forged.stdout) == (2, True)
    command = ["card", "token", code.text, "--certificates", str(station.settings.certificates)]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command, "--json"])
    assert shown.exit_code == 0, shown.output
    said = json.loads(shown.stdout)
    assert (said["nik"], said["chip_uid"]) == (holder.nik, card.uid)
    spoiled = CliRunner().invoke(app, ["card", "token", code.text[:-4] + "AAAA", *command[3:]])
    assert spoiled.exit_code == 1
    assert "changed" in spoiled.stderr
    assert "genuine" in CliRunner().invoke(app, command).stdout


def test_a_chip_in_the_plastic_of_another_card_is_found(
    station: Station, card: VirtualGlobalPlatformCard, tmp_path: Path, holder: Holder
) -> None:
    station.make()
    known = Authorities(station.settings.certificates, "", "")
    store = FileKeystore.open(
        station.settings.keystore, station.settings.keystore_passphrase_file.read_text().strip()
    )
    signer = known.signer(store, SystemClock().now())
    other = issue(holder, "04FFFFFFFFFFFF", b"another security object", signer)
    shown = station.shell("--code", other)
    assert (shown.exit_code, "belongs to the chip 04FFFFFFFFFFFF" in shown.stdout) == (2, True), shown.output


def test_the_shell_shows_the_holder_and_saves_the_pictures(
    station: Station, card: VirtualGlobalPlatformCard, tmp_path: Path, holder: Holder
) -> None:
    station.make()
    shown = station.shell("--reader", station.reader.name, "--pictures", str(tmp_path / "seen"))
    assert shown.exit_code == 0, shown.output
    assert "This card is genuine." in shown.stdout
    assert holder.full_name in shown.stdout
    assert "right index" in shown.stdout
    portrait = tmp_path / "seen" / f"{card.uid}-portrait.png"
    with Image.open(portrait) as picture:
        assert picture.size == (240, 320)
    assert portrait.stat().st_mode & 0o077 == 0
    stdout = station.shell("--json").stdout
    # The service runs in this process and logs to the same place.
    plain = json.loads(stdout[stdout.index("{\n") :])
    assert plain["genuine"] is True
    assert plain["fields"]["nik"] == holder.nik
    assert "portrait" not in plain


def test_a_tampered_card_is_told_in_clear_words(station: Station, card: VirtualGlobalPlatformCard) -> None:
    station.make()
    tamper(card, 0x0101)
    shown = station.shell()
    assert shown.exit_code == 2
    assert "Do not trust this card." in shown.stdout
    assert "Data group 1 (biodata) was changed after it was signed. (GROUP_CHANGED)" in shown.stdout
    assert [(f.problem, f.file) for f in station.look().findings] == [("GROUP_CHANGED", "biodata")]


def test_a_blank_a_locked_and_a_foreign_card_are_told_apart(
    station: Station, tmp_path: Path, reader: VirtualReader
) -> None:
    with VirtualGlobalPlatformCard(tmp_path / "blank", reader.port):
        eventually(lambda: present(reader.name), 60)
        shown = station.shell()
        assert (shown.exit_code, "This card is blank." in shown.stdout) == (2, True), shown.output
    eventually(lambda: not present(reader.name), 60)
    locked = VirtualGlobalPlatformCard(tmp_path / "locked", reader.port)
    persistent = locked.card.persistent  # type: ignore[attr-defined]
    persistent.commit(replace(persistent.registry, state=CARD_LOCKED))
    with locked:
        eventually(lambda: present(reader.name), 60)
        shown = station.shell()
        assert (shown.exit_code, "This card is locked." in shown.stdout) == (2, True), shown.output
    eventually(lambda: not present(reader.name), 60)
    with VirtualCard(tmp_path / "foreign", reader.port):
        eventually(lambda: present(reader.name), 60)
        shown = station.shell()
        assert (shown.exit_code, "This is no card of ours." in shown.stdout) == (2, True), shown.output


def test_a_reader_without_a_card_is_an_error_of_the_station(station: Station) -> None:
    shown = station.shell("--reader", station.reader.name)
    assert shown.exit_code == 1
    assert "CARD_TIMEOUT" in shown.stderr
    nowhere = station.shell()
    assert nowhere.exit_code == 1
    assert "Lay a card on a reader." in nowhere.stderr


@pytest.mark.parametrize("profile", ["icao-lds1"])
def test_a_travel_document_opens_with_the_zone_on_its_back(
    station: Station, card: VirtualGlobalPlatformCard, holder: Holder
) -> None:
    station.make()
    with pytest.raises(grpc.RpcError) as caught:
        station.look()
    assert remote_error(caught.value).reason == "MRZ_NEEDED"
    with pytest.raises(grpc.RpcError) as caught:
        station.look("IDIDN")
    assert (remote_error(caught.value).reason, remote_error(caught.value).field) == ("MRZ_WRONG", "mrz")
    lines = mrz.of(holder).lines
    seen = station.look("\n".join(lines))
    assert (seen.genuine, seen.profile) == (True, "icao-lds1")
    assert [field.text for field in seen.fields] == list(lines)
    assert Image.open(io.BytesIO(seen.portrait)).size == (300, 400)
    other = mrz.Mrz("1234567890123456", holder.birth_date, None, "F", "IDN", "X")
    assert [finding.problem for finding in station.look("".join(other.lines)).findings] == ["ACCESS_REFUSED"]
