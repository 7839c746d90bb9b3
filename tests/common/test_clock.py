"""A clock that tests can hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.common.clock import FixedClock, SystemClock


def test_the_machines_clock_tells_utc() -> None:
    before = datetime.now(UTC)
    assert before <= SystemClock().now() <= datetime.now(UTC)
    assert SystemClock().now().tzinfo is UTC


def test_a_fixed_clock_stands_still_until_it_is_advanced() -> None:
    clock = FixedClock(datetime(2026, 3, 2, 8, tzinfo=timezone(timedelta(hours=7))))
    assert clock.now() == clock.now() == datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert clock.advance(timedelta(minutes=5)) == clock.now() == datetime(2026, 3, 2, 1, 5, tzinfo=UTC)


def test_a_clock_takes_no_naive_moment_and_no_step_back() -> None:
    with pytest.raises(ValueError, match="aware"):
        FixedClock(datetime(2026, 3, 2))  # noqa: DTZ001
    with pytest.raises(ValueError, match="backwards"):
        FixedClock(datetime(2026, 3, 2, tzinfo=UTC)).advance(timedelta(seconds=-1))
