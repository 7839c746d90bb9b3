"""The production floor over mTLS: stations make batches, people judge cards, auditors read the journal."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from tunggal.cardperso.v1 import (
    cardperso_pb2,
    cardperso_pb2_grpc,
    journal_pb2,
    journal_pb2_grpc,
    production_pb2_grpc,
)
from tunggal.cardperso.v1 import production_pb2 as pb
from typer.testing import CliRunner

from cli.main import app
from services.cardperso.app import build
from services.cardperso.settings import Settings
from services.common import tls
from services.common.client import channel
from services.common.clock import FixedClock
from services.common.db import Database
from sim.card import Faults, VirtualReader
from sim.card.globalplatform import FACTORY_KEYS, CardSettings
from tests.cardperso.card_makers import eventually, present
from tests.cardperso.card_station import Station, new_id, refused
from tests.cardperso.conftest import MakeBlank

Connect = Callable[[str], grpc.Channel]
Floor = production_pb2_grpc.ProductionServiceStub

BOTH_DATABASES = pytest.mark.parametrize("database", ["sqlite", "postgresql"])
PATIENCE = 60.0


@pytest.fixture
def quality_check() -> bool:
    return False


@pytest.fixture
def settings(settings: Settings, quality_check: bool) -> Settings:
    return settings.model_copy(
        update={"quality_check": quality_check, "card_wait_seconds": 60.0, "resume_wait_seconds": 60.0}
    )


@pytest.fixture
def connect(station: Station) -> Iterator[Connect]:
    """Channels of operators by name."""
    made: list[grpc.Channel] = []

    def open_channel(name: str) -> grpc.Channel:
        directory = station.settings.tls_dir
        tls.issue(directory, f"operator-{name}", f"operator/{name}")
        made.append(
            channel(f"127.0.0.1:{station.server.port}", directory, f"operator-{name}", server="cardperso")
        )
        return made[-1]

    yield open_channel
    for each in made:
        each.close()


@pytest.fixture
def ani(connect: Connect) -> Floor:
    return Floor(connect("ani"))


@pytest.fixture
def budi(connect: Connect) -> Floor:
    return Floor(connect("budi"))


def register(ani: Floor, reader: VirtualReader, name: str = "encoder-1") -> pb.Station:
    request = pb.RegisterStationRequest(
        request_id=new_id(), name=name, location="32.16", reader=reader.name, printer="ktp"
    )
    return ani.RegisterStation(request).station


def jobs(station: Station) -> list[cardperso_pb2.CardJob]:
    return list(station.stub.ListCardJobs(cardperso_pb2.ListCardJobsRequest()).jobs)


def told(printed: str, opening: str) -> Any:
    """The JSON that a command printed; the service logs to the same place."""
    plain, _ = json.JSONDecoder().raw_decode(printed[printed.index(f"{opening}\n") :])
    return plain


@BOTH_DATABASES
def test_a_station_makes_a_batch_card_after_card(
    station: Station,
    make_blank: MakeBlank,
    reader: VirtualReader,
    ani: Floor,
) -> None:
    registered = register(ani, reader)
    assert (registered.state, registered.host) == (pb.STATION_STATE_ACTIVE, "here")
    assert register(ani, reader) == registered
    request = pb.CreateBatchRequest(request_id=new_id(), region="32.16", location="32.16", quantity=3)
    batch = ani.CreateBatch(request).batch
    assert ani.CreateBatch(request).batch.batch_id == batch.batch_id
    for number in range(3):
        card = make_blank(f"card-{number}").insert()
        eventually(lambda number=number: len(station.world.printed) == number + 1, seconds=PATIENCE)  # type: ignore[misc]
        card.remove()
        eventually(lambda: not present(reader.name), seconds=PATIENCE)
    get = pb.GetBatchRequest(batch_id=batch.batch_id)
    eventually(lambda: ani.GetBatch(get).batch.state == pb.BATCH_STATE_DONE, seconds=PATIENCE)
    done = ani.GetBatch(get).batch
    assert (done.made, done.under_way, done.spoiled, done.operator) == (3, 0, 0, "operator/ani")
    made = jobs(station)
    assert [job.station for job in made] == ["encoder-1"] * 3
    assert {job.card_state for job in made} == {cardperso_pb2.CARD_STATE_PERSONALIZED}
    assert [each.batch_id for each in ani.ListBatches(pb.ListBatchesRequest()).batches] == [batch.batch_id]


def test_a_station_without_ribbon_waits_until_it_has_some(
    station: Station,
    make_blank: MakeBlank,
    reader: VirtualReader,
    ani: Floor,
) -> None:
    register(ani, reader)
    make_blank().insert()
    empty = pb.ReportPrinterRequest(request_id=new_id(), name="encoder-1", state=pb.PRINTER_STATE_RIBBON_OUT)
    assert ani.ReportPrinter(empty).station.reason.startswith("RIBBON_OUT")
    ani.CreateBatch(pb.CreateBatchRequest(request_id=new_id(), region="32.16", location="32.16", quantity=1))
    (shown,) = ani.ListStations(pb.ListStationsRequest()).stations
    assert (shown.reason.split(":")[0], shown.job_id) == ("RIBBON_OUT", "")
    assert not jobs(station)
    ready = pb.ReportPrinterRequest(request_id=new_id(), name="encoder-1", state=pb.PRINTER_STATE_READY)
    ani.ReportPrinter(ready)
    eventually(lambda: len(station.world.printed) == 1, seconds=PATIENCE)


@pytest.mark.parametrize("quality_check", [True])
def test_a_card_is_booked_after_somebody_found_it_good(
    station: Station, make_blank: MakeBlank, ani: Floor
) -> None:
    make_blank().insert()
    job = station.create()
    verified = cardperso_pb2.CARD_JOB_STATE_VERIFIED
    get = cardperso_pb2.GetCardJobRequest(job_id=job.job_id)
    eventually(lambda: station.stub.GetCardJob(get).job.state == verified, seconds=PATIENCE)
    assert not station.world.consumed
    hand_over = cardperso_pb2.HandOverCardRequest(request_id=new_id(), job_id=job.job_id)
    assert refused(station.stub.HandOverCard, hand_over).reason == "CARD_VERIFIED"
    ani.PassCard(pb.PassCardRequest(request_id=new_id(), job_id=job.job_id))
    printed = cardperso_pb2.CARD_JOB_STATE_PRINTED
    eventually(lambda: station.stub.GetCardJob(get).job.state == printed, seconds=PATIENCE)
    assert station.stub.GetCardJob(get).job.card_state == cardperso_pb2.CARD_STATE_QUALITY_CHECKED
    assert station.world.consumed
    station.stub.HandOverCard(hand_over)


@pytest.mark.parametrize("quality_check", [True])
def test_a_rejected_card_is_spoiled_with_both_names_when_a_second_person_agrees(
    station: Station,
    make_blank: MakeBlank,
    ani: Floor,
    budi: Floor,
) -> None:
    make_blank().insert()
    job = station.create()
    get = cardperso_pb2.GetCardJobRequest(job_id=job.job_id)
    verified, spoiled = cardperso_pb2.CARD_JOB_STATE_VERIFIED, cardperso_pb2.CARD_JOB_STATE_SPOILED
    eventually(lambda: station.stub.GetCardJob(get).job.state == verified, seconds=PATIENCE)
    ani.RejectCard(
        pb.RejectCardRequest(
            request_id=new_id(), job_id=job.job_id, reason=pb.REJECT_REASON_PRINT, note="pale"
        )
    )
    (waiting,) = ani.ListUnreviewed(pb.ListUnreviewedRequest()).jobs
    assert (waiting.job_id, waiting.rejected_by) == (job.job_id, "operator/ani")
    review = pb.ReviewCardRequest(request_id=new_id(), job_id=job.job_id, confirmed=True)
    assert refused(ani.ReviewCard, review).reason == "SAME_PERSON"
    budi.ReviewCard(review)
    eventually(lambda: station.stub.GetCardJob(get).job.state == spoiled, seconds=PATIENCE)
    ended_job = station.stub.GetCardJob(get).job
    assert (ended_job.card_state, ended_job.reviewed_by) == (cardperso_pb2.CARD_STATE_VOID, "operator/budi")
    told = "REJECTED_PRINT: pale; rejected by operator/ani, reviewed by operator/budi"
    assert station.world.spoiled == {1001: told}
    assert len(station.world.queue) == 4
    assert not ani.ListUnreviewed(pb.ListUnreviewedRequest()).jobs


@BOTH_DATABASES
def test_a_booked_card_that_is_rejected_is_never_handed_over(
    station: Station,
    make_blank: MakeBlank,
    ani: Floor,
    budi: Floor,
) -> None:
    make_blank().insert()
    job = station.create()
    station.watch(job)
    reject = pb.RejectCardRequest(request_id=new_id(), job_id=job.job_id, reason=pb.REJECT_REASON_SURFACE)
    ani.RejectCard(reject)
    hand_over = cardperso_pb2.HandOverCardRequest(request_id=new_id(), job_id=job.job_id)
    assert refused(station.stub.HandOverCard, hand_over).reason == "CARD_REJECTED"
    assert not station.world.issued
    review = pb.ReviewCardRequest(request_id=new_id(), job_id=job.job_id, confirmed=True)
    assert budi.ReviewCard(review).job.state == cardperso_pb2.CARD_JOB_STATE_VOID
    hand_over.request_id = new_id()
    assert refused(station.stub.HandOverCard, hand_over).code is grpc.StatusCode.FAILED_PRECONDITION


def test_a_chip_that_failed_too_often_is_released_by_an_operator(
    station: Station,
    make_blank: MakeBlank,
    reader: VirtualReader,
    ani: Floor,
) -> None:
    stranger = make_blank(settings=CardSettings(keys=replace(FACTORY_KEYS, mac=bytes(16))))
    job = station.create()
    for failures in (1, 2, 3):
        stranger.insert()
        eventually(
            lambda failures=failures: (
                [  # type: ignore[misc]
                    chip.failures for chip in ani.ListFailedChips(pb.ListFailedChipsRequest()).chips
                ]
                == [failures]
            ),
            seconds=PATIENCE,
        )
        stranger.remove()
        eventually(lambda: not present(reader.name), seconds=PATIENCE)
    (chip,) = ani.ListFailedChips(pb.ListFailedChipsRequest()).chips
    assert (chip.chip_uid, chip.suspended) == (stranger.uid, True)
    where = ["--cardperso", f"127.0.0.1:{station.server.port}", "--tls-dir", str(station.settings.tls_dir)]
    assert "suspended" in CliRunner().invoke(app, ["card", "chips", *where]).stdout
    release = ["card", "release-chip", chip.chip_uid.lower(), "--reason", "keys were found", *where]
    assert CliRunner().invoke(app, release).exit_code == 0
    assert not ani.ListFailedChips(pb.ListFailedChipsRequest()).chips
    again = CliRunner().invoke(app, release)
    assert (again.exit_code, "CHIP_UNKNOWN" in again.stderr) == (1, True)
    assert job.job_id


@BOTH_DATABASES
def test_the_journal_is_read_over_the_wire_and_a_change_is_found(
    station: Station, make_blank: MakeBlank, connect: Connect
) -> None:
    card = make_blank().insert()
    job = station.create()
    station.watch(job)
    auditor = journal_pb2_grpc.JournalServiceStub(connect("auditor"))
    (session,) = auditor.ReadJournal(journal_pb2.ReadJournalRequest(job_id=job.job_id)).sessions
    assert (session.chip_uid, session.outcome, session.station) == (card.uid, "VERIFIED", "here")
    assert len(session.exchanges) == card.apdus
    checked = auditor.VerifyJournal(journal_pb2.VerifyJournalRequest())
    assert (checked.sessions, checked.broken_sequence, checked.hash) == (1, 0, session.hash)
    command = ["card", "journal", job.job_id, "--verify", "--json"]
    command += ["--cardperso", f"127.0.0.1:{station.server.port}", "--tls-dir", str(station.settings.tls_dir)]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0
    assert len(told(shown.stdout, "{")["sessions"][0]["exchanges"]) == card.apdus
    stored = Database(station.settings.database_url)
    with stored.transaction() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(sa.text("ALTER TABLE card_session DISABLE TRIGGER ALL"))
        else:
            conn.execute(sa.text("DROP TRIGGER card_session_no_update"))
        conn.execute(sa.text("UPDATE card_session SET operator = 'operator/nobody'"))
    stored.dispose()
    assert auditor.VerifyJournal(journal_pb2.VerifyJournalRequest()).broken_sequence == 1
    assert CliRunner().invoke(app, command).exit_code == 2


@BOTH_DATABASES
def test_a_card_that_was_begun_at_a_dead_station_is_finished_at_another_one(
    station: Station,
    settings: Settings,
    clock: FixedClock,
    make_blank: MakeBlank,
    reader: VirtualReader,
    other_reader: VirtualReader,
    ani: Floor,
    tmp_path: Path,
) -> None:
    register(ani, reader, "left")
    there = settings.model_copy(update={"station": "there", "data_dir": tmp_path / "there"})
    second = build(there, clock, station.world.enroll, station.world.inventory).build().start()
    line = channel(f"127.0.0.1:{second.port}", settings.tls_dir, "operator-cli", server="cardperso")
    try:
        card = make_blank(faults=Faults(die_at=14)).insert()
        ani.CreateBatch(
            pb.CreateBatchRequest(request_id=new_id(), region="32.16", location="32.16", quantity=1)
        )
        eventually(lambda: not card.on_reader, seconds=PATIENCE)
        eventually(lambda: jobs(station)[0].reason.startswith("CARD_REMOVED"), seconds=PATIENCE)
        station.server.stop(grace=0)
        clock.advance(dt.timedelta(seconds=settings.station_lease_seconds + 1))
        other = production_pb2_grpc.ProductionServiceStub(line)
        assert {each.state for each in other.ListStations(pb.ListStationsRequest()).stations} == {
            pb.STATION_STATE_LOST
        }
        register(other, other_reader, "right")
        stub = cardperso_pb2_grpc.CardPersoServiceStub(line)

        def the_job() -> cardperso_pb2.CardJob:
            return stub.ListCardJobs(cardperso_pb2.ListCardJobsRequest()).jobs[0]

        eventually(lambda: the_job().station == "right", seconds=PATIENCE)
        assert the_job().reason.startswith("CARD_TAKEN_OVER")
        card.insert(other_reader.port)
        eventually(lambda: the_job().state == cardperso_pb2.CARD_JOB_STATE_PRINTED, seconds=PATIENCE)
        made = the_job()
        assert (made.chip_uid, made.blank_serial) == (card.uid, 1001)
        assert station.world.consumed == {1001: card.uid}
        auditor = journal_pb2_grpc.JournalServiceStub(line)
        read = auditor.ReadJournal(journal_pb2.ReadJournalRequest(job_id=made.job_id)).sessions
        assert [(each.station, each.outcome.split(":")[0]) for each in read] == [
            ("here", "CARD_REMOVED"),
            ("there", "VERIFIED"),
        ]
    finally:
        line.close()
        second.stop(grace=2)


def test_two_operators_void_a_booked_card_from_a_shell_and_a_second_one_is_made(
    station: Station, make_blank: MakeBlank, reader: VirtualReader, tmp_path: Path
) -> None:
    where = ["--cardperso", f"127.0.0.1:{station.server.port}", "--tls-dir", str(station.settings.tls_dir)]

    def tunggal(*command: str) -> str:
        done = CliRunner().invoke(app, ["card", *command, *where])
        assert done.exit_code == 0, done.output
        return done.stdout

    def first_of(*command: str) -> Any:
        return told(tunggal(*command, "--json"), "[")[0]

    def refusal(*command: str) -> Any:
        done = CliRunner().invoke(app, ["card", *command, *where, "--json"])
        assert done.exit_code == 1
        return json.loads(done.stderr.splitlines()[-1])["error"]

    card = make_blank("first").insert()
    made = first_of("make", "32.16", "--reader", reader.name, "--wait", "--operator", "dewi")
    assert (made["state"], made["operator"]) == ("CARD_JOB_STATE_PRINTED", "operator/cli:dewi")
    job_id = made["job_id"]
    tunggal("pass", job_id, "--operator", "dewi")
    tunggal("reject", job_id, "--reason", "print", "--note", "pale", "--operator", "ani")
    assert refusal("hand-over", job_id)["reason"] == "CARD_REJECTED"
    assert refusal("review", job_id, "--confirm", "--operator", "ani")["reason"] == "SAME_PERSON"
    assert "REJECTED_PRINT: pale" in tunggal("unreviewed")
    void = first_of("review", job_id, "--confirm", "--note", "it is", "--operator", "budi")
    assert (void["state"], void["reviewed_by"]) == ("CARD_JOB_STATE_VOID", "operator/cli:budi")
    eventually(lambda: not first_of("jobs", "--state", "void")["errand"], seconds=PATIENCE)
    assert list(station.world.spoilage.values()) == [["ani", "budi", True, "it is"]]
    assert station.world.void == {card.uid: made["record_id"]}
    assert refusal("hand-over", job_id)["remedy"]

    card.remove()
    eventually(lambda: not present(reader.name), seconds=PATIENCE)
    second = make_blank("second").insert()
    again = first_of("make", "32.16", "--reader", reader.name, "--wait")
    assert (again["record_id"], again["chip_uid"]) == (made["record_id"], second.uid)
    assert first_of("hand-over", again["job_id"])["state"] == "CARD_JOB_STATE_HANDED_OVER"
    assert station.world.issued == {made["record_id"]: second.uid}
    saved = told(tunggal("faces", again["job_id"], "--to", str(tmp_path / "faces"), "--json"), "[")
    assert [Path(path).suffix for path in saved] == [".png", ".png", ".pdf"]
    assert all(Path(path).stat().st_mode & 0o077 == 0 for path in saved)
    assert second.uid in tunggal("show", again["job_id"])
    assert first_of("jobs", "--record", made["record_id"])["job_id"] == job_id


def test_an_operator_makes_a_batch_from_a_shell(
    station: Station, make_blank: MakeBlank, reader: VirtualReader
) -> None:
    def run(*command: str) -> Any:
        where = [
            "--cardperso",
            f"127.0.0.1:{station.server.port}",
            "--tls-dir",
            str(station.settings.tls_dir),
        ]
        done = CliRunner().invoke(app, [*command, *where, "--json"])
        assert done.exit_code == 0, done.output
        return told(done.stdout, "[")[0]

    run("station", "register", "encoder-9", "--location", "32.16", "--reader", reader.name)
    paused = run("station", "pause", "encoder-9", "--reason", "lunch")
    assert (paused["state"], paused["reason"]) == ("STATION_STATE_PAUSED", "lunch")
    made = run("batch", "create", "32.16", "1")
    assert (made["quantity"], made["state"]) == (1, "BATCH_STATE_OPEN")
    assert run("batch", "pause", made["batch_id"], "--reason", "colour")["state"] == "BATCH_STATE_PAUSED"
    run("batch", "resume", made["batch_id"])
    assert run("batch", "show", made["batch_id"])["operator"].startswith("operator/cli:")
    assert run("station", "printer", "encoder-9", "ribbon-out")["printer_state"] == "PRINTER_STATE_RIBBON_OUT"
    run("station", "printer", "encoder-9", "ready")
    run("station", "resume", "encoder-9")
    make_blank().insert()
    eventually(lambda: run("batch", "list")["state"] == "BATCH_STATE_DONE", seconds=PATIENCE)
    assert run("station", "list")["state"] == "STATION_STATE_ACTIVE"
    other = run("batch", "create", "32.16", "5")
    assert run("batch", "cancel", other["batch_id"], "--reason", "enough")["state"] == "BATCH_STATE_CANCELLED"
