"""Cards that are just being made or voided are no difference, and nothing missing hides behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tunggal.cardperso.v1.reconciliation_pb2 import (
    CARD_STEP_BOOK,
    CARD_STEP_GIVE_UP,
    CARD_STEP_NONE,
    CARD_STEP_VOID,
)

from cli.cards_told import Consumed, Found, Issued, Personalized, PutAside, Scope, Told
from cli.reconciliation import Reconciliation, reconcile

T = TypeVar("T")

BEKASI = "32.16"
NOON = int(datetime(2026, 3, 2, 5, tzinfo=UTC).timestamp())
DAY = "2026-03-02"
PATIENCE = 150


@dataclass
class Life:
    """What the three books have of one card, and every step of its job, each in one book at a time."""

    number: int
    fate: str = "made"
    blank: Consumed | None = None
    job: Personalized | None = None
    record: Issued | None = None
    lent: bool = True
    put_aside: bool = False
    steps: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps = [self.verify, self.consume]
        if self.fate != "given up at once":
            self.steps.append(self.note_consumed)
        if self.fate.startswith("given up"):
            self.steps += [self.refuse, self.put_blank_aside, self.end]
        else:
            self.steps += [self.book_record, self.note_printed]
        if self.fate == "voided":
            self.steps += [self.call_void, self.void_record, self.put_blank_aside, self.end]

    def go_on(self, steps: int = 1) -> Life:
        for step in self.steps[:steps]:
            step()
        del self.steps[:steps]
        return self

    def change(self, **changes: Any) -> None:
        assert self.job is not None
        self.job = self.job._replace(version=self.job.version + 1, **changes)

    def verify(self) -> None:
        self.job = Personalized(
            self.uid,
            f"job-{self.number}",
            self.number,
            BEKASI,
            f"record-{self.number}",
            time=0,
            finished=False,
            jobs=0,
            step=CARD_STEP_BOOK,
            version=1,
        )

    def consume(self) -> None:
        self.blank = Consumed(self.uid, self.number, BEKASI, NOON)

    def note_consumed(self) -> None:
        self.change(time=NOON, jobs=1)

    def book_record(self) -> None:
        self.record, self.lent = Issued(self.uid, f"record-{self.number}", BEKASI, NOON), False

    def note_printed(self) -> None:
        self.change(step=CARD_STEP_NONE, finished=True)

    def call_void(self) -> None:
        self.change(step=CARD_STEP_VOID, finished=False, jobs=0, void_time=NOON)

    def void_record(self) -> None:
        self.record = None

    def refuse(self) -> None:
        self.lent = False
        self.change(step=CARD_STEP_GIVE_UP)

    def put_blank_aside(self) -> None:
        self.blank, self.put_aside = None, True

    def end(self) -> None:
        self.job = None

    @property
    def uid(self) -> str:
        return f"04AA{self.number:06}"


@dataclass
class Programme:
    """Three services whose jobs go on between two questions, each as far as the script says."""

    lives: list[Life]
    script: list[list[int]] = field(default_factory=list)
    read_time: int = NOON + 5

    def pause(self) -> None:
        for number in self.script.pop(0) if self.script else []:
            self.lives[number % len(self.lives)].go_on()

    def cards(self) -> Told:
        return Told(
            self._asked(lambda life: life.job if life.job and life.job.jobs else None),
            self._asked(lambda life: life.record),
            self._asked(lambda life: life.blank),
        )

    def _asked(self, book: Callable[[Life], T | None]) -> Iterator[T]:
        self.pause()
        yield from [each for each in map(book, self.lives) if each is not None]

    def find(self, chip_uids: list[str]) -> Found:
        asked = [life for life in self.lives if life.uid in chip_uids]
        jobs = self.jobs(chip_uids)
        self.pause()
        blanks = [life.blank for life in asked if life.blank]
        self.pause()
        records = [life.record for life in asked if life.record]
        loans = {(f"record-{life.number}", f"job-{life.number}") for life in asked if life.lent}
        self.pause()
        return Found(Told(jobs, records, blanks), frozenset(loans), self.read_time, PATIENCE)

    def jobs(self, chip_uids: list[str]) -> list[Personalized]:
        return [life.job for life in self.lives if life.job and life.uid in chip_uids]

    def put_aside(self) -> Iterator[PutAside]:
        return iter(())


def seen(life: Life, *, later: int = 5) -> Reconciliation:
    return reconcile(Programme([life], read_time=NOON + later), Scope())


FATES = ("made", "voided", "given up", "given up at once")


@settings(max_examples=150)
@example(lives=[("voided", 6)], script=[[], [], [], [], [0, 0]])
@example(lives=[("given up at once", 2)], script=[[], [], [], [0, 0]])
@given(
    lives=st.lists(st.tuples(st.sampled_from(FATES), st.integers(0, 9)), min_size=1, max_size=4),
    script=st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=30),
)
def test_whoever_looks_at_whatever_moment_sees_no_difference_of_honest_cards(
    lives: list[tuple[str, int]], script: list[list[int]]
) -> None:
    programme = Programme(
        [Life(number, fate).go_on(steps) for number, (fate, steps) in enumerate(lives, start=1)], script
    )
    found = reconcile(programme, Scope())
    assert found.agrees, found.differences
    for tally in found.tallies.values():
        sure = {tally.consumed, tally.personalized, tally.issued}
        assert max(sure) - min(sure) <= tally.under_way


STEPS_UNDER_WAY = [
    ("made", 2, "enroll has yet to book its record"),
    ("made", 3, "enroll has yet to book its record"),
    ("made", 4, "enroll has booked it, cardperso has yet to note that"),
    ("given up", 4, "cardperso gives it up, and puts its blank aside"),
    ("given up", 5, "cardperso gives it up, and puts its blank aside"),
    ("given up at once", 3, "cardperso gives it up, and puts its blank aside"),
    ("voided", 6, "cardperso has called it void, and tells the others"),
    ("voided", 7, "cardperso has called it void, and tells the others"),
]


@pytest.mark.parametrize(("fate", "steps", "what"), STEPS_UNDER_WAY)
def test_a_card_under_way_is_told_with_everything_that_finds_it(fate: str, steps: int, what: str) -> None:
    found = seen(Life(7, fate).go_on(steps))
    assert found.agrees
    (card,) = found.under_way
    assert card[:6] == (BEKASI, DAY, 7, "04AA000007", "record-7", "job-7")
    assert (card.since, card.what) == ("2026-03-02T12:00:00+07:00", what)
    assert found.tallies[BEKASI, DAY].under_way == 1
    assert reconcile(Programme([Life(7, fate).go_on(steps)]), Scope(first=date(2026, 3, 3))).under_way == []


@pytest.mark.parametrize(("fate", "steps", "what"), STEPS_UNDER_WAY)
@pytest.mark.parametrize("later", [PATIENCE + 1, -PATIENCE - 1, 86_400])
def test_a_card_that_has_been_under_way_for_too_long_is_a_difference(
    fate: str, steps: int, what: str, later: int
) -> None:
    life = Life(7, fate).go_on(steps)
    assert seen(life, later=PATIENCE).agrees
    found = seen(life, later=later)
    assert not found.agrees
    assert found.under_way == []
    assert {each.serial for each in found.differences} == {7}


def loses_its_blank(life: Life) -> None:
    life.blank = None


def has_another_blank(life: Life) -> None:
    assert life.blank
    life.blank = life.blank._replace(serial=99)


def has_a_blank_of_elsewhere(life: Life) -> None:
    assert life.blank
    life.blank = life.blank._replace(location="33.74")


def is_on_another_record(life: Life) -> None:
    life.record = Issued(life.uid, "record-of-somebody-else", BEKASI, NOON)


def loses_its_loan(life: Life) -> None:
    life.lent = False


def loses_its_job(life: Life) -> None:
    life.job = None


@pytest.mark.parametrize(
    ("fate", "steps", "lie"),
    [
        *(
            (fate, steps, lie)
            for fate, steps, _ in STEPS_UNDER_WAY
            if (fate, steps) != ("given up", 5)  # its blank is no card any more
            for lie in (has_another_blank, has_a_blank_of_elsewhere, is_on_another_record, loses_its_job)
        ),
        ("made", 2, loses_its_loan),
        ("made", 3, loses_its_loan),
        ("made", 3, loses_its_blank),
        ("made", 4, loses_its_blank),
        ("voided", 6, loses_its_blank),
    ],
)
def test_nothing_that_is_missing_or_wrong_hides_behind_a_card_under_way(
    fate: str, steps: int, lie: Callable[[Life], None]
) -> None:
    life = Life(7, fate).go_on(steps)
    lie(life)
    found = seen(life)
    assert not found.agrees
    assert found.under_way == []


def test_a_record_that_was_booked_before_its_blank_is_a_difference() -> None:
    life = Life(7).go_on(2)
    life.book_record()
    assert not seen(life).agrees


def test_a_chip_that_two_jobs_have_is_a_difference_while_one_of_them_is_under_way() -> None:
    life = Life(7).go_on(3)

    class Twice(Programme):
        def jobs(self, chip_uids: list[str]) -> list[Personalized]:
            return [
                job._replace(job_id=job_id)
                for job in super().jobs(chip_uids)
                for job_id in ("job-7", "job-8")
            ]

    assert not reconcile(Twice([life]), Scope()).agrees


def test_a_job_that_never_rests_is_taken_as_it_was_seen_last() -> None:
    life = Life(7).go_on(3)

    class Restless(Programme):
        def jobs(self, chip_uids: list[str]) -> list[Personalized]:
            life.change()
            return super().jobs(chip_uids)

    assert len(reconcile(Restless([life]), Scope()).under_way) == 1
    loses_its_loan(life)
    assert not reconcile(Restless([life]), Scope()).agrees


def test_a_card_that_everybody_knows_to_be_void_is_no_card() -> None:
    """Its job is about to note that the inventory knows."""
    found = seen(Life(7, "voided").go_on(8), later=86_400)
    assert (found.agrees, found.under_way, dict(found.tallies)) == (True, [], {})


@pytest.mark.parametrize("under_way", [True, False])
def test_a_void_card_of_which_the_inventory_is_just_told_is_no_lost_waste(under_way: bool) -> None:
    class Told(Programme):
        def put_aside(self) -> Iterator[PutAside]:
            yield PutAside(
                "job-9", 9, BEKASI, DAY, reviewed=True, booked=False, untold="VOID", under_way=under_way
            )

    found = reconcile(Told([Life(7).go_on(5)]), Scope())
    assert found.agrees == under_way
    assert [each.serial for each in found.differences] == ([] if under_way else [9])
