"""Cards that were made and blanks that were lost, by the moment that no later step changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from services.cardperso import made_cards
from services.cardperso.job import Errand, Job, Review, State
from services.cardperso.made_cards import Step
from services.cardperso.store import Store
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.spans import Span

UID = "04AA000001"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    made.migrate("services.cardperso")
    yield made
    made.dispose()


@pytest.fixture
def save(
    database: Database, clock: FixedClock, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Job]:
    """Stores a change of a job."""
    store = Store(KeyRing.load(tmp_path_factory.mktemp("keys") / "keys.json"))

    def work(job: Job) -> Job:
        def change(conn: sa.Connection) -> Job:
            if job.version == 1:
                store.add(conn, job)
            return store.save(conn, job, clock.now())

        return database.run(change)

    return work


def verified(clock: FixedClock, **changes: object) -> Job:
    now = clock.now()
    job = Job(
        "job-1", State.VERIFIED, "32.16", "32.16", "station", "reader", now.date(), now, now, blank_serial=7
    )
    return replace(job, chip_uid=UID, record_id="record-1", **changes)  # type: ignore[arg-type]


def made(database: Database, span: Span | None = None) -> list[made_cards.MadeCard]:
    with database.read() as conn:
        return [each for part in made_cards.of_span(conn, span or Span(), "") for each in part]


def test_a_card_keeps_the_moment_at_which_its_blank_was_booked(
    database: Database, clock: FixedClock, save: Callable[..., Job]
) -> None:
    job = save(verified(clock))
    assert made(database) == []
    with database.read() as conn:
        (waiting,) = made_cards.of_chips(conn, [UID])
    assert (waiting.time, waiting.step, waiting.jobs) == (None, Step.BOOK, 0)
    clock.advance(dt.timedelta(minutes=1))
    booked = clock.now()
    job = save(job.booked())
    clock.advance(dt.timedelta(days=1))
    save(replace(job.printed(), state=State.HANDED_OVER))
    (card,) = made(database, Span("32.16", booked, booked + dt.timedelta(seconds=1)))
    assert (card.time, card.serial, card.record_id, card.step, card.jobs) == (
        booked,
        7,
        "record-1",
        Step.NONE,
        1,
    )
    assert made(database, Span("32.16", clock.now())) == []
    assert made(database, Span("32.16:mall-01")) == []


@pytest.mark.parametrize("state", [State.SPOILED, State.VOID])
def test_a_lost_blank_keeps_the_moment_of_its_loss_when_it_is_reviewed(
    database: Database, clock: FixedClock, save: Callable[..., Job], state: State
) -> None:
    job = save(verified(clock).booked())
    clock.advance(dt.timedelta(hours=1))
    lost = clock.now()
    job = save(replace(job, state=state))
    clock.advance(dt.timedelta(days=1))
    save(replace(job, review=Review.ACCEPTED))
    assert made(database) == []
    with database.read() as conn:
        ((found,),) = made_cards.lost(conn, Span("32", lost, lost + dt.timedelta(seconds=1)))
        assert list(made_cards.lost(conn, Span("32", clock.now()))) == []
    assert (found.time, found.serial, found.accepted, found.errand) == (lost, 7, True, "")


def test_a_chip_of_two_jobs_says_so(database: Database, clock: FixedClock, save: Callable[..., Job]) -> None:
    save(verified(clock).booked().printed())
    save(verified(clock, job_id="job-2").booked().printed())
    assert [card.jobs for card in made(database)] == [2, 2]


def steps(database: Database) -> list[tuple[Step, dt.datetime | None]]:
    with database.read() as conn:
        return [(card.step, card.void_time) for card in made_cards.of_chips(conn, [UID])]


def test_a_card_tells_what_its_job_has_yet_to_do_until_all_have_been_told(
    database: Database, clock: FixedClock, save: Callable[..., Job]
) -> None:
    job = save(verified(clock))
    versions = []
    for change, step in (
        (Job.booked, Step.BOOK),
        (lambda job: job.ending(State.SPOILED, "rejected"), Step.GIVE_UP),
        (lambda job: replace(job, outcome=None).printed(), Step.NONE),
        (lambda job: replace(job, state=State.VOID, errand=Errand.VOID), Step.VOID),
    ):
        job = save(change(job))
        assert steps(database) == [(step, clock.now() if step is Step.VOID else None)]
        with database.read() as conn:
            versions += [card.version for card in made_cards.of_chips(conn, [UID])]
    assert versions == sorted(set(versions))
    assert made(database) == []
    save(job.done())
    assert steps(database) == []


@pytest.mark.parametrize("errand", [Errand.VOID, Errand.REVIEW, Errand.NONE])
def test_a_void_card_says_whether_the_inventory_knows(
    database: Database, clock: FixedClock, save: Callable[..., Job], errand: Errand
) -> None:
    save(replace(verified(clock).booked().printed(), state=State.VOID, errand=errand))
    with database.read() as conn:
        ((found,),) = made_cards.lost(conn, Span())
    assert found.untold == (errand is Errand.VOID)
