"""Kabupaten Bekasi 2020 and the coverage of 2017: what was promised, and what it would have taken."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
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


@pytest.mark.parametrize(
    "changes",
    [
        {"cards": 0},
        {"printers": 0},
        {"deadline": date(2020, 2, 3)},
        {"per_printer_day": 0.0},
        {"per_printer_day": None},
    ],
)
def test_what_is_no_target_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"target|printer"):
        assess(bekasi(**{"per_printer_day": 100.0, **changes}), CALENDAR)
