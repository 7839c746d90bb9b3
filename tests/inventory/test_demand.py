"""The forecast of use: what it finds in a history, and that its intervals keep their word."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.inventory_history import synthetic
from services.inventory.planning import demand
from services.inventory.planning.calendar import DayKind, Days, indonesia

START = date(2024, 1, 1)


def days(count: int, start: date = START) -> Days:
    return indonesia(start.year, (start + timedelta(count)).year).days(start, count)


def steady(level: float, each: Days) -> np.ndarray:
    """So many on each working day, 30 % more on Mondays and less on Fridays."""
    factor = np.array([1.3, 1.0, 1.0, 1.0, 0.7, 0, 0, 0, 0])
    return level * factor[each.kinds]


def test_the_calendar_knows_weekends_holidays_and_joint_leave() -> None:
    calendar = indonesia(2024, 2024)
    assert calendar.kind(date(2024, 4, 10)) is DayKind.HOLIDAY  # Idul Fitri
    assert calendar.kind(date(2024, 4, 12)) is DayKind.JOINT_LEAVE
    assert calendar.kind(date(2024, 8, 17)) is DayKind.SATURDAY  # independence day, but a Saturday
    assert calendar.worked_between(date(2024, 4, 8), date(2024, 4, 16)) == 1
    assert calendar.nth_worked(date(2024, 4, 8), 1) == date(2024, 4, 16)
    assert calendar.season(date(2024, 4, 20)) == 12


def test_a_steady_week_is_foretold_to_the_card() -> None:
    past, ahead = days(728), days(28, START + timedelta(728))
    model = demand.fit(steady(200, past)[None], past)
    assert model.path(ahead)[0] == pytest.approx(steady(200, ahead), rel=0.03, abs=2.0)
    assert model.level[0] == pytest.approx(200, rel=0.03)


def test_no_cards_are_foretold_for_the_days_of_lebaran() -> None:
    past = days(728)
    model = demand.fit(steady(200, past)[None], past)
    lebaran = days(7, date(2026, 3, 18))
    assert lebaran.kinds.tolist().count(DayKind.HOLIDAY) >= 1
    closed = lebaran.kinds >= DayKind.SATURDAY
    assert model.path(lebaran)[0, closed] == pytest.approx(0, abs=1.0)


def test_weeks_with_an_empty_shelf_are_not_taken_for_weeks_without_demand() -> None:
    past = days(728)
    use = steady(200, past)[None]
    empty = use.copy()
    empty[0, -35:] = np.nan
    sold_out = use.copy()
    sold_out[0, -35:] = 0.0
    assert demand.fit(empty, past).level[0] == pytest.approx(200, rel=0.05)
    assert demand.fit(sold_out, past).level[0] < 150


def test_one_campaign_does_not_pass_for_a_new_level() -> None:
    past = days(728)
    use = steady(200, past)[None].copy()
    use[0, -12:-5] *= 8  # 31,000 applicants in a week
    assert demand.fit(use, past).level[0] < 300


def test_a_location_that_never_used_anything_has_no_demand() -> None:
    past = days(400)
    model = demand.fit(np.stack([np.zeros(400), steady(90, past)]), past)
    assert model.level[0] == pytest.approx(0, abs=1e-6)
    assert model.sums(days(60))[0, -1] == pytest.approx(0, abs=1e-3)


def test_a_history_of_days_is_enough_to_begin_with() -> None:
    past = days(10)
    model = demand.fit(steady(50, past)[None], past)
    assert model.level[0] == pytest.approx(50, rel=0.15)
    assert np.isfinite(model.sums(days(90), 0.9)).all()


def test_four_of_five_sums_lie_inside_of_the_interval() -> None:
    history = synthetic(7, limit=120)
    inside = []
    for at in range(history.days - 84, history.days - 84 - 4 * 84, -84):
        model = demand.fit(history.used[:, :at], history.calendar[:at])
        ahead = history.calendar[at : at + 84]
        came = np.cumsum(history.demand[:, at : at + 84], axis=1)
        for horizon in (27, 83):
            low, high = model.sums(ahead, 0.1)[:, horizon], model.sums(ahead, 0.9)[:, horizon]
            inside.append(np.mean((low <= came[:, horizon]) & (came[:, horizon] <= high)))
    assert 0.68 <= np.mean(inside) <= 0.92


def test_it_beats_the_week_before_and_the_rolling_median() -> None:
    history = synthetic(11, limit=150)
    from bench.forecast_backtest import as_a_week_ago, judge, ours, rolling_median

    own = judge("tunggal", ours, history)
    for rival in (as_a_week_ago, rolling_median):
        theirs = judge("rival", rival, history)
        assert own.mase < theirs.mase
        assert own.error_28 < theirs.error_28


@given(factor=st.floats(0.1, 50), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_twice_the_use_is_twice_the_demand(factor: float, seed: int) -> None:
    past, ahead = days(200), days(30, START + timedelta(200))
    use = np.random.default_rng(seed).poisson(steady(300, past), (3, 200)).astype(float)
    once, often = demand.fit(use, past), demand.fit(use * factor, past)
    assert often.sums(ahead) == pytest.approx(once.sums(ahead) * factor, rel=0.05)


@given(quantiles=st.tuples(st.floats(0.02, 0.98), st.floats(0.02, 0.98)))
@settings(max_examples=20, deadline=None)
def test_sums_rise_with_the_days_and_with_the_quantile(quantiles: tuple[float, float]) -> None:
    history = synthetic(3, limit=10, days=420)
    model = demand.fit(history.used, history.calendar)
    low, high = (model.sums(history.ahead(120), quantile) for quantile in sorted(quantiles))
    assert (low <= high + 1e-9).all()
    assert (np.diff(low, axis=1) >= 0).all()


def test_a_calendar_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="for 9 days"):
        demand.fit(np.zeros((1, 10)), days(9))
