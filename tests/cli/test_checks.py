"""Each fault that a day could end with is seen by the check that is made for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.demo.checks import check
from cli.demo.outcome import Card
from cli.demo.result import DayResult


def failed(day: DayResult) -> list[str]:
    return [item.name for item in check(day) if not item.holds]


def test_a_day_on_which_all_went_well_passes_every_check(day: DayResult) -> None:
    assert failed(day) == []


def test_a_missed_duplicate_fails(day: DayResult) -> None:
    outcomes = [*day.outcomes]
    outcomes[2] = replace(outcomes[2], status="ADJUDICATE_RECORD")
    assert failed(replace(day, outcomes=tuple(outcomes))) == ["every duplicate was found"]


def test_with_real_fingers_a_quarter_of_the_duplicates_may_be_missed(day: DayResult) -> None:
    first = day.outcomes[0]
    again = [
        replace(
            first,
            key=f"again-{n}",
            record_id=f"again-{n}",
            arrival=100 + n,
            status="DUPLICATE_RECORD",
            matching_record_id=first.record_id,
        )
        for n in range(10)  # twelve duplicates with those of the day
    ]
    again[:3] = [replace(visit, status="ADJUDICATE_RECORD") for visit in again[:3]]
    real = replace(day, outcomes=(*day.outcomes, *again), fingerprints="fvc2002-db1b")
    assert failed(real) == []
    again[3] = replace(again[3], status="ADJUDICATE_RECORD")
    assert failed(replace(real, outcomes=(*day.outcomes, *again))) == [
        "at least 75% of the duplicates were found"
    ]


def test_two_unique_records_of_one_person_at_the_same_moment_fail(day: DayResult) -> None:
    outcomes = [*day.outcomes]
    outcomes[4] = replace(outcomes[4], status="PRINT_READY_RECORD", matching_record_id="")
    assert "of one person enrolled twice at the same moment exactly one record is unique" in failed(
        replace(day, outcomes=tuple(outcomes))
    )


def test_a_refused_submission_fails(day: DayResult) -> None:
    outcomes = [*day.outcomes]
    outcomes[1] = replace(outcomes[1], status="ENROLL_FAILURE_AT_CENTRAL", reason="IMAGE_QUALITY: blank")
    assert "every submission was decided, each one under a record of its own" in failed(
        replace(day, outcomes=tuple(outcomes))
    )


def test_two_cards_for_one_record_fail(day: DayResult) -> None:
    double = replace(day.cards[0], serial=9, uid="04FF", inserted_uid="04FF")
    names = failed(replace(day, cards=(*day.cards, double)))
    assert "every print-ready record has exactly one card, and nobody else has one" in names
    assert "one blank was consumed a card, bound to the UID of the chip that lay on the reader" in names


def test_a_card_for_a_duplicate_fails(day: DayResult) -> None:
    cards = (replace(day.cards[0], record_id="record-3"), *day.cards[1:])
    assert "every print-ready record has exactly one card, and nobody else has one" in failed(
        replace(day, cards=cards)
    )


def test_a_chip_that_differs_fails(day: DayResult) -> None:
    cards = (replace(day.cards[0], mismatches=("nik is 1, not 2",)), *day.cards[1:])
    assert failed(replace(day, cards=cards)) == [
        "every chip holds what its holder submitted, signed, read without the service that wrote it"
    ]


@pytest.mark.parametrize("change", [{"broken": 3}, {"unverified": ("job-1",)}, {"sessions": 0}])
def test_a_journal_that_was_changed_or_lacks_a_card_fails(day: DayResult, change: dict[str, Any]) -> None:
    assert failed(replace(day, journal=replace(day.journal, **change))) == [
        "every command to every card is in a journal that nobody has changed"
    ]


def test_a_card_that_was_not_handed_over_fails(day: DayResult) -> None:
    final = {**day.final_status, "record-1": "CARD_PRINTED"}
    assert failed(replace(day, final_status=final)) == ["every holder has the card"]


def test_a_blank_bound_to_another_chip_fails(day: DayResult) -> None:
    assert failed(replace(day, bindings={**day.bindings, 1: "04DEAD"})) == [
        "one blank was consumed a card, bound to the UID of the chip that lay on the reader"
    ]


@pytest.mark.parametrize("count", ["on_hand", "consumed", "spoiled", "reserved", "in_transit", "allocated"])
def test_a_blank_too_many_anywhere_breaks_the_equation(day: DayResult, count: str) -> None:
    total = replace(day.stock.total, **{count: getattr(day.stock.total, count) + 1})
    names = failed(replace(day, stock=replace(day.stock, total=total)))
    assert "received = on hand + set aside + in transit + reserved + consumed + spoiled" in names


def test_a_lot_nobody_contracted_breaks_the_equation(day: DayResult) -> None:
    stock = replace(day.stock, outstanding=day.stock.outstanding - 1)
    assert failed(replace(day, stock=stock)) == ["contracted = received + outstanding"]


def test_a_second_spoiled_blank_is_allowed_only_where_a_service_was_killed(day: DayResult) -> None:
    torn = Card("job-9", "SPOILED", serial=9, inserted_uid="04BB", reason="CARD_TORN: killed")
    total = replace(day.stock.total, spoiled=2, on_hand=day.stock.total.on_hand - 1)
    more = replace(day, cards=(*day.cards, torn), stock=replace(day.stock, total=total))
    assert failed(more) == [
        "the blank that died on the reader is spoiled, and no other one unless a service was killed"
    ]
    assert failed(replace(more, restarts={**day.restarts, "cardperso": 1})) == []
