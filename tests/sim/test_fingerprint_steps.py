"""Each step of growing a finger against its definition or a slow twin."""

import numpy as np
import pytest

from sim.fingerprints import frequency, growth, orientation, traits
from sim.fingerprints.fields import (
    HEIGHT,
    WIDTH,
    Field,
    double_cubic,
    enlarge,
    half_resolution_axes,
    smooth_noise,
)
from sim.fingerprints.touch import COLUMNS, ROWS, print_ink
from sim.fingerprints.traits import FingerTraits, Pattern, Point


def _finger(pattern: Pattern) -> FingerTraits:
    """The first finger of this class that turns up."""
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        finger = traits.finger_traits(traits.person_traits(rng), 1 + seed % 10, rng)
        if finger.pattern is pattern:
            return finger
    raise AssertionError(f"no {pattern} among 2000 fingers")


def _half_turns(theta: Field, point: Point, radius: float) -> float:
    """How many half turns the orientation makes on a circle around `point`: its Poincaré index, doubled."""
    x, y = half_resolution_axes()
    turn = np.linspace(0, 2 * np.pi, 200)
    rows = np.searchsorted(-y, -(point[1] + radius * np.sin(turn)))
    columns = np.searchsorted(x, point[0] + radius * np.cos(turn))
    doubled = np.unwrap(2 * theta[rows, columns])
    return float((doubled[-1] - doubled[0]) / (2 * np.pi))


@pytest.mark.parametrize("pattern", list(Pattern))
def test_orientation_turns_half_around_cores_and_back_around_deltas(pattern: Pattern) -> None:
    finger = _finger(pattern)
    theta = orientation.orientation_field(finger, np.random.default_rng(1))
    for core in finger.cores:
        assert _half_turns(theta, core, 8) == pytest.approx(1, abs=0.05)
    for delta in finger.deltas:
        assert _half_turns(theta, delta, 8) == pytest.approx(-1, abs=0.05)


def test_an_arch_has_no_singular_point() -> None:
    theta = orientation.orientation_field(_finger(Pattern.ARCH), np.random.default_rng(1))
    assert _half_turns(theta, (0.0, 0.0), 150) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("pattern", list(Pattern))
def test_frequency_follows_from_orientation_better_than_a_constant_one(pattern: Pattern) -> None:
    finger = _finger(pattern)
    theta = orientation.orientation_field(finger, np.random.default_rng(2))
    period = frequency.ridge_period(finger, theta, np.random.default_rng(3))
    assert period.shape == theta.shape
    assert 0.65 * finger.period < period.min()
    assert period.max() < 2.2 * finger.period
    assert _curl(theta, period) < _curl(theta, np.full_like(period, finger.period))


def _curl(theta: Field, period: Field) -> float:
    """Mean size of curl(f n), where it is small enough for ridges to do without a minutia."""
    x, y = half_resolution_axes()
    g_y, g_x = np.gradient(-np.log(period), y, x)
    cos2, sin2 = np.cos(2 * theta), np.sin(2 * theta)
    (sin2_y, sin2_x), (cos2_y, cos2_x) = np.gradient(sin2, y, x), np.gradient(cos2, y, x)
    theta_x, theta_y = 0.5 * (cos2 * sin2_x - sin2 * cos2_x), 0.5 * (cos2 * sin2_y - sin2 * cos2_y)
    twist = -np.sin(theta) * theta_x + np.cos(theta) * theta_y
    curl = np.cos(theta) * g_x + np.sin(theta) * g_y + twist
    calm = np.abs(twist) < 0.02
    return float(np.abs(curl[calm]).mean())


