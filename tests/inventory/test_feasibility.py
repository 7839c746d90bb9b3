"""Kabupaten Bekasi 2020 and the coverage of 2017: what was promised, and what it would have taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.inventory.planning.calendar import indonesia
from services.inventory.planning.feasibility import Bottleneck, Target, assess, coverage_rate

CALENDAR = indonesia(2017, 2022)
START, EARLY_MARCH = date(2020, 2, 4), date(2020, 3, 2)


def bekasi(**changes: object) -> Target:
    """191,442 blanks, 24 printers, 46 operators, 4 February to early March 2020."""
    target = {"cards": 191_442, "start": START, "deadline": EARLY_MARCH, "printers": 24, "operators": 46}
    return Target(**{**target, **changes})  # type: ignore[arg-type]


def test_bekasi_would_need_399_cards_a_printer_and_day() -> None:
    verdict = assess(bekasi(per_printer_day=100.0), CALENDAR)
    assert verdict.working_days == 20
    assert round(verdict.needed_per_printer_day) == 399
    assert not verdict.feasible


def test_bekasi_needs_80_working_days_at_100_a_day() -> None:
    verdict = assess(bekasi(per_printer_day=100.0), CALENDAR)
    assert verdict.per_day == 2400
    assert round(verdict.days_of_work) == 80
    assert verdict.finish == date(2020, 6, 3)
    assert verdict.bottleneck is Bottleneck.PRINTERS
    assert verdict.printers_needed == 96
    assert verdict.cards_by_deadline == 48_000
    assert verdict.advice == (
        "96 printers (72 more) at 100 cards a day each",
        "until 3 June 2020 instead of 2 March 2020",
        "48,000 cards instead of 191,442",
    )


def test_fifteen_minutes_a_card_is_latency_and_takes_249_days() -> None:
    verdict = assess(bekasi(minutes_per_card=15.0), CALENDAR)
    assert verdict.per_day == 768
    assert round(verdict.days_of_work) == 249
    assert verdict.finish == date(2021, 2, 15)
    assert not verdict.feasible


def test_96_printers_and_the_blanks_make_it_feasible() -> None:
    verdict = assess(bekasi(per_printer_day=100.0, printers=96, blanks=191_442), CALENDAR)
    assert verdict.feasible
    assert verdict.finish is not None
    assert verdict.finish <= EARLY_MARCH
    assert verdict.advice == ()


def test_4_7_percent_of_spoilage_leave_9442_cards_without_a_blank() -> None:
    verdict = assess(
        bekasi(per_printer_day=250.0, printers=48, spoilage=2707 / 57_540, blanks=191_442), CALENDAR
    )
    assert verdict.blanks_needed == 200_894
    assert verdict.blanks_missing == 9452
    assert verdict.bottleneck is Bottleneck.BLANKS
    assert verdict.finish is None
    assert "9,452 blanks more" in verdict.advice


def test_operators_can_be_the_bottleneck() -> None:
    verdict = assess(bekasi(per_printer_day=500.0, operator_minutes_per_card=6.0), CALENDAR)
    assert verdict.per_day == 46 * 8 * 60 / 6
    assert verdict.bottleneck is Bottleneck.OPERATORS
    assert verdict.operators_needed == 120
    assert verdict.printers_needed is None  # more printers alone do not help
    assert "120 operators" in verdict.advice


def test_longer_hours_help_where_a_day_has_enough_of_them() -> None:
    verdict = assess(bekasi(per_printer_day=250.0, hours_per_day=8.0), CALENDAR)
    assert verdict.hours_needed == pytest.approx(12.76, abs=0.01)
    assert "12.8 hours a day at the same pace" in verdict.advice
    assert assess(bekasi(per_printer_day=100.0), CALENDAR).hours_needed is None  # 31.9 hours are no day


def test_the_last_3_46_percent_until_the_end_of_2018() -> None:
    """172,046,898 of 178,207,350 on 29 March 2017: 96.54 %, and about 6 M to go."""
    recorded, obliged = 172_046_898, 178_207_350
    assert round(recorded / obliged, 4) == 0.9654
    rate = coverage_rate(recorded, obliged, 1.0, date(2017, 3, 29), date(2018, 12, 31), CALENDAR)
    assert round(rate) == 14_703
    # The 3 % of the end of 2017 in the one year that was left.
    last_year = coverage_rate(172_861_130, obliged, 1.0, date(2018, 1, 1), date(2018, 12, 31), CALENDAR)
    assert 0.0299 < 1 - 172_861_130 / obliged < 0.0301
    assert 21_000 < last_year < 24_000


def test_a_goal_that_is_reached_needs_nobody_more() -> None:
    assert coverage_rate(990, 1000, 0.95, START, EARLY_MARCH, CALENDAR) == 0


def test_there_is_no_rate_where_no_working_day_is_left_and_one_day_is_enough() -> None:
    friday, sunday = date(2017, 4, 7), date(2017, 4, 9)
    assert coverage_rate(900, 1000, 1.0, friday, sunday, CALENDAR) == 100
    with pytest.raises(ValueError, match="no working day from 2017-04-08 to 2017-04-09"):
        coverage_rate(900, 1000, 1.0, friday + timedelta(1), sunday, CALENDAR)


@given(
    cards=st.integers(1, 500_000),
    printers=st.integers(1, 300),
    rate=st.floats(10, 500),
    spoilage=st.floats(0, 0.3),
)
def test_the_printers_it_asks_for_are_just_enough(
    cards: int, printers: int, rate: float, spoilage: float
) -> None:
    target = bekasi(cards=cards, printers=printers, per_printer_day=rate, spoilage=spoilage, operators=None)
    needed = assess(target, CALENDAR).printers_needed
    assert needed is not None

    def feasible(count: int) -> bool:
        return assess(bekasi(**{**vars(target), "printers": count}), CALENDAR).feasible

    assert feasible(needed)
    assert needed == 1 or not feasible(needed - 1)


def test_where_printers_and_operators_are_short_neither_helps_alone() -> None:
    target = bekasi(per_printer_day=100.0, operators=5, operator_minutes_per_card=10.0)
    verdict = assess(target, CALENDAR)
    assert verdict.bottleneck is Bottleneck.OPERATORS
    assert verdict.printers_needed is None
    assert verdict.advice[0] == "96 printers (72 more) at 100 cards a day each together with 200 operators"
    assert not assess(bekasi(**{**vars(target), "operators": 200}), CALENDAR).feasible
    assert assess(bekasi(**{**vars(target), "operators": 200, "printers": 96}), CALENDAR).feasible


def test_enough_operators_are_never_advised_to_be_more() -> None:
    verdict = assess(bekasi(per_printer_day=100.0, operators=None, operator_minutes_per_card=10.0), CALENDAR)
    assert not [advice for advice in verdict.advice if "operators" in advice]


def test_ten_blanks_bind_before_slow_printers_do() -> None:
    verdict = assess(bekasi(per_printer_day=100.0, blanks=10), CALENDAR)
    assert verdict.bottleneck is Bottleneck.BLANKS
    assert (verdict.cards_by_deadline, verdict.blanks_missing) == (10, 191_432)
    # 100,000 blanks outlast the 48,000 cards that the printers make by then.
    assert assess(bekasi(per_printer_day=100.0, blanks=100_000), CALENDAR).bottleneck is Bottleneck.PRINTERS


def test_a_longer_day_makes_operators_faster_as_well() -> None:
    target = bekasi(per_printer_day=500.0, operator_minutes_per_card=3.0)
    verdict = assess(target, CALENDAR)
    assert verdict.bottleneck is Bottleneck.OPERATORS
    assert verdict.hours_needed == pytest.approx(8 * 191_442 / (46 * 160 * 20))
    # The rate of a printer is of eight hours: in more of them it makes more.
    hours = verdict.hours_needed or 0.0
    longer = {"hours_per_day": hours, "per_printer_day": 500 * hours / 8}
    assert assess(bekasi(**{**vars(target), **longer}), CALENDAR).feasible


_TARGET = {
    "cards": st.integers(1, 400_000),
    "printers": st.integers(1, 200),
    "minutes_per_card": st.floats(0.5, 60),
    "hours_per_day": st.floats(1, 24),
    "operators": st.none() | st.integers(1, 200),
    "operator_minutes_per_card": st.none() | st.floats(0.5, 60),
    "spoilage": st.floats(0, 0.9),
    "blanks": st.none() | st.integers(0, 800_000),
}


@given(
    given=st.fixed_dictionaries(_TARGET),
    more=st.sampled_from(["printers", "operators", "hours_per_day", "blanks", "deadline"]),
    times=st.floats(1, 5),
)
@settings(deadline=None)
def test_more_of_anything_never_makes_it_later_or_less(
    given: dict[str, Any], more: str, times: float
) -> None:
    target = bekasi(**given)
    if more == "deadline":
        better = replace(target, deadline=target.deadline + timedelta(int(30 * times)))
    elif getattr(target, more) is None:
        return
    else:
        raised = getattr(target, more) * times
        if more == "hours_per_day":
            raised = min(raised, 24.0)
        changed: dict[str, Any] = {more: raised if more == "hours_per_day" else int(raised)}
        better = replace(target, **changed)
    before, after = assess(target, CALENDAR), assess(better, CALENDAR)
    assert after.cards_by_deadline >= before.cards_by_deadline
    assert after.days_of_work <= before.days_of_work + 1e-9
    assert after.blanks_missing <= before.blanks_missing
    assert after.feasible >= before.feasible
    if before.finish is not None:
        assert after.finish is not None
        assert after.finish <= before.finish


@given(given=st.fixed_dictionaries(_TARGET))
@settings(deadline=None)
def test_the_parts_of_a_verdict_agree(given: dict[str, Any]) -> None:
    target = bekasi(**given)
    verdict = assess(target, CALENDAR)
    in_time = verdict.finish is not None and verdict.finish <= target.deadline
    assert verdict.feasible == in_time
    # A day, a day that it is later than, or blanks that end first.
    assert [bool(verdict.finish), bool(verdict.later_than), bool(verdict.blanks_missing)].count(True) == 1
    assert verdict.feasible == (not verdict.advice)
    assert verdict.feasible == (verdict.cards_by_deadline == target.cards)
    assert verdict.blanks_needed >= target.cards
    if verdict.hours_needed is not None and not verdict.blanks_missing:
        longer = replace(target, hours_per_day=min(verdict.hours_needed * (1 + 1e-9), 24.0))
        assert assess(longer, CALENDAR).feasible
    if verdict.printers_needed is not None and not verdict.blanks_missing:
        assert assess(replace(target, printers=verdict.printers_needed), CALENDAR).feasible


def test_the_smallest_target_is_one_card_of_one_printer_on_one_day() -> None:
    verdict = assess(bekasi(cards=1, printers=1, deadline=START, per_printer_day=1.0), CALENDAR)
    assert (verdict.feasible, verdict.working_days, verdict.finish) == (True, 1, START)


def test_a_card_that_takes_no_time_to_speak_of_is_made_on_the_first_day() -> None:
    verdict = assess(bekasi(cards=1, printers=100_000, per_printer_day=100_000.0), CALENDAR)
    assert (verdict.feasible, verdict.finish) == (True, START)


def test_work_that_just_fills_the_calendar_has_a_day_and_one_card_more_has_none() -> None:
    worked = CALENDAR.worked_between(START, CALENDAR.until)
    just = assess(bekasi(cards=worked, printers=1, per_printer_day=1.0), CALENDAR)
    assert (just.finish, just.later_than) == (date(2022, 12, 30), None)
    more = assess(bekasi(cards=worked + 1, printers=1, per_printer_day=1.0), CALENDAR)
    assert (more.finish, more.later_than) == (None, date(2022, 12, 31))


@pytest.mark.parametrize(
    "changes",
    [
        {"cards": 0},
        {"spoilage": 1.0},
        {"spoilage": -0.1},
        {"minutes_per_card": 15.0, "per_printer_day": None, "hours_per_day": 0.0},
        {"printers": 0},
        {"deadline": date(2020, 2, 3)},
        {"per_printer_day": 0.0},
        {"per_printer_day": None},
    ],
)
def test_what_is_no_target_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"target|printer"):
        assess(bekasi(**{"per_printer_day": 100.0, **changes}), CALENDAR)
