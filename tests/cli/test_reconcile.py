"""`tunggal reconcile` against the three services."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
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
from services.enroll.claims import Claim
from services.enroll.record import Record
from services.enroll.settings import Settings as EnrollSettings
from services.enroll.tables import CLAIMS
from services.inventory import adapter
from services.inventory import app as inventory_app
from services.inventory import tables as inventory_tables
from services.inventory.ledger.entries import BLANK, Account, Condition
from services.inventory.settings import Settings as InventorySettings
from tests.enroll.enroll_office import Office
from tests.enroll.enroll_people import NIK, packet
from tests.inventory.inventory_office import BEKASI
from tests.inventory.planning_books import Books

NOBODY = "127.0.0.1:9"


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
        #: Of the cards made here, by their number.
        self.serials: dict[int, int] = {}

    def url(self, service: str) -> str:
        return f"sqlite:///{self.directory}/{service}/tunggal.db"

    def card(
        self,
        number: int,
        *,
        blank: bool = True,
        job: bool = True,
        record: bool = True,
        place: str = BEKASI,
        later: timedelta = timedelta(0),
        **of_job: Any,
    ) -> str:
        """One card as far as each service knows it, the others ``later`` than inventory; its chip UID."""
        uid = f"04AA{number:06}"
        serial = self.stock.print_card(place, uid) if blank else 900 + number
        self.serials[number] = serial
        if later:
            self.clock.advance(later)
        record_id = self._record(number, uid) if record else str(uuid.uuid4())
        if job:
            self._job(serial, uid, of_job.pop("record_id", record_id), **{"location": place, **of_job})
        return uid

    def under_way(self, number: int) -> str:
        """A card whose blank is booked, and whose record is still on loan to its job; its chip UID."""
        uid, job_id = f"04AA{number:06}", str(uuid.uuid4())
        record_id = self._lent(number, job_id).record_id
        serial = self.serials[number] = self.stock.print_card(BEKASI, uid)
        self._job(serial, uid, record_id, job_id=job_id, state="VERIFIED")
        return uid

    def void(self, number: int) -> int:
        """A card of which cardperso alone knows that it is void; its serial."""
        now = self.clock.now()
        self.card(number, state="VOID", errand="VOID", card_time=now, loss_time=now)
        return self.serials[number]

    def _record(self, number: int, uid: str) -> str:
        held = self._lent(number, "job")
        office = self.people
        office.db.run(lambda c: office.queue.report_printed(c, held.claim_id, uid, "service/cardperso"))
        return held.record_id

    def _lent(self, number: int, job_id: str) -> Claim:
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

        office.db.run(work)
        office.run()
        return office.db.run(lambda c: office.queue.claim_next(c, BEKASI, job_id, "service/cardperso"))

    def spoiled(self, state: str, *, booked: bool, review: str = "", **of_job: Any) -> int:
        """A blank that a job has spoiled, as the inventory has it or not; its serial."""
        serial = self.stock.spoil(BEKASI) if booked else self.stock.print_card(BEKASI, "04AB000001")
        self._job(serial, "", "", state=state, review=review, **of_job)
        return serial

    def _job(self, serial: int, uid: str, record_id: str, **changes: Any) -> None:
        now = self.clock.now()
        lost = changes.get("state") in {"SPOILED", "VOID"}
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
            "card_time": None if lost else now,
            "loss_time": now if lost else None,
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

    everything = reconciled(programme, monkeypatch, "--all", "--json")
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
    shown = reconciled(programme, monkeypatch, "--all")
    assert shown.exit_code == 0, shown.output
    assert "Blanks put aside as spoiled: 2; not accepted by a second person: 1." in shown.stdout
    assert f"blank {waiting} of 32.16" in shown.stdout


def test_a_blank_that_the_inventory_still_holds_for_a_card_is_a_difference(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = programme.spoiled("VOID", booked=True)
    lost = programme.spoiled("SPOILED", booked=False)
    plain = reconciled(programme, monkeypatch, "--all", "--json")
    assert plain.exit_code == 2
    found = json.loads(plain.stdout)
    assert [(each["serial"], each["booked"], each["reviewed"]) for each in found["put_aside"]] == [
        (waiting, True, False),
        (lost, False, False),
    ]
    assert (lost, "cardperso has spoiled this blank, inventory has not") in {
        (each["serial"], each["what"]) for each in found["differences"]
    }


def test_a_card_that_is_just_being_made_or_voided_is_told_apart_and_is_no_difference(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    programme.clock.advance(datetime.now(UTC) - programme.clock.now())
    programme.card(1)
    chip = programme.under_way(2)
    void = programme.void(3)
    found = reconciled(programme, monkeypatch, "--json")
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    being_made, being_voided = said["under_way"]
    assert being_made.keys() == {
        *("location", "day", "serial", "chip_uid", "record_id", "job_id", "since", "what"),
    }
    assert (being_made["serial"], being_made["chip_uid"]) == (programme.serials[2], chip)
    assert being_made["what"] == "enroll has yet to book its record"
    assert (being_voided["serial"], being_voided["what"]) == (
        void,
        "cardperso has called it void, and tells the others",
    )
    assert said["differences"] == []
    assert (said["totals"]["consumed"], said["totals"]["under_way"]) == (3, 2)
    (aside,) = said["put_aside"]
    assert (aside["serial"], aside["booked"], aside["under_way"]) == (void, False, True)

    shown = reconciled(programme, monkeypatch)
    assert shown.exit_code == 0, shown.output
    assert "2 cards are under way, and no difference yet:" in shown.stdout
    assert f"job {aside['job_id']}, has yet to tell: VOID" in shown.stdout
    assert f"chip {chip}, record {being_made['record_id']}, job {being_made['job_id']}" in shown.stdout


def test_a_card_that_was_left_unfinished_three_days_ago_is_a_difference_though_its_record_is_on_loan(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    programme.under_way(1)
    void = programme.void(2)
    with programme.people.db.transaction() as connection:
        connection.execute(sa.update(CLAIMS).values(expire_time=datetime.now(UTC) + timedelta(hours=1)))
    found = reconciled(programme, monkeypatch, "--all", "--json")
    assert found.exit_code == 2, found.output
    assert json.loads(found.stdout)["under_way"] == []
    by_serial: dict[int, set[str]] = {}
    for serial, what in told(found):
        by_serial.setdefault(serial, set()).add(what.partition(" job ")[0])
    assert by_serial == {
        programme.serials[1]: {"cardperso has not finished its", "enroll has no record with this card"},
        void: {"cardperso has voided it in", "cardperso has spoiled this blank, inventory has not"},
    }


def told(found: Result) -> list[tuple[int, str]]:
    """Serials and what differs about them."""
    return [(each["serial"], each["what"]) for each in json.loads(found.stdout)["differences"]]


def test_every_kind_of_difference_is_reported_by_its_serial(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    programme.stock.ship("33.74", 10, source=BEKASI)
    programme.card(1)
    programme.card(2, blank=False)
    programme.card(3, job=False, record=False)
    programme.card(4, state="VERIFIED")
    programme.card(5, place="33.74", location=BEKASI)
    programme.card(6, blank_serial=77)
    programme.card(7, record_id=str(uuid.UUID(int=7)))
    programme.spoiled("SPOILED", booked=True, blank_serial=999)
    found = reconciled(programme, monkeypatch, BEKASI, "--all", "--json")
    assert found.exit_code == 2, found.output
    by_serial: dict[int, list[str]] = {}
    for serial, what in told(found):
        by_serial.setdefault(serial, []).append(what)
    serials = programme.serials
    nothing = "inventory knows no blank that was consumed with this chip"
    assert by_serial.pop(serials[2]) == [nothing]
    assert by_serial.pop(serials[3]) == [
        "cardperso has personalized no such chip",
        "enroll has no record with this card",
    ]
    (waiting,) = by_serial.pop(serials[4])
    assert waiting.startswith("cardperso has not finished its job")
    assert by_serial.pop(serials[5]) == ["consumed at 33.74, personalized at 32.16"]
    (other_blank,) = by_serial.pop(serials[6])
    assert other_blank.endswith("cardperso on blank 77")
    (other_record,) = by_serial.pop(serials[7])
    assert "cardperso wrote it for record" in other_record
    assert by_serial == {999: ["cardperso has spoiled this blank, inventory has not"]}


def test_cards_of_an_event_belong_to_its_site(programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
    site = f"{BEKASI}:mall-01"
    programme.stock.ship(site, 10, source=BEKASI)
    programme.card(1, place=site)
    programme.card(2)
    for place, cards in ((site, 1), (BEKASI, 2)):
        found = reconciled(programme, monkeypatch, place, "--all", "--json")
        assert found.exit_code == 0, found.output
        assert sum(each["issued"] for each in json.loads(found.stdout)["tallies"]) == cards


def test_midnight_between_two_services_is_no_difference(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_midnight = programme.clock.now().replace(hour=16, minute=59, second=0)
    programme.clock.advance(before_midnight - programme.clock.now())
    eve = programme.stock.day()
    programme.card(1, later=timedelta(minutes=2))
    programme.card(2)
    day = programme.stock.day()
    assert day == eve + timedelta(days=1)
    for each in (eve, day):
        found = reconciled(programme, monkeypatch, "--day", each.isoformat(), "--json")
        assert found.exit_code == 0, found.output
        said = json.loads(found.stdout)
        (tally,) = said["tallies"]
        assert (tally["day"], tally["consumed"], tally["issued"]) == (each.isoformat(), 1, 1)
        assert tally["crossed"] == (each == eve)
        (crossing,) = said["crossings"]
        assert (crossing["serial"], crossing["day"]) == (programme.serials[1], eve.isoformat())
        assert crossing["consumed"] == f"{eve}T23:59:00+07:00"
        assert crossing["personalized"] == crossing["issued"] == f"{day}T00:01:00+07:00"
    shown = reconciled(programme, monkeypatch, "--day", day.isoformat())
    assert f"consumed {eve} 23:59, personalized {day} 00:01, issued {day} 00:01 WIB" in shown.stdout


def test_what_was_lost_after_the_days_asked_for_is_not_theirs(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    programme.card(1)
    day = programme.stock.day().isoformat()
    programme.clock.advance(timedelta(days=2))
    programme.card(2, blank=False)
    assert reconciled(programme, monkeypatch, "--day", day).exit_code == 0
    assert reconciled(programme, monkeypatch, "--all").exit_code == 2


def test_a_daily_run_without_a_day_takes_yesterday_and_today(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    programme.card(1, job=False)
    programme.clock.advance(datetime.now(UTC) - timedelta(days=1) - programme.clock.now())
    programme.card(2)
    found = reconciled(programme, monkeypatch, "--json")
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    assert said["totals"] == {
        "consumed": 1,
        "personalized": 1,
        "issued": 1,
        "withdrawn": 0,
        "crossed": 0,
        "under_way": 0,
    }
    assert programme.stock.day().isoformat() == said["first_day"]


def test_waste_on_its_way_to_the_furnace_is_waste(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = programme.spoiled("SPOILED", booked=True)
    on_the_way = Account(BEKASI, Condition.CONVEYED)
    with programme.stock.database.transaction() as connection:
        values = {
            "code": on_the_way.code,
            "place": BEKASI,
            "item": BLANK,
            "condition": "conveyed",
            "balance": 1,
        }
        connection.execute(sa.insert(inventory_tables.account).values(**values))
        connection.execute(
            sa.update(inventory_tables.holding)
            .where(inventory_tables.holding.c.first == serial)
            .values(account=on_the_way.code)
        )
    assert reconciled(programme, monkeypatch, "--all").exit_code == 0


def test_json_keeps_its_keys(programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
    programme.card(1, job=False)
    programme.spoiled("SPOILED", booked=True)
    said = json.loads(reconciled(programme, monkeypatch, "--all", "--json").stdout)
    tally = {"location", "day", "consumed", "personalized", "issued", "withdrawn"}
    assert tally <= said["tallies"][0].keys()
    difference = {"location", "day", "serial", "chip_uid", "record_id", "what"}
    assert said["differences"][0].keys() == difference
    aside = {"job_id", "serial", "location", "day", "reviewed", "booked", "untold", "under_way"}
    assert said["put_aside"][0].keys() == aside
    assert (said["agrees"], said["location"], said["first_day"]) == (False, "ID", None)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--from", "yesterday"), "DAY_MALFORMED"),
        (("--to", "2026-02-30"), "DAY_MALFORMED"),
        (("--day", "02/03/2026"), "DAY_MALFORMED"),
        (("--from", "2026-03-02", "--to", "2026-03-01"), "SPAN_REVERSED"),
        (("--day", "2026-03-02", "--to", "2026-03-03"), "DAYS_TWICE"),
        (("--day", "2026-03-02", "--all"), "DAYS_TWICE"),
    ],
)
def test_days_that_are_none_are_refused_before_anybody_is_asked(
    arguments: tuple[str, ...], reason: str
) -> None:
    result = CliRunner().invoke(app, ["reconcile", *arguments])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {reason}")
