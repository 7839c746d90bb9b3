"""Who makes which card, on both databases: order, leases, takeover, and reasons to stop."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.cardperso import judgement
from services.cardperso.job import Errand, Job, Review, State
from services.cardperso.jobs import Jobs
from services.cardperso.production import store as shelves
from services.cardperso.production.batch import Batch, BatchState
from services.cardperso.production.floor import Floor
from services.cardperso.production.station import Printer, Station
from services.cardperso.store import Store
from services.common.bell import Bell
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.errors import Aborted, FailedPrecondition, PermissionDenied

LEASE = dt.timedelta(seconds=30)
READERS = [f"reader {n}" for n in range(8)]


@dataclass
class Host:
    """A replica: its own connection to the one database."""

    database: Database
    jobs: Jobs
    floor: Floor
    store: Store

    def register(self, name: str, reader: str, location: str = "32.16", **changes: object) -> Station:
        station = Station(
            name, self.floor.host, location, reader, "", Printer.NONE, "", self.floor.lease_time()
        )
        station = replace(station, **changes)  # type: ignore[arg-type]
        self.database.run(lambda conn: shelves.save_station(conn, station))
        return station

    def station(self, name: str) -> Station:
        with self.database.read() as conn:
            return shelves.station(conn, name)

    def open_jobs(self) -> list[Job]:
        return self.jobs.open_jobs(self.floor.host)

    def end(self, job: Job, state: State, reason: str = "") -> Job:
        return self.jobs.save(replace(self.jobs.reload(job), state=state, reason=reason))


MakeHost = Callable[[str], Host]


@pytest.fixture
def make_host(database_url: str, clock: FixedClock, tmp_path: Path) -> Iterator[MakeHost]:
    made: list[Database] = []

    def make(name: str) -> Host:
        database = Database(database_url)
        made.append(database)
        store = Store(KeyRing.load(tmp_path / "keys.json"))
        jobs = Jobs(database, store, clock, Bell())
        return Host(database, jobs, Floor(database, store, name, clock, LEASE, lambda: READERS), store)

    yield make
    for database in made:
        database.dispose()


def order(host: Host, clock: FixedClock, quantity: int, location: str = "32.16") -> Batch:
    batch = Batch(
        str(uuid.uuid4()), "32.16", location, quantity, BatchState.OPEN, "", "operator/cli", clock.now()
    )
    host.database.run(lambda conn: shelves.add_batch(conn, batch))
    return batch


def batch_now(host: Host, batch: Batch) -> Batch:
    with host.database.read() as conn:
        return shelves.batch(conn, batch.batch_id)


def test_two_replicas_make_exactly_what_was_ordered_oldest_batch_first(
    make_host: MakeHost, clock: FixedClock
) -> None:
    hosts = [make_host("a"), make_host("b")]
    for number, reader in enumerate(READERS):
        hosts[number % 2].register(f"station-{number}", reader)
    first, second = order(hosts[0], clock, 5), order(hosts[0], clock, 7)
    begun: list[str] = []

    def work(host: Host) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            host.floor.take()
            for job in host.open_jobs():
                host.end(job, State.PRINTED)
            if all(batch_now(host, batch).state is BatchState.DONE for batch in (first, second)):
                return

    threads = [threading.Thread(target=work, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with hosts[0].database.read() as conn:
        rows = conn.execute(sa.text("SELECT batch_id FROM card_job ORDER BY entry")).scalars()
        begun = list(rows)
    assert begun == [first.batch_id] * 5 + [second.batch_id] * 7
    assert batch_now(hosts[0], second).state is BatchState.DONE


def test_a_station_has_one_card_at_a_time_and_only_of_its_location(
    make_host: MakeHost, clock: FixedClock
) -> None:
    host = make_host("a")
    host.register("here", READERS[0])
    order(host, clock, 3, location="32.16:mall")
    assert not host.floor.take()
    order(host, clock, 3)
    assert host.floor.take()
    assert not host.floor.take()
    (job,) = host.open_jobs()
    assert (job.reader, job.station_name, job.state) == (READERS[0], "here", State.PENDING)


def test_a_station_goes_on_while_its_printed_cards_wait_for_people(
    make_host: MakeHost, clock: FixedClock
) -> None:
    host = make_host("a")
    host.register("here", READERS[0])
    batch = order(host, clock, 2)
    for number in (1, 2):
        assert host.floor.take()
        job = host.open_jobs()[-1]
        printing = host.jobs.save(replace(job, state=State.VERIFIED))
        assert not host.floor.take(), "the card is at the printer still"
        host.jobs.save(printing.faces_sent())
        assert len(host.open_jobs()) == number
    assert not host.floor.take(), "no more were ordered"
    for job in host.open_jobs():
        host.jobs.save(judgement.passed(job, "operator/ani").booked().printed())
    assert batch_now(host, batch).state is BatchState.DONE


def test_what_a_dead_station_has_begun_is_taken_over_and_the_dead_one_changes_nothing(
    make_host: MakeHost, clock: FixedClock
) -> None:
    dead, alive = make_host("dead"), make_host("alive")
    dead.register("left", READERS[0])
    order(dead, clock, 1)
    dead.floor.take()
    (begun,) = dead.open_jobs()
    alive.register("right", READERS[1])
    alive.register("elsewhere", READERS[2], location="32.16:mall")
    clock.advance(LEASE / 2)
    alive.floor.beat()
    assert not alive.floor.take()
    clock.advance(LEASE * 0.6)
    alive.floor.beat()
    assert alive.floor.take()
    (taken,) = alive.open_jobs()
    assert (taken.job_id, taken.reader, taken.station_name) == (begun.job_id, READERS[1], "right")
    assert not dead.open_jobs()
    with pytest.raises(Aborted):
        dead.jobs.save(begun.claimed("claim", "record"))


def test_a_card_that_was_begun_elsewhere_is_asked_for_by_its_chip(
    make_host: MakeHost, clock: FixedClock
) -> None:
    dead, alive = make_host("dead"), make_host("alive")
    dead.register("left", READERS[0])
    order(dead, clock, 1)
    dead.floor.take()
    begun = replace(dead.open_jobs()[0], state=State.WRITING, chip_uid="04A1B2C3D4E5F6")
    dead.jobs.save(begun)
    clock.advance(LEASE * 2)
    alive.register("right", READERS[1])
    assert alive.floor.take()
    assert alive.open_jobs()[0].reason == (
        "CARD_TAKEN_OVER: chip 04A1B2C3D4E5F6 was begun at left; lay it on reader 1."
    )


def test_a_host_that_beats_keeps_its_cards(make_host: MakeHost, clock: FixedClock) -> None:
    host, other = make_host("a"), make_host("b")
    host.register("left", READERS[0])
    other.register("right", READERS[1])
    order(host, clock, 1)
    host.floor.take()
    for _ in range(5):
        clock.advance(LEASE / 2)
        host.floor.beat()
        other.floor.beat()
        assert not other.floor.take()
    assert host.open_jobs()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"paused": "lunch"}, "lunch"),
        ({"printer": "p1", "printer_state": Printer.OFFLINE}, "PRINTER_OFFLINE"),
        ({"printer": "p1", "printer_state": Printer.RIBBON_OUT}, "RIBBON_OUT"),
    ],
    ids=["paused", "printer offline", "ribbon out"],
)
def test_a_station_that_cannot_work_takes_nothing_and_says_why(
    make_host: MakeHost, clock: FixedClock, changes: dict[str, Any], reason: str
) -> None:
    host = make_host("a")
    station = host.register("left", READERS[0], **changes)
    order(host, clock, 1)
    assert not host.floor.take()
    assert station.obstacle.startswith(reason)


def test_a_paused_batch_waits_and_the_next_one_is_made(make_host: MakeHost, clock: FixedClock) -> None:
    host = make_host("a")
    host.register("left", READERS[0])
    first, second = order(host, clock, 1), order(host, clock, 1)
    host.database.run(lambda conn: shelves.save_batch(conn, first.to(BatchState.PAUSED, "wrong colour")))
    host.floor.take()
    assert [job.batch_id for job in host.open_jobs()] == [second.batch_id]


@pytest.mark.parametrize(
    ("reason", "batch_state", "paused"),
    [
        ("QUEUE_EMPTY: nobody waits.", BatchState.DONE, False),
        ("CARD_AWAITED: lay blank 1001.", BatchState.OPEN, True),
        ("WRONG_KEYS: not ours.", BatchState.OPEN, True),
        ("INSUFFICIENT_STOCK: no blanks.", BatchState.PAUSED, False),
        ("FINGER_MISSING: no finger.", BatchState.PAUSED, False),
    ],
)
def test_a_card_that_cannot_be_made_stops_what_the_reason_lies_with(
    make_host: MakeHost, clock: FixedClock, reason: str, batch_state: BatchState, paused: bool
) -> None:
    host = make_host("a")
    host.register("left", READERS[0])
    batch = order(host, clock, 3)
    host.floor.take()
    host.end(host.open_jobs()[0], State.FAILED, reason)
    assert batch_now(host, batch).state is batch_state
    assert bool(host.station("left").paused) is paused
    told = host.station("left").paused if paused else batch_now(host, batch).reason
    assert told.startswith(reason)


def test_spoiled_cards_are_made_again_until_three_in_a_row_stop_the_station(
    make_host: MakeHost, clock: FixedClock
) -> None:
    host = make_host("a")
    host.register("left", READERS[0])
    batch = order(host, clock, 2)
    for _ in range(3):
        assert host.floor.take()
        host.end(host.open_jobs()[0], State.SPOILED, "CARD_REMOVED: gone.")
    assert not host.floor.take()
    assert host.station("left").paused.startswith("SPOILED_IN_A_ROW: 3 blanks")
    with host.database.read() as conn:
        tally = shelves.tally(conn, batch.batch_id)
    assert (tally.made, tally.under_way, tally.spoiled) == (0, 0, 3)


@pytest.fixture
def finished(make_host: MakeHost, clock: FixedClock) -> Job:
    host = make_host("a")
    host.register("left", READERS[0])
    order(host, clock, 1)
    host.floor.take()
    return replace(host.open_jobs()[0], state=State.VERIFIED, sent=True)


def test_a_card_goes_through_its_states(finished: Job) -> None:
    assert finished.card == "PERSONALIZED"
    assert finished.waits_for_people(quality_check=True)
    passed = judgement.passed(finished, "operator/ani")
    assert passed.card == "QUALITY_CHECKED"
    assert not passed.waits_for_people(quality_check=True)
    printed = passed.booked().printed()
    assert printed.handing_over().handed_over().card == "HANDED_OVER"
    with pytest.raises(FailedPrecondition, match="cannot be passed"):
        judgement.passed(printed.handing_over().handed_over(), "operator/ani")


def test_a_rejection_needs_a_second_person_and_spoils_the_card_before_it_is_booked(finished: Job) -> None:
    rejected = judgement.rejected(finished, "operator/ani", "REJECTED_PRINT: pale")
    assert rejected.waits_for_people(quality_check=False)
    with pytest.raises(PermissionDenied, match="a second person must"):
        judgement.reviewed(rejected, "operator/ani", confirmed=True)
    assert judgement.reviewed(rejected, "operator/budi", confirmed=False).card == "PERSONALIZED"
    stands = judgement.reviewed(rejected, "operator/budi", confirmed=True)
    assert stands.outcome is State.SPOILED
    assert stands.reason == "REJECTED_PRINT: pale; rejected by operator/ani, reviewed by operator/budi"


def test_a_booked_card_that_is_rejected_is_void(finished: Job) -> None:
    rejected = judgement.rejected(finished.booked().printed(), "operator/ani", "REJECTED_CHIP")
    with pytest.raises(FailedPrecondition, match="has rejected"):
        rejected.handing_over()
    void = judgement.reviewed(rejected, "operator/budi", confirmed=True)
    assert (void.state, void.card, void.errand) == (State.VOID, "VOID", Errand.VOID)


def test_a_card_cannot_be_rejected_while_it_is_being_handed_over(finished: Job) -> None:
    leaving = finished.booked().printed().handing_over()
    with pytest.raises(FailedPrecondition, match="is being handed over"):
        judgement.rejected(leaving, "operator/ani", "REJECTED_PRINT: pale")
    assert leaving.handing_over() == leaving, "an interrupted hand-over is begun again"


def test_a_card_is_not_voided_while_it_is_being_booked(finished: Job) -> None:
    rejected = judgement.rejected(finished, "operator/ani", "REJECTED_PRINT: pale").booked()
    with pytest.raises(FailedPrecondition, match="being booked"):
        judgement.reviewed(rejected, "operator/budi", confirmed=True)


def test_a_spoiled_blank_is_reviewed_by_another_than_who_ordered_it(finished: Job) -> None:
    spoiled = replace(finished, state=State.SPOILED, reason="CARD_REMOVED: gone.", operator="operator/ani")
    with pytest.raises(PermissionDenied):
        judgement.reviewed(spoiled, "operator/ani", confirmed=True)
    with pytest.raises(PermissionDenied):
        judgement.reviewed(spoiled, "operator/cli:Ani", confirmed=True)
    questioned = judgement.reviewed(spoiled, "operator/budi", confirmed=False, note="where is the card?")
    assert (questioned.state, questioned.review) == (State.SPOILED, Review.QUESTIONED)
    reviewed = judgement.reviewed(questioned, "operator/dewi", confirmed=True)
    assert (reviewed.review, reviewed.reviewed_by) == (Review.ACCEPTED, "operator/dewi")
    with pytest.raises(FailedPrecondition, match="reviewed before"):
        judgement.reviewed(reviewed, "operator/citra", confirmed=True)
