"""`tunggal reconcile` against the three services."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from typer.testing import CliRunner, Result

from cli.main import app
from services.cardperso import app as cardperso_app
from services.cardperso.settings import Settings as CardPersoSettings
from services.cardperso.tables import JOBS
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.identity import caller
from services.enroll import app as enroll_app
from services.enroll.record import Record
from services.enroll.settings import Settings as EnrollSettings
from services.inventory import adapter
from services.inventory import app as inventory_app
from services.inventory.settings import Settings as InventorySettings
from tests.enroll.enroll_office import Office
from tests.enroll.enroll_people import NIK, packet
from tests.inventory.inventory_office import BEKASI
from tests.inventory.planning_books import Books

NOBODY = "127.0.0.1:9"


@pytest.fixture(autouse=True)
def services_do_not_log() -> Iterator[None]:
    """A command's output is the command's alone: the services run in the same process here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


class Programme:
    """The databases of the three services, before they are served."""

    def __init__(self, directory: Path, tls_dir: Path, clock: FixedClock) -> None:
        self.directory, self.tls_dir = directory, tls_dir
        self.stock = Books(self.url("inventory"), clock, directory / "inventory")
        self.stock.stock_up(100)
        self.stock.ship(BEKASI, 100)
        (directory / "enroll").mkdir(exist_ok=True)
        keys = KeyRing.load(directory / "enroll" / "keys.json")
        self.people = Office(self.url("enroll"), keys, clock)
        self.station = Database(self.url("cardperso"))
        self.station.migrate("services.cardperso")
        self.clock = clock

    def url(self, service: str) -> str:
        return f"sqlite:///{self.directory}/{service}/tunggal.db"

    def card(self, number: int, *, job: bool = True, record: bool = True) -> str:
        """One card as far as each service knows it; its chip UID."""
        uid = f"04AA{number:06}"
        serial = self.stock.print_card(BEKASI, uid)
        record_id = self._record(number, uid) if record else str(uuid.uuid4())
        if job:
            self._job(serial, uid, record_id)
        return uid

    def _record(self, number: int, uid: str) -> str:
        office = self.people

        def work(connection: sa.Connection) -> Record:
            record = office.store.insert(
                connection,
                nik=NIK[:-4] + f"{number:04}",
                region=BEKASI,
                biodata=b"",
                actor="kit/1",
                at=self.clock.now(),
            )
            office.vault.put_images(connection, record.record_id, packet(f"person {number}"))
            return record

        record = office.db.run(work)
        office.run()
        held = office.db.run(lambda c: office.queue.claim_next(c, BEKASI, "job", "service/cardperso"))
        office.db.run(lambda c: office.queue.report_printed(c, held.claim_id, uid, "service/cardperso"))
        return record.record_id

    def spoiled(self, state: str, *, booked: bool, review: str = "") -> int:
        """A blank that a job has spoiled, as the inventory has it or not; its serial."""
        serial = self.stock.spoil(BEKASI) if booked else self.stock.print_card(BEKASI, "04AB000001")
        self._job(serial, "", "", state=state, review=review)
        return serial

    def _job(self, serial: int, uid: str, record_id: str, **changes: str) -> None:
        now = self.clock.now()
        values = {
            "job_id": str(uuid.uuid4()),
            "version": 1,
            "state": "PRINTED",
            "region": BEKASI,
            "location": BEKASI,
            "station": "station-1",
            "reader": "reader",
            "issue_date": now.date(),
            "create_time": now,
            "update_time": now,
            "claim_id": str(uuid.uuid4()),
            "record_id": record_id,
            "reservation_id": str(uuid.uuid4()),
            "blank_serial": serial,
            "chip_uid": uid,
            "consumed": True,
            "apdu_count": 40,
            "chip_seconds": 0.1,
            "readback_mismatches": 0,
            "reason": "",
            **changes,
        }
        with self.station.transaction() as connection:
            connection.execute(sa.insert(JOBS).values(**values))

    def close(self) -> None:
        for database in (self.stock.database, self.people.db, self.station):
            database.dispose()


