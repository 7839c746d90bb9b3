"""Each kernel gives what its slow twin gives."""

from __future__ import annotations

import numpy as np
import pytest

from services.abis.fingerprint import (
    cylinders,
    enhance,
    frame,
    grid,
    lssr,
    mask,
    orientation,
    parameters,
)
from services.abis.fingerprint.template import CELL, Template
from services.abis.kernels import F32
from tests.abis import abis_oracles as oracle


def some_points(seed: int, count: int) -> F32:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (count, 4)) * [250, 300, 2 * np.pi, 1]
    return np.ascontiguousarray(points, dtype=np.float32)


def test_frame_is_the_union_of_constant_windows() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 255, (40, 50)).astype(np.uint8)
    image[:, :9] = 200
    image[10:22, 30:44] = 90
    assert (frame.inside(image, 7, 2, 2) == oracle.inside_frame(image, 7, 2, 2)).all()


def test_a_window_is_constant_where_its_values_hardly_differ() -> None:
    image = np.random.default_rng(14).integers(100, 104, (31, 37)).astype(np.uint8)
    image[:12] = 200
    image[15:, :20] = 90
    image[4, 30] = 140
    for window, tolerance in ((5, 2), (7, 3), (13, 3)):
        expected = oracle.constant(image, window, tolerance)
        assert 0 < expected.mean() < 1
        assert (frame.constant(image, window, tolerance) == expected).all()


def test_noise_is_what_differs_from_pixel_to_pixel_and_ridges_do_not() -> None:
    y, x = np.mgrid[:160, :160]
    ridges = 128 + 50 * np.sin(0.6 * x + 0.4 * y)
    for deviation in (0, 5, 15):
        grain = np.random.default_rng(15).normal(0, 1, ridges.shape) * deviation
        image = np.clip(np.rint(ridges + grain), 0, 255).astype(np.uint8)
        count, _, _, noise = frame.block_sums(image, np.ones_like(image))
        assert count.sum() == image.size
        inner = noise[1:-1, 1:-1].sum() / count[1:-1, 1:-1].sum()
        assert np.sqrt(inner) == pytest.approx(deviation, abs=1.5)


def test_orientation_sums_are_those_of_sobel_gradients() -> None:
    image = np.random.default_rng(16).normal(size=(37, 43)).astype(np.float32)
    np.testing.assert_allclose(orientation.tensor(image), oracle.tensor(image), rtol=1e-4, atol=1e-3)


def test_blur_is_a_separable_convolution() -> None:
    values = np.random.default_rng(2).normal(size=(19, 23)).astype(np.float32)
    taps = grid.gaussian(1.6)
    np.testing.assert_allclose(grid.blur(values, taps), oracle.blur(values, taps), atol=1e-5)


def test_a_grid_is_read_linearly_between_the_centres_of_its_blocks() -> None:
    i, j = np.mgrid[:6, :7].astype(np.float32)
    ramp = np.ascontiguousarray(3 * i - 2 * j)
    y, x = np.mgrid[:48, :56]
    expected = 3 * np.clip((y - 3.5) / 8, 0, 5) - 2 * np.clip((x - 3.5) / 8, 0, 6)
    np.testing.assert_allclose(grid.upsample(ramp, 48, 56), expected, atol=1e-4)
    assert grid.sample(ramp, 20.0, 30.0) == pytest.approx(expected[20, 30], abs=1e-4)


def test_the_connected_areas_of_a_mask_are_told_apart() -> None:
    cells = (np.random.default_rng(3).uniform(size=(17, 23)) < 0.55).astype(np.uint8)
    labels, sizes = mask.label(cells)
    expected = oracle.components(cells)
    assert len(expected) > 3
    assert sizes.tolist() == [len(area) for area in expected]
    for number, area in enumerate(expected, start=1):
        assert set(zip(*(v.tolist() for v in np.nonzero(labels == number)), strict=True)) == area


def test_the_direction_of_a_pixel_is_the_nearest_one() -> None:
    angle = np.random.default_rng(9).uniform(0, 2 * np.pi, (40, 50))
    step = 2 * np.pi / parameters.ORIENTATIONS
    # Where two directions are equally near, either is right.
    angle += np.where(np.abs(angle / step % 1 - 0.5) < 0.01, 0.02 * step, 0.0)
    c, s = (np.ascontiguousarray(v, dtype=np.float32) for v in (np.cos(angle), np.sin(angle)))
    nearest = np.round(angle / step) % parameters.ORIENTATIONS
    assert (enhance.directions(c, s, parameters.ORIENTATIONS) == nearest).all()


def test_each_pixel_is_filtered_along_its_own_ridge() -> None:
    rng = np.random.default_rng(10)
    image = rng.normal(size=(44, 53)).astype(np.float32)
    direction = rng.integers(0, parameters.ORIENTATIONS, image.shape).astype(np.uint8)
    direction[:, :30] = direction[0, :30]  # neighbours that share a filter, and such that do not
    frequency = rng.uniform(1 / 16, 1 / 4.5, (6, 7)).astype(np.float32)
    area = (rng.uniform(size=(6, 7)) < 0.7).astype(np.uint8)
    found = enhance.apply(image, direction, frequency, area, enhance.bank())
    for y, x in ((0, 0), (43, 52), *rng.integers(0, (44, 53), (60, 2)).tolist()):
        expected = oracle.filtered(image, direction, frequency, area, y, x)
        assert found[y, x] == pytest.approx(expected, abs=1e-4)


def test_cylinder_bits_are_the_contributions_above_the_level() -> None:
    points = some_points(4, 18)
    area = np.ones((20, 17), np.uint8)
    area[:4] = 0
    bits, valid, usable = cylinders.cylinders(points, area, CELL)
    for m in range(5):
        values, seen = oracle.cylinder_values(points, m, area, CELL)
        assert oracle.bits_of(valid[m]) == (seen.ravel() > 0).tolist()
        flat = np.moveaxis(values, 2, 0).ravel()
        # The kernel reads the directional share from a table: bits at the very level may differ.
        sure = np.abs(flat - parameters.CYLINDER_BIT_LEVEL) > 2e-4
        assert (np.array(oracle.bits_of(bits[m]))[sure] == (flat > parameters.CYLINDER_BIT_LEVEL)[sure]).all()
        assert usable[m] == (seen.sum() >= parameters.CYLINDER_MIN_VALID * 208)


def test_similarities_are_those_of_single_cylinders(templates: list[list[Template]]) -> None:
    a, b = templates[0]
    found = lssr.similarities(*a.cylinders, *b.cylinders)
    bits_a, valid_a, usable_a = a.cylinders
    bits_b, valid_b, usable_b = b.cylinders
    for i in range(0, len(a), 5):
        for j in range(0, len(b), 7):
            expected = oracle.similarity(bits_a[i], valid_a[i], bits_b[j], valid_b[j])
            usable = usable_a[i] and usable_b[j]
            assert found[i, j] == pytest.approx(expected if usable else 0.0, abs=1e-6)


@pytest.mark.parametrize("reference", [(0, 1), (1, 0), (2, 1)])
def test_relaxation_is_that_of_the_paper(templates: list[list[Template]], reference: tuple[int, int]) -> None:
    a, b = templates[0][0], templates[reference[0]][reference[1]]
    similarity = lssr.similarities(*a.cylinders, *b.cylinders)
    score, pairs, values = lssr.relax(similarity, a.points, b.points)
    assert score == pytest.approx(oracle.relaxed_score(similarity, a.points, b.points), rel=1e-3)
    assert len(pairs) == len(values) <= min(len(a), len(b))
