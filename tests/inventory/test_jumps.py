"""Jumps of the level and trends: what is followed, what only widens the interval, and what is neither."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from services.inventory.planning import demand
from services.inventory.planning.calendar import Days, indonesia

START = date(2024, 1, 1)
WEEK = np.array([1.2, 1.1, 1.0, 0.9, 0.8, 0, 0, 0, 0])
LENGTH = 600


def days(count: int = LENGTH) -> Days:
    return indonesia(2024, (START + timedelta(count)).year).days(START, count)


def lively(factor: np.ndarray, seed: int = 0, usual: float = 80.0) -> np.ndarray:
    """Twenty offices of which each day differs, times ``factor`` of each day, and forty where nothing
    happens.
    """
    mean = usual * WEEK[days().kinds] * np.ones((60, 1))
    mean[:20] *= factor
    rng = np.random.default_rng(seed)
    return np.asarray(rng.poisson(mean * rng.gamma(15, 1 / 15, mean.shape)).astype(float))


def fit(past: np.ndarray, each: Days | None = None) -> demand.Demand:
    """What is said of the first twenty."""
    return demand.fit(past, each or days()).of(range(20))


def from_day(day: int, factor: float) -> np.ndarray:
    return np.where(np.arange(LENGTH) >= day, factor, 1.0)


@pytest.mark.parametrize("factor", [0.45, 2.0, 3.0])
@pytest.mark.parametrize("ago", [21, 30, 45])
def test_a_new_service_hall_shows_after_three_weeks(factor: float, ago: int) -> None:
    model = fit(lively(from_day(LENGTH - ago, factor)))
    assert np.median(model.level) == pytest.approx(80 * factor, rel=0.15)
    told = model.changes.jump_age > 0
    assert np.mean(told) >= 0.8
    assert np.median(model.changes.jump_age[told]) == pytest.approx(ago, abs=0.35 * ago)
    # The level before it may have begun to follow.
    assert np.median(model.changes.jump_size[told]) / np.log(factor) == pytest.approx(0.9, abs=0.2)


def test_where_nothing_happens_no_jump_is_told() -> None:
    told = [
        fit(lively(np.ones(LENGTH), seed, usual), days()).changes
        for seed, usual in enumerate((0.3, 4.0, 80.0, 900.0))
    ]
    assert np.mean([each.jump_age > 0 for each in told]) <= 0.02
    assert np.mean([each.surge_age > 0 for each in told]) <= 0.05


@pytest.mark.parametrize("ended", [3, 10, 30])
def test_a_campaign_that_is_over_is_no_jump(ended: int) -> None:
    factor = np.ones(LENGTH)
    factor[-ended - 10 : -ended] = 4.0
    model = fit(lively(factor))
    assert not (model.changes.jump_size > 0).any()
    assert np.median(model.level) < 1.35 * 80


def test_what_surges_for_a_week_changes_the_interval_and_not_the_level() -> None:
    calm = fit(lively(np.ones(LENGTH)))
    surging = fit(lively(from_day(LENGTH - 9, 3.0)))
    assert np.median(surging.level) < 1.4 * np.median(calm.level)
    assert np.mean(surging.changes.surge_age > 0) >= 0.8
    assert np.mean(surging.changes.jump_age > 0) <= 0.1
    ahead = days()[:60]
    assert (surging.sums(ahead, 0.9)[:, -1] > 2.0 * surging.sums(ahead)[:, -1]).mean() >= 0.8
    # It may be over tomorrow as well.
    assert surging.sums(ahead, 0.1)[:, -1].mean() < 1.2 * calm.sums(ahead)[:, -1].mean()


def test_a_place_that_opened_last_week_has_not_jumped() -> None:
    past = lively(np.ones(LENGTH))
    past[0, :-7] = np.nan
    model = fit(past)
    assert model.changes.jump_age[0] == model.changes.surge_age[0] == 0
    assert model.level[0] == pytest.approx(80, rel=0.4)


def test_a_place_that_had_blanks_and_began_to_print_is_followed() -> None:
    began = lively(np.where(np.arange(LENGTH) >= LENGTH - 30, 1.0, 0.0))
    model = fit(began)
    assert np.median(model.level) == pytest.approx(80, rel=0.15)


def test_three_weeks_without_a_card_are_a_standstill_and_not_the_end_of_demand() -> None:
    """The printer broke, or the link: the blanks are there, and the people will come."""
    model = fit(lively(from_day(LENGTH - 21, 0.0)))
    assert not model.changes.jump_age.any()
    assert np.median(model.level) > 0.3 * 80


def test_an_empty_shelf_is_no_jump_down() -> None:
    past = lively(np.ones(LENGTH))
    past[:, -40:] = np.nan
    model = fit(past)
    assert not model.changes.jump_age.any()
    assert np.median(model.level) == pytest.approx(80, rel=0.1)


@pytest.mark.parametrize("a_year", [0.65, 1.5])
def test_a_trend_is_followed_where_trends_have_told_what_came(a_year: float) -> None:
    ahead = indonesia(2024, 2026).days(START, LENGTH + 84)[LENGTH:]
    growth = a_year ** (np.arange(LENGTH + 84) / 365)
    model = fit(lively(growth[:LENGTH]))
    came = 80 * (WEEK[ahead.kinds] * growth[LENGTH:]).sum()
    assert np.median(model.sums(ahead)[:, -1]) == pytest.approx(came, rel=0.08)
    assert (np.sign(model.growth) == np.sign(np.log(a_year))).mean() >= 0.8


def test_no_trend_is_made_of_a_jump_nor_of_noise() -> None:
    for factor in (np.ones(LENGTH), from_day(LENGTH - 150, 2.0)):
        model = fit(lively(factor))
        assert np.abs(model.growth).max() < np.log(1.15) / 365


def test_a_past_of_lively_days_makes_a_wider_interval_than_one_of_calm_days() -> None:
    each = days()[:40]
    rng = np.random.default_rng(5)
    mean = 100 * WEEK[each.kinds] * np.ones((20, 1))
    calm = rng.poisson(mean).astype(float)
    wild = rng.poisson(mean * rng.gamma(2, 1 / 2, mean.shape)).astype(float)
    ahead = days()[40:100]
    widths = []
    for past in (calm, wild):
        model = fit(past, each)
        widths.append((model.sums(ahead, 0.9)[:, 13] / model.sums(ahead, 0.1)[:, 13]).mean())
    assert widths[1] > 1.15 * widths[0]