@pytest.fixture
def programme(tmp_path: Path, tls_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Programme]:
    """Three services that know nothing of any card yet."""
    monkeypatch.setattr(adapter, "caller", lambda _: "operator/cli")
    noon = (datetime.now(UTC) - timedelta(days=3)).replace(hour=4)
    made = Programme(tmp_path, tls_dir, FixedClock(noon))
    yield made
    made.close()


def reconciled(programme: Programme, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """The command with all three services running, who ask for certificates again."""
    monkeypatch.setattr(adapter, "caller", caller)
    servers = []
    options: list[str] = []
    for service, build, settings in (
        ("inventory", inventory_app.build, InventorySettings),
        ("enroll", enroll_app.build, EnrollSettings),
        ("cardperso", cardperso_app.build, CardPersoSettings),
    ):
        chosen = settings.model_validate(
            {
                "listen": "127.0.0.1:0",
                "health_listen": "",
                "metrics_listen": "",
                "data_dir": programme.directory / service,
                "tls_dir": programme.tls_dir,
                "abis_endpoint": NOBODY,
                "enroll_endpoint": NOBODY,
                "inventory_endpoint": NOBODY if service == "cardperso" else "",
            }
        )
        server = build(chosen).build().start()  # type: ignore[arg-type]
        servers.append(server)
        options += [f"--{service}", f"127.0.0.1:{server.port}"]
    try:
        arguments = ("reconcile", *arguments, *options, "--tls-dir", str(programme.tls_dir))
        return CliRunner(env={"COLUMNS": "140"}).invoke(app, [*arguments])
    finally:
        for server in servers:
            server.stop(grace=0)


def test_cards_that_all_three_know_agree_and_one_that_is_missing_is_named(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = programme.stock.day().isoformat()
    for number in (1, 2):
        programme.card(number)
    without_job = programme.card(3, job=False)
    without_record = programme.card(4, record=False)
    programme.clock.advance(timedelta(days=1))
    programme.card(5)

    everything = reconciled(programme, monkeypatch, "--json")
    assert everything.exit_code == 2, everything.output
    found = json.loads(everything.stdout)
    assert [
        (each["day"], each["consumed"], each["personalized"], each["issued"]) for each in found["tallies"]
    ] == [(day, 4, 3, 3), (programme.stock.day().isoformat(), 1, 1, 1)]
    assert [(each["serial"], each["chip_uid"], each["what"]) for each in found["differences"]] == [
        (3, without_job, "cardperso has personalized no such chip"),
        (4, without_record, "enroll has no record with this card"),
    ]

    # What the others changed on the eve belongs to the day on which the blank was consumed.
    today = programme.stock.day().isoformat()
    one_day = reconciled(programme, monkeypatch, BEKASI, "--from", today, "--to", today)
    assert one_day.exit_code == 0, one_day.output
    assert "agree" in one_day.stdout
    assert day not in one_day.stdout


def test_blanks_that_were_put_aside_are_listed_until_a_second_person_accepts_them(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = programme.spoiled("SPOILED", booked=True)
    programme.spoiled("VOID", booked=True, review="ACCEPTED")
    shown = reconciled(programme, monkeypatch)
    assert shown.exit_code == 0, shown.output
    assert "2 blanks put aside as spoiled, 1 of them not accepted" in shown.stdout
    assert f"blank {waiting} of 32.16" in shown.stdout


def test_a_blank_that_the_inventory_still_holds_for_a_card_is_a_difference(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = programme.spoiled("VOID", booked=True)
    lost = programme.spoiled("SPOILED", booked=False)
    plain = reconciled(programme, monkeypatch, "--json")
    assert plain.exit_code == 2
    found = json.loads(plain.stdout)
    assert [(each["serial"], each["booked"], each["reviewed"]) for each in found["put_aside"]] == [
        (waiting, True, False),
        (lost, False, False),
    ]
    assert (lost, "cardperso has spoiled this blank, inventory has not") in {
        (each["serial"], each["what"]) for each in found["differences"]
    }
