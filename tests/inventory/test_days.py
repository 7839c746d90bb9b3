"""The ledger's days: Jakarta's, in every zone of the country and at the ends of the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.ledger import days


def test_a_day_begins_at_midnight_in_jakarta() -> None:
    day = date(2026, 3, 2)
    assert days.start_of(day) == datetime(2026, 3, 1, 17, tzinfo=UTC)
    assert days.end_of(day) == datetime(2026, 3, 2, 17, tzinfo=UTC)
    assert days.day_of(days.start_of(day)) == day
    assert days.day_of(days.start_of(day) - timedelta(microseconds=1)) == date(2026, 3, 1)
    assert days.day_of(days.end_of(day)) == date(2026, 3, 3)


@given(st.integers(-2_000_000_000, 200_000_000_000))
def test_every_moment_lies_in_its_day(seconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    day = days.day_of(moment)
    assert days.start_of(day) <= moment < days.end_of(day)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_ends_of_the_calendar_have_a_day(moment: str) -> None:
    day = days.day_of(datetime.fromisoformat(moment))
    assert day - timedelta(days=1) < day < day + timedelta(days=1)


@pytest.mark.parametrize("day", [date.min, date.max])
def test_a_span_may_reach_to_the_ends_of_the_calendar(day: date) -> None:
    assert days.start_of(day) < days.end_of(day)
