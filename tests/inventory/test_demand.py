"""The forecast of use: what it finds in a history, and that its intervals keep their word."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.inventory_history import synthetic
from services.inventory.planning import demand, rhythm
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
    # Two weeks before Lebaran, the month until then, and the second week after it.
    assert calendar.season(date(2024, 3, 27)) == 12
    assert calendar.season(date(2024, 3, 26)) == 2
    assert calendar.season(date(2024, 4, 20)) == 15
    assert calendar.season(date(2024, 5, 8)) == 4


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


def test_days_on_which_nobody_ever_printed_say_nothing_about_the_week() -> None:
    past = days(1, date(2024, 1, 8))  # a Monday: the stock is there, the first card is made tomorrow
    model = demand.fit(np.zeros((30, 1)), past)
    np.testing.assert_allclose(model.profile[:, : DayKind.SATURDAY], 1.0)


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


@pytest.mark.parametrize("length", [5, 12, 40, 90])
def test_a_short_history_is_not_taken_for_a_certain_one(length: int) -> None:
    """Eighty per cent of what comes after a few days lies inside of the interval, or more of it, not less."""
    inside = []
    for seed in range(12):
        each = days(length + 56, START + timedelta(90 + 11 * seed))
        rng = np.random.default_rng(seed)
        mean = steady(1.0, each)[None] * rng.uniform(5, 300, (20, 1))
        use = rng.poisson(mean * rng.gamma(12, 1 / 12, mean.shape)).astype(float)
        model = demand.fit(use[:, :length], each[:length])
        low, high = (model.sums(each[length:], quantile) for quantile in (0.1, 0.9))
        came = np.cumsum(use[:, length:], axis=1)
        inside.append(np.mean((low <= came) & (came <= high), axis=0)[[6, 27, 55]])
    assert (np.mean(inside, axis=0) >= 0.72).all()


@given(level=st.integers(0, 3), length=st.sampled_from([1, 8, 64, 65, 100, 393, 560, 800]))
@settings(max_examples=30, deadline=None)
def test_a_history_without_any_noise_is_no_division_by_zero(level: int, length: int) -> None:
    past, ahead = days(length), days(60, START + timedelta(length))
    model = demand.fit(np.where(past.kinds <= DayKind.FRIDAY, float(level), 0.0)[None], past)
    assert np.isfinite(model.sums(ahead)).all()
    assert np.isfinite(model.sums(ahead, 0.9)).all()
    if length > 8:
        assert model.level[0] == pytest.approx(level, abs=0.1)


def test_days_of_the_week_that_were_never_seen_are_worked_like_the_others() -> None:
    past = days(3, date(2024, 1, 10))  # Wednesday to Friday
    model = demand.fit(steady(100, past)[None], past)
    monday = days(1, date(2024, 1, 15))
    assert model.path(monday)[0, 0] == pytest.approx(90, rel=0.2)


@pytest.mark.parametrize("length", [120, 400])
def test_a_slip_of_the_pen_changes_neither_the_level_nor_the_week(length: int) -> None:
    past, ahead = days(length), days(28, START + timedelta(length))
    use = steady(200, past)[None].copy()
    use[0, -16] = 30_000
    without = demand.fit(steady(200, past)[None], past)
    model = demand.fit(use, past)
    assert model.sums(ahead)[0, -1] == pytest.approx(without.sums(ahead)[0, -1], rel=0.1)
    assert model.sums(ahead, 0.9)[0, -1] < 1.5 * without.sums(ahead, 0.9)[0, -1]


@pytest.mark.parametrize(("times", "lasts"), [(20, 60), (4, 5), (5, 1)])
def test_levels_that_jump_and_campaigns_are_no_accidents(times: int, lasts: int) -> None:
    past = days(400)
    use = steady(100, past)[None].copy()
    use[0, -lasts - 5 : -5 if lasts < 60 else None] *= times
    np.testing.assert_array_equal(rhythm.without_accidents(use), use)


def test_who_uses_up_each_days_delivery_has_a_demand() -> None:
    """A shelf that is empty every evening hides how much was wanted, but not that it was at least so much."""
    past = days(200)
    use = steady(50, past)[None]
    model = demand.fit(np.full(use.shape, np.nan), past, use)
    assert model.level[0] == pytest.approx(50, rel=0.1)


def test_little_that_was_left_on_an_emptied_shelf_tells_nothing() -> None:
    past = days(200)
    use = steady(50, past)[None]
    open_days = use.copy()
    open_days[0, -30:] = np.nan
    left = np.zeros(use.shape)
    left[0, -30] = 3
    assert demand.fit(open_days, past, left).level[0] == pytest.approx(50, rel=0.1)


_WEEK = np.array([1.25, 1.1, 1.0, 0.95, 0.7, 0, 0, 0, 0])


def _weekday(rng: np.random.Generator, each: Days) -> np.ndarray:
    return np.asarray(rng.uniform(20, 200, (60, 1)) * _WEEK[each.kinds])


def _after_lebaran(rng: np.random.Generator, each: Days) -> np.ndarray:
    return np.asarray(_weekday(rng, each) * np.where((each.seasons >= 14) & (each.seasons <= 16), 1.5, 1.0))


def _wandering(rng: np.random.Generator, each: Days) -> np.ndarray:
    steps = rng.normal(0, 0.01, (60, len(each)))
    return np.asarray(_weekday(rng, each) * np.exp(np.cumsum(steps, axis=1)))


def _growing(rng: np.random.Generator, each: Days) -> np.ndarray:
    return np.asarray(_weekday(rng, each) * 1.3 ** (np.arange(len(each)) / 365))


def _rare(rng: np.random.Generator, each: Days) -> np.ndarray:
    return np.asarray(rng.uniform(0.2, 0.8, (60, 1)) * _WEEK[each.kinds])


@pytest.mark.parametrize("process", [_weekday, _after_lebaran, _wandering, _growing, _rare])
@pytest.mark.parametrize("hidden", [False, True])
def test_shelves_run_dry_inside_of_the_interval_as_often_as_it_says(process: Any, hidden: bool) -> None:
    inside = []
    for seed, origin in enumerate((date(2025, 9, 1), date(2026, 2, 2), date(2026, 5, 11))):
        rng = np.random.default_rng(seed)
        each = days(900, origin - timedelta(800))
        mean = process(rng, each)
        use = rng.poisson(mean * rng.gamma(12, 1 / 12, mean.shape)).astype(float)
        past = use[:, :800].copy()
        for row, begin in enumerate(rng.integers(0, 780, 60)):
            # Sold out for a while: that was no demand of zero.
            past[row, begin : begin + 30] = np.nan if hidden else past[row, begin : begin + 30]
        model, came = demand.fit(past, each[:800]), np.cumsum(use[:, 800:], axis=1)
        shelf = rng.uniform(5, 60, 60) * mean[:, 800:].mean(axis=1)
        real = _first_day(came, shelf)
        late, early = (_first_day(model.sums(each[800:], quantile), shelf) for quantile in (0.1, 0.9))
        inside.append(np.mean((early <= real) & (real <= late)))
    assert 0.70 <= np.mean(inside) <= 0.99


def _first_day(sums: np.ndarray, shelf: np.ndarray) -> np.ndarray:
    """The first day on which more was wanted than there was."""
    gone = sums > shelf[:, None]
    return np.asarray(np.where(gone.any(axis=1), gone.argmax(axis=1), sums.shape[1]))
