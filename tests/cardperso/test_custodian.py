"""What the neighbours are told of rejected, void and spoiled cards, whatever fails in between."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.cardperso import judgement, tables
from services.cardperso.custodian import Custodian
from services.cardperso.desk import Desk
from services.cardperso.job import Card, Errand, Job, Review, State
from services.cardperso.jobs import Jobs
from services.cardperso.people import operator_id, same
from services.cardperso.store import Store
from services.common.bell import Bell
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.errors import FailedPrecondition, Unavailable
from tests.cardperso.card_bench import CrashError
from tests.cardperso.card_makers import make_holder
from tests.cardperso.card_neighbours import Neighbours

CHIP = "04A1B2C3D4E5F6"
CALLS = ("void-card", "void-blank", "review")


@dataclass
class Counter:
    """A card that was booked, and everything that may become of it without a reader."""

    jobs: Jobs
    world: Neighbours
    clock: FixedClock
    job: Job

    def step(self) -> bool:
        """As a process that was just started."""
        world = self.world
        return Custodian(self.jobs, world.enroll, world.inventory, Bell(), poll_seconds=1).step()

    def now(self) -> Job:
        return self.jobs.reload(self.job)

    def void(self) -> None:
        self.jobs.change(
            self.job.job_id, lambda job: judgement.rejected(job, "operator/cli:ani", "REJECTED_PRINT: pale")
        )
        self.jobs.change(
            self.job.job_id,
            lambda job: judgement.reviewed(job, "operator/cli:budi", confirmed=True, note="seen"),
        )

    def is_settled(self) -> None:
        """The record is back in front, the blank spoiled with both names, and nothing is left to tell."""
        job, world = self.now(), self.world
        assert (job.state, job.card, job.errand) == (State.VOID, Card.VOID, Errand.NONE)
        assert [holder.record_id for holder in world.queue][:1] == [job.record_id]
        assert not world.printed
        assert not world.consumed
        assert world.void == {CHIP: job.record_id}
        assert list(world.spoiled) == [1001]
        assert world.spoilage == {job.spoilage_id: ["ani", "budi", True, "seen"]}


@pytest.fixture
def counter(database_url: str, tmp_path: Path, clock: FixedClock) -> Iterator[Counter]:
    database = Database(database_url)
    store = Store(KeyRing.load(tmp_path / "keys.json"))
    jobs = Jobs(database, store, clock, Bell())
    world = Neighbours([make_holder()])
    claim = world.enroll.claim("claim", "32.16", "job", dt.date(2026, 11, 21))
    held = world.inventory.reserve("reserve", "32.16", "card-job/1")
    world.inventory.consume("consume", held.reservation_id, CHIP)
    world.enroll.report_printed("printed", claim.claim_id, CHIP)
    job = Job(
        job_id=str(uuid.uuid4()),
        state=State.PRINTED,
        region="32.16",
        location="32.16",
        station="here",
        reader="reader",
        issue_date=dt.date(2026, 11, 21),
        create_time=clock.now(),
        update_time=clock.now(),
        claim_id=claim.claim_id,
        record_id=claim.holder.record_id,
        reservation_id=held.reservation_id,
        blank_serial=held.serial,
        chip_uid=CHIP,
        consumed=True,
        sent=True,
        operator="operator/cli:dewi",
    )
    database.run(lambda conn: store.add(conn, job))
    yield Counter(jobs, world, clock, job)
    database.dispose()


def test_a_rejected_card_goes_back_to_both_books(counter: Counter) -> None:
    counter.void()
    assert counter.now().errand is Errand.VOID
    assert not counter.step()
    counter.is_settled()
    assert not counter.step(), "there is nothing left to tell"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_the_next_start_goes_on(counter: Counter, call: str, when: str) -> None:
    counter.void()

    def die(name: str) -> None:
        if name == call:
            raise CrashError

    setattr(counter.world, when, die)
    with pytest.raises(CrashError):
        counter.step()
    setattr(counter.world, when, lambda name: None)
    counter.step()
    counter.is_settled()


@pytest.mark.parametrize("call", CALLS)
def test_a_neighbour_that_is_away_is_told_later_and_the_job_says_so(counter: Counter, call: str) -> None:
    counter.void()

    def away(name: str) -> None:
        if name == call:
            raise Unavailable("PEER_AWAY", f"{name} does not answer.")

    counter.world.before = away
    assert counter.step()
    assert counter.now().errand_note == f"PEER_AWAY: {call} does not answer."
    counter.world.before = lambda name: None
    assert not counter.step()
    counter.is_settled()


def test_two_replicas_that_tell_at_once_tell_it_once(counter: Counter) -> None:
    counter.void()
    inner: list[bool] = []

    def meanwhile(name: str) -> None:
        if name == "void-blank" and not inner:
            inner.append(True)
            counter.step()

    counter.world.before = meanwhile
    counter.step()
    counter.step()
    counter.is_settled()


def test_the_inventory_hears_the_reviewer_of_a_torn_card(counter: Counter) -> None:
    held = counter.world.inventory.reserve("reserve-2", "32.16", "card-job/2")
    spoilage_id = counter.world.inventory.spoil("spoil", held.reservation_id, "torn", "", "dewi")
    counter.jobs.change(
        counter.job.job_id,
        lambda job: replace(job, state=State.SPOILED, spoilage_id=spoilage_id),
    )

    def review(by: str, *, confirmed: bool) -> None:
        counter.jobs.change(
            counter.job.job_id, lambda job: judgement.reviewed(job, by, confirmed=confirmed, note="looked")
        )
        counter.step()

    review("operator/cli:ani", confirmed=False)
    assert counter.world.spoilage[spoilage_id] == ["dewi", "ani", False, "looked"]
    assert counter.now().review is Review.QUESTIONED
    review("operator/cli:ani", confirmed=True)
    assert counter.world.spoilage[spoilage_id] == ["dewi", "ani", True, "looked"]
    assert counter.now().errand is Errand.NONE


def test_an_interrupted_hand_over_keeps_the_card_from_being_rejected_and_is_finished_later(
    counter: Counter,
) -> None:
    desk = Desk("here", counter.jobs, counter.world.enroll, counter.clock)

    def die(name: str) -> None:
        if name == "issued":
            raise CrashError

    counter.world.after = die
    with pytest.raises(CrashError):
        desk.hand_over(counter.job.job_id)
    with pytest.raises(FailedPrecondition, match="is being handed over"):
        counter.void()
    counter.world.after = lambda name: None
    assert not counter.step(), "a hand-over is its caller's business"
    desk.hand_over(counter.job.job_id)
    assert counter.jobs.change(counter.job.job_id, Job.handed_over).state is State.HANDED_OVER


def test_a_hand_over_that_enroll_refuses_leaves_the_card_here(counter: Counter) -> None:
    desk = Desk("here", counter.jobs, counter.world.enroll, counter.clock)

    def refuse(name: str) -> None:
        raise FailedPrecondition("CHIP_UID_DISAGREES", "The chip is not the one on this record's card.")

    counter.world.before = refuse
    with pytest.raises(FailedPrecondition, match="not the one"):
        desk.hand_over(counter.job.job_id)
    assert (counter.now().state, counter.now().errand) == (State.PRINTED, Errand.NONE)


def test_what_waits_is_found_by_its_own_index(counter: Counter) -> None:
    counter.void()
    database = counter.jobs._database
    if database.dialect != "sqlite":
        pytest.skip("PostgreSQL reads a table of one row as a whole")
    for what, index in ((tables.UNREVIEWED, "card_job_unreviewed"), (tables.ERRANDS, "card_job_errand")):
        query = sa.select(tables.JOBS.c.entry).where(what).order_by(tables.JOBS.c.entry)
        text = str(query.compile(database.engine, compile_kwargs={"literal_binds": True}))
        with database.read() as conn:
            plan = " ".join(row.detail for row in conn.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")))
        assert index in plan


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("operator/ani", "ani"),
        ("operator/cli:ani", "ani"),
        ("operator/jakarta/ani", "jakarta.ani"),
        ("operator/x", "operator.x"),
        ("service/cardperso", "cardperso"),
    ],
)
def test_people_have_one_id_whatever_certificate_they_use(person: str, expected: str) -> None:
    assert operator_id(person) == expected


def test_one_person_with_two_certificates_is_one_person() -> None:
    assert same("operator/ani", "operator/cli:Ani")
    assert not same("operator/cli:ani", "operator/cli:budi")
