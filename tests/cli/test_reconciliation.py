"""Blanks consumed = chips personalized = records with a card; and what is said where they differ."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cli.reconciliation import Consumed, Issued, Personalized, reconcile

DAY, BEKASI = "2026-03-02", "32.16"


def card(number: int, day: str = DAY) -> tuple[Consumed, Personalized, Issued]:
    uid = f"04AA{number:06}"
    return (
        Consumed(number, BEKASI, uid, day),
        Personalized(f"job-{number}", number, BEKASI, uid, f"record-{number}", day),
        Issued(f"record-{number}", BEKASI, uid, day),
    )


def parts(*numbers: int) -> tuple[list[Consumed], list[Personalized], list[Issued]]:
    cards = [card(number) for number in numbers]
    return [each[0] for each in cards], [each[1] for each in cards], [each[2] for each in cards]


def test_three_services_that_agree_have_one_number() -> None:
    found = reconcile(*parts(1, 2, 3))
    assert found.agrees
    tally = found.tallies[BEKASI, DAY]
    assert (tally.consumed, tally.personalized, tally.issued) == (3, 3, 3)


def test_a_blank_that_no_chip_was_written_on_is_named_by_its_serial() -> None:
    consumed, written, issued = parts(1, 2)
    found = reconcile(consumed, written[:1], issued[:1])
    assert not found.agrees
    assert [(each.serial, each.what) for each in found.differences] == [
        (2, "cardperso has personalized no such chip"),
        (2, "enroll has no record with this card"),
    ]


def test_a_card_that_inventory_knows_nothing_of_is_found() -> None:
    consumed, written, issued = parts(1, 2)
    (difference,) = reconcile(consumed[:1], written, issued).differences
    assert (difference.serial, difference.record_id) == (2, "record-2")
    assert difference.what == "inventory knows no blank that was consumed with this chip"


def test_a_record_with_a_card_from_nowhere_is_counted_at_its_region() -> None:
    (_, _, record) = card(7)
    found = reconcile([], [], [record])
    assert found.tallies[BEKASI, DAY].issued == 1
    assert {each.what for each in found.differences} == {
        "inventory knows no blank that was consumed with this chip",
        "cardperso has personalized no such chip",
    }


def test_services_that_disagree_about_the_same_card_are_quoted() -> None:
    (blank, job, record) = card(1)
    found = reconcile(
        [blank],
        [replace(job, serial=9, location=f"{BEKASI}:mall-01")],
        [replace(record, record_id="record-9")],
    )
    assert [each.what for each in found.differences] == [
        "inventory has it on blank 1, cardperso on blank 9",
        "consumed at 32.16, personalized at 32.16:mall-01",
        "cardperso wrote it for record record-1, enroll has it on record-9",
    ]


def test_one_chip_on_two_records_is_a_difference() -> None:
    (blank, job, record) = card(1)
    found = reconcile([blank], [job], [replace(record, record_id="record-8"), record])
    assert [each.what for each in found.differences] == ["enroll has this chip on 2 records"]


def test_a_card_whose_job_waits_for_somebody_says_so() -> None:
    (blank, job, _) = card(1)
    found = reconcile([blank], [replace(job, finished=False)], [])
    assert found.tallies[BEKASI, DAY].personalized == 0
    assert [each.what for each in found.differences] == [
        "cardperso has not finished its job job-1",
        "enroll has no record with this card",
    ]


@given(
    numbers=st.sets(st.integers(1, 30)),
    lost=st.tuples(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30))),
)
def test_it_agrees_exactly_where_nothing_was_lost(
    numbers: set[int], lost: tuple[set[int], set[int], set[int]]
) -> None:
    consumed, written, issued = parts(*sorted(numbers))
    found = reconcile(
        [each for each in consumed if each.serial not in lost[0]],
        [each for each in written if each.serial not in lost[1]],
        [each for each in issued if int(each.record_id.removeprefix("record-")) not in lost[2]],
    )
    somewhere = {n for n in numbers if sum(n in each for each in lost) in {1, 2}}
    assert {int(each.chip_uid[4:]) for each in found.differences} == somewhere
    assert found.agrees == (not somewhere)


def test_a_card_that_came_back_was_made_all_the_same_and_is_counted_beside() -> None:
    consumed, written, issued = parts(1, 2)
    found = reconcile([replace(consumed[0], withdrawn="DECEASED"), consumed[1]], written, issued)
    assert found.agrees
    tally = found.tallies[BEKASI, DAY]
    assert (tally.consumed, tally.withdrawn) == (2, 1)