@pytest.mark.parametrize("taps", [13, 21])
def test_the_growth_kernel_is_a_correlation_with_each_pixels_own_filter(taps: int) -> None:
    rng = np.random.default_rng(4)
    bank = growth._bank(taps, 0.4, 2)
    image = rng.standard_normal((9, 11), dtype=np.float32)
    index = rng.integers(0, len(bank), image.shape).astype(np.int32)
    fast = growth.filter_each_pixel(image, index, bank)
    padded = np.pad(image, taps // 2)
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            window = padded[r : r + taps, c : c + taps]
            assert fast[r, c] == pytest.approx(float((bank[index[r, c], :, :taps] * window).sum()), abs=1e-4)


def test_filters_pass_the_wave_that_fits_and_nothing_flat() -> None:
    bank = growth._bank(21, 0.39, 1)[:, :, :21]
    direction, step = 16, 5
    y, x = np.mgrid[10:-11:-1, -10:11]
    theta = direction * np.pi / growth.DIRECTIONS
    wave = np.cos(2 * np.pi * (-x * np.sin(theta) + y * np.cos(theta)) / growth.PERIODS[step])
    number = direction * len(growth.PERIODS) + step
    assert float((bank[number] * wave).sum()) == pytest.approx(1, abs=1e-4)
    assert np.abs(bank.sum(axis=(1, 2))).max() < 1e-4


def test_ink_is_the_sigmoid_of_ridge_wetness_grain_and_pores() -> None:
    rng = np.random.default_rng(5)
    ridges = rng.standard_normal((HEIGHT, WIDTH), dtype=np.float32)
    pores = rng.random((HEIGHT, WIDTH), dtype=np.float32)
    nodes = (-(-ROWS // 8) + 1, -(-COLUMNS // 8) + 1)
    row_of = rng.uniform(5, HEIGHT - 5, nodes).astype(np.float32)
    column_of = rng.uniform(5, WIDTH - 5, nodes).astype(np.float32)
    wet = rng.uniform(-1, 1, nodes).astype(np.float32)
    wet[:, -3:] = -20
    grain = rng.uniform(0, 1, nodes).astype(np.float32)
    speckle = rng.standard_normal((ROWS, COLUMNS), dtype=np.float32)
    ink = np.empty((ROWS, COLUMNS), np.float32)
    print_ink(ridges, pores, row_of, column_of, wet, grain, speckle, np.float32(0.7), ink)
    for r, c in rng.integers(0, (ROWS, COLUMNS - 30), (200, 2)):
        y, x = _between(row_of, r / 8, c / 8), _between(column_of, r / 8, c / 8)
        level = (
            _between(ridges, y, x)
            + _between(wet, r / 8, c / 8)
            + _between(grain, r / 8, c / 8) * speckle[r, c]
            - 0.7 * _between(pores, y, x)
        )
        assert ink[r, c] == pytest.approx(1 / (1 + np.exp(-3.2 * level)), abs=2e-3)
    assert (ink[:, -8:] == 0).all()


def _between(field: Field, row: float, column: float) -> float:
    i, j = int(row), int(column)
    a, b = row - i, column - j
    top = (1 - b) * field[i, j] + b * field[i, j + 1]
    below = (1 - b) * field[i + 1, j] + b * field[i + 1, j + 1]
    return float((1 - a) * top + a * below)


def test_enlarging_keeps_straight_slopes_straight() -> None:
    slope = np.add.outer(np.arange(12, dtype=np.float32), 2 * np.arange(10, dtype=np.float32))
    rows, columns = np.arange(24) / 2 - 0.25, np.arange(20) / 2 - 0.25
    wanted = np.add.outer(rows, 2 * columns)
    for enlarged in (enlarge(slope, 2), double_cubic(slope)):
        assert enlarged.shape == wanted.shape
        assert np.allclose(enlarged[4:-4, 4:-4], wanted[4:-4, 4:-4], atol=1e-4)


@pytest.mark.parametrize("correlation", [0.6, 1.6, 4.5])
def test_smooth_noise_has_unit_strength(correlation: float) -> None:
    noise = smooth_noise(np.random.default_rng(6), (400, 400), correlation)
    assert noise.shape == (400, 400)
    assert noise.std() == pytest.approx(1, abs=0.08)
