"""Texts count things as people do: one blank, two blanks."""

from __future__ import annotations

from datetime import date

import pytest

from services.inventory.blanks.blank import insufficient
from services.inventory.contracts.delivery import exceeded
from services.inventory.ledger.entries import Account, Condition
from services.inventory.planning.calendar import indonesia
from services.inventory.planning.feasibility import Target, assess
from services.inventory.planning.reasons import Reasons, explained
from services.inventory.words import counted

DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 blanks"), (1, "1 blank"), (0.9, "1 blank"), (2, "2 blanks"), (7_000_000, "7,000,000 blanks")],
)
def test_one_thing_is_no_plural(number: float, said: str) -> None:
    assert counted(number, "blank") == said


def test_a_forecast_of_one_day_with_one_arrival_or_one_who_waits() -> None:
    assert explained(Reasons(told_days=1), 1.0, 1, DAY) == (
        "1.0 a working day by own use of 1 working day; 1 person who waits comes first."
    )
    assert "2 people who wait come first" in explained(Reasons(told_days=1), 1.0, 2, DAY)
    assert "by 1 arrival of 28 days" in explained(Reasons(arrivals=1), 1.0, 0, DAY)


def test_advice_that_counts_one_of_each() -> None:
    target = Target(
        cards=2,
        start=DAY,
        deadline=DAY,
        printers=1,
        per_printer_day=1.0,
        operators=1,
        operator_minutes_per_card=480.0,
        blanks=1,
    )
    advice = assess(target, indonesia(2026, 2026)).advice
    assert advice[0] == "2 printers (1 more) at 1 card a day each together with 2 operators"
    assert "1 card instead of 2" in advice
    assert advice[-1] == "1 blank more"


def test_refusals_that_have_one_blank() -> None:
    owed = Account("KTP-2017-03", Condition.OUTSTANDING, "blank")
    assert exceeded(owed, 0, 1).message == "1 blank came, but contract KTP-2017-03 has 0 outstanding."
    roll = Account("FILM-1", Condition.OUTSTANDING, "film")
    assert exceeded(roll, 0, 2).message == "2 film came, but contract FILM-1 has 0 outstanding."
    free = insufficient(Account("ID", Condition.ON_HAND, "blank"), 1, 2, "quantity")
    assert free.message == "ID has 1 free blank, asked for 2."
