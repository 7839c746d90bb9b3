from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from cli.demo.outcome import Outcome, count_duplicates

Make = Callable[..., Outcome]


def test_a_second_visit_matched_to_the_first_is_found(outcome: Make) -> None:
    counted = count_duplicates(
        [outcome(1, "A", "PRINT_READY_RECORD"), outcome(2, "A", "DUPLICATE_RECORD", match=1)]
    )
    assert (counted.injected, counted.found, counted.false, counted.missed) == (1, 1, 0, ())


def test_a_second_visit_that_became_print_ready_is_missed(outcome: Make) -> None:
    counted = count_duplicates([outcome(1, "A", "PRINT_READY_RECORD"), outcome(2, "A", "PRINT_READY_RECORD")])
    assert (counted.injected, counted.found, counted.missed) == (1, 0, ("visit-2",))


def test_a_stranger_called_a_duplicate_is_false(outcome: Make) -> None:
    counted = count_duplicates(
        [outcome(1, "A", "PRINT_READY_RECORD"), outcome(2, "B", "DUPLICATE_RECORD", match=1)]
    )
    assert (counted.injected, counted.found, counted.false) == (0, 0, 1)


def test_a_second_visit_matched_to_somebody_else_is_false_and_missed(outcome: Make) -> None:
    counted = count_duplicates(
        [
            outcome(1, "A", "PRINT_READY_RECORD"),
            outcome(2, "B", "PRINT_READY_RECORD"),
            outcome(3, "A", "DUPLICATE_RECORD", match=2),
        ]
    )
    assert (counted.found, counted.false, counted.missed) == (0, 1, ("visit-3",))


def test_of_two_visits_at_the_same_moment_either_may_be_the_duplicate(outcome: Make) -> None:
    counted = count_duplicates(
        [outcome(1, "A", "DUPLICATE_RECORD", match=2), outcome(2, "A", "PRINT_READY_RECORD")]
    )
    assert (counted.injected, counted.found, counted.false, counted.missed) == (1, 1, 0, ())


def test_a_person_all_of_whose_visits_were_refused_is_wronged_once(outcome: Make) -> None:
    counted = count_duplicates(
        [outcome(1, "A", "DUPLICATE_RECORD", match=2), outcome(2, "A", "DUPLICATE_RECORD", match=1)]
    )
    assert (counted.found, counted.false) == (1, 1)


def test_what_people_must_decide_is_neither_found_nor_false(outcome: Make) -> None:
    counted = count_duplicates(
        [outcome(1, "A", "PRINT_READY_RECORD"), outcome(2, "A", "ADJUDICATE_RECORD", match=1)]
    )
    assert (counted.found, counted.false, counted.adjudicated, counted.missed) == (0, 0, 1, ("visit-2",))


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ABC"),
            st.sampled_from(["PRINT_READY_RECORD", "DUPLICATE_RECORD", "ADJUDICATE_RECORD"]),
            st.integers(0, 8),
        ),
        max_size=8,
    )
)
def test_whatever_was_decided_the_counts_add_up(visits: list[tuple[str, str, int]]) -> None:
    outcomes = [
        Outcome(
            key=f"{number}",
            person=person,
            together=False,
            nik="",
            name="",
            record_id=f"record-{number}",
            arrival=number,
            status=status,
            matching_record_id=f"record-{match}",
        )
        for number, (person, status, match) in enumerate(visits)
    ]
    counted = count_duplicates(outcomes)
    said = sum(o.status == "DUPLICATE_RECORD" for o in outcomes)
    assert counted.found + counted.false == said
    assert counted.found + len(counted.missed) == counted.injected
