"""Blanks consumed = chips personalized = records with a card; and what is said where they differ."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import reconciliation
from cli.cards_told import Consumed, Found, Issued, Personalized, PutAside, Scope, Told, day_of
from cli.reconciliation import Reconciliation
from services.common.errors import DataLoss

DAY, BEKASI = "2026-03-02", "32.16"
NOON = int(datetime(2026, 3, 2, 5, tzinfo=UTC).timestamp())
MIDNIGHT = NOON + 12 * 3600
NO_BLANK = "inventory knows no blank that was consumed with this chip"
NO_CHIP = "cardperso has personalized no such chip"
NO_RECORD = "enroll has no record with this card"


def uid(number: int) -> str:
    return f"04AA{number:06}"


def card(number: int, time: int = NOON) -> tuple[Consumed, Personalized, Issued]:
    return (
        Consumed(uid(number), number, BEKASI, time),
        Personalized(uid(number), f"job-{number}", number, BEKASI, f"record-{number}", time),
        Issued(uid(number), f"record-{number}", BEKASI, time),
    )


@dataclass
class Books:
    """Three services as lists, which list what is in the scope and find all that there is."""

    consumed: Sequence[Consumed] = ()
    personalized: Sequence[Personalized] = ()
    issued: Sequence[Issued] = ()
    scope: Scope = field(default_factory=Scope)
    searches: list[int] = field(default_factory=list)

    def cards(self) -> Told:
        has_place, has_day = self.scope.has_place, self.scope.has_day
        regency = Scope(self.scope.region.partition(":")[0]).has_place
        return Told(
            sorted(
                c for c in self.personalized if c.time and has_place(c.location) and has_day(day_of(c.time))
            ),
            sorted(r for r in self.issued if regency(r.region) and has_day(day_of(r.time))),
            sorted(b for b in self.consumed if has_place(b.location) and has_day(day_of(b.time))),
        )

    def find(self, chip_uids: list[str]) -> Found:
        self.searches.append(len(chip_uids))
        wanted = set(chip_uids)
        told = Told(
            self.jobs(chip_uids),
            sorted(each for each in self.issued if each.chip_uid in wanted),
            sorted(each for each in self.consumed if each.chip_uid in wanted),
        )
        return Found(told, frozenset(), NOON, 0)

    def jobs(self, chip_uids: list[str]) -> list[Personalized]:
        return sorted(each for each in self.personalized if each.chip_uid in set(chip_uids))

    def put_aside(self) -> Iterator[PutAside]:
        return iter(())


def books(*cards: tuple[Consumed | None, Personalized | None, Issued | None]) -> Books:
    return Books(
        [blank for blank, _, _ in cards if blank],
        [job for _, job, _ in cards if job],
        [record for _, _, record in cards if record],
    )


def reconcile(said: Books, scope: Scope | None = None) -> Reconciliation:
    said.scope = scope or Scope()
    return reconciliation.reconcile(said, said.scope)


def told(found: Reconciliation) -> list[tuple[int, str]]:
    return [(each.serial, each.what) for each in found.differences]


def test_three_services_that_agree_have_one_number_and_nobody_is_asked_twice() -> None:
    said = books(card(1), card(2), card(3))
    found = reconcile(said)
    assert found.agrees
    tally = found.tallies[BEKASI, DAY]
    assert (tally.consumed, tally.personalized, tally.issued) == (3, 3, 3)
    assert said.searches == []


def test_a_blank_that_no_chip_was_written_on_is_named_by_its_serial() -> None:
    found = reconcile(books(card(1), (card(2)[0], None, None)))
    assert not found.agrees
    assert told(found) == [(2, NO_CHIP), (2, NO_RECORD)]


def test_a_card_that_inventory_knows_nothing_of_is_found() -> None:
    (difference,) = reconcile(books(card(1), (None, *card(2)[1:]))).differences
    assert (difference.serial, difference.record_id, difference.what) == (2, "record-2", NO_BLANK)


def test_a_record_with_a_card_from_nowhere_is_counted_at_its_region() -> None:
    found = reconcile(books((None, None, card(7)[2])))
    assert found.tallies[BEKASI, DAY].issued == 1
    assert {each.what for each in found.differences} == {NO_BLANK, NO_CHIP}


def test_services_that_disagree_about_the_same_card_are_quoted() -> None:
    blank, job, record = card(1)
    said = books(
        (
            blank,
            job._replace(serial=9, location=f"{BEKASI}:mall-01"),
            record._replace(record_id="record-9"),
        )
    )
    assert told(reconcile(said)) == [
        (1, "cardperso wrote it for record record-1, enroll has it on record-9"),
        (1, "consumed at 32.16, personalized at 32.16:mall-01"),
        (1, "inventory has it on blank 1, cardperso on blank 9"),
    ]
    # Whoever asks for either of the two places hears of it.
    for place in (BEKASI, f"{BEKASI}:mall-01"):
        assert len(reconcile(said, Scope(place)).differences) == 3


def test_one_chip_on_two_cards_is_a_difference() -> None:
    blank, job, record = card(1)
    said = books((blank, job._replace(jobs=2), record), (None, None, record._replace(record_id="record-8")))
    assert {each.what for each in reconcile(said).differences} >= {
        "cardperso has this chip 2 times",
        "enroll has this chip on 2 records",
    }


def test_a_card_whose_job_waits_for_somebody_says_so() -> None:
    blank, job, _ = card(1)
    for unfinished in (job._replace(finished=False), job._replace(finished=False, time=0)):
        found = reconcile(books((blank, unfinished, None)))
        assert found.tallies[BEKASI, DAY].personalized == 0
        assert told(found) == [(1, "cardperso has not finished its job job-1"), (1, NO_RECORD)]


def test_a_card_that_came_back_was_made_all_the_same_and_is_counted_beside() -> None:
    blank, job, record = card(1)
    found = reconcile(books((blank._replace(withdrawn="DECEASED"), job, record), card(2)))
    assert found.agrees
    tally = found.tallies[BEKASI, DAY]
    assert (tally.consumed, tally.withdrawn) == (2, 1)


@pytest.mark.parametrize("day", [date(2026, 3, 2), date(2026, 3, 3)])
def test_a_card_of_both_sides_of_midnight_is_no_loss_and_counts_for_the_day_of_its_blank(day: date) -> None:
    blank, _, _ = card(1, MIDNIGHT - 60)
    _, job, record = card(1, MIDNIGHT + 60)
    found = reconcile(books((blank, job, record)), Scope(BEKASI, day, day))
    assert found.agrees
    assert list(found.tallies) == ([(BEKASI, DAY)] if day == date(2026, 3, 2) else [])
    (crossing,) = found.crossings
    assert crossing[:5] == (BEKASI, DAY, 1, uid(1), "record-1")
    assert (crossing.consumed, crossing.issued) == ("2026-03-02T23:59:00+07:00", "2026-03-03T00:01:00+07:00")


def test_a_card_lost_at_midnight_is_a_loss_of_the_day_of_its_blank() -> None:
    blank, _, _ = card(1, MIDNIGHT - 60)
    _, job, _ = card(1, MIDNIGHT + 60)
    said = books((blank, job, None))
    assert told(reconcile(said, Scope(BEKASI, date(2026, 3, 2), date(2026, 3, 2)))) == [(1, NO_RECORD)]
    assert reconcile(said, Scope(BEKASI, date(2026, 3, 3), date(2026, 3, 3))).agrees


def test_the_record_of_somebody_else_s_regency_is_found_where_the_card_was_made() -> None:
    site = f"{BEKASI}:mall-01"
    blank, job, record = card(1)
    made = (blank._replace(location=site), job._replace(location=site), record._replace(region="33.74"))
    found = reconcile(books(made, card(2)), Scope(site))
    assert found.agrees
    assert list(found.tallies) == [(site, DAY)]
    assert not reconcile(books(made), Scope("33.74")).tallies


def test_a_service_that_lists_out_of_order_is_caught_before_cards_seem_lost() -> None:
    said = books(card(1), card(2))

    class Disordered(Books):
        def cards(self) -> Told:
            chips, records, blanks = super().cards()
            return Told(reversed(list(chips)), records, blanks)

    with pytest.raises(DataLoss) as refused:
        reconcile(Disordered(said.consumed, said.personalized, said.issued))
    assert "cardperso" in refused.value.message


@given(
    numbers=st.sets(st.integers(1, 30)),
    lost=st.tuples(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30))),
    late=st.tuples(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30))),
    at_once=st.integers(1, 4),
)
def test_it_differs_exactly_where_something_was_lost_whatever_the_days(
    numbers: set[int],
    lost: tuple[set[int], set[int], set[int]],
    late: tuple[set[int], set[int]],
    at_once: int,
) -> None:
    cards = [card(number) for number in sorted(numbers)]
    said = Books(
        [blank for blank, _, _ in cards if blank.serial not in lost[0]],
        [
            job._replace(time=MIDNIGHT) if job.serial in late[0] else job
            for _, job, _ in cards
            if job.serial not in lost[1]
        ],
        [
            record._replace(time=MIDNIGHT) if blank.serial in late[1] else record
            for blank, _, record in cards
            if blank.serial not in lost[2]
        ],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconciliation, "AT_ONCE", at_once)
        both = reconcile(said)
        days = [reconcile(said, Scope(BEKASI, day, day)) for day in (date(2026, 3, 2), date(2026, 3, 3))]
    somewhere = {n for n in numbers if sum(n in each for each in lost) in {1, 2}}
    assert {int(each.chip_uid[4:]) for each in both.differences} == somewhere
    assert both.agrees == (not somewhere)
    # A day and the next have between them what the two have together.
    assert sorted(days[0].differences + days[1].differences) == both.differences
    assert {**days[0].tallies, **days[1].tallies} == both.tallies
    assert sum(map(len, (days[0].tallies, days[1].tallies))) == len(both.tallies)


def test_memory_does_not_grow_with_the_cards() -> None:
    class Many(Books):
        def cards(self) -> Told:
            size = self.searches[0]
            return Told(
                (card(number)[1] for number in range(size)),
                (card(number)[2] for number in range(size)),
                (card(number)[0] for number in range(size)),
            )

    def peak(cards: int) -> int:
        tracemalloc.start()
        try:
            assert reconcile(Many(searches=[cards])).tallies[BEKASI, DAY].consumed == cards
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(10_000) < 2 * peak(1_000)
