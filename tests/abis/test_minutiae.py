"""From the enhanced image to minutiae: thinning, tracing, and the choice of the reliable ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from services.abis.fingerprint import grid, minutiae, thinning, tracing
from services.abis.fingerprint.extract import Trace, extract_pixels
from services.abis.fingerprint.minutiae import BIFURCATION, ENDING, Minutiae
from services.abis.kernels import F32, U8
from tests.abis import abis_oracles as oracle

LEVEL = (np.ones((12, 24), np.float32), np.zeros((12, 24), np.float32))
"""Horizontal ridge orientation everywhere."""


def blotches(seed: int, shape: tuple[int, int] = (60, 150)) -> F32:
    """Smooth random grey values around zero."""
    rng = np.random.default_rng(seed)
    return grid.blur(rng.normal(size=shape).astype(np.float32), grid.gaussian(2.0))


def drawn(*lines: tuple[int, int, int, int]) -> tuple[U8, F32]:
    """A skeleton of horizontal and vertical lines (y0, x0, y1, x1), and an image that is dark around it."""
    skeleton = np.zeros((96, 192), np.uint8)
    for y0, x0, y1, x1 in lines:
        skeleton[min(y0, y1) : max(y0, y1) + 1, min(x0, x1) : max(x0, x1) + 1] = 1
    wide = grid.blur(skeleton.astype(np.float32), grid.gaussian(1.5))
    return skeleton, np.ascontiguousarray(0.12 - wide, dtype=np.float32)


def test_packed_ridges_are_the_dark_pixels_of_the_area_away_from_the_border() -> None:
    image = blotches(1)
    area = (np.random.default_rng(2).uniform(size=(8, 19)) < 0.8).astype(np.uint8)
    packed = thinning.pack(image, area)
    m = thinning.MARGIN
    for y in range(60):
        for x in range(150):
            bit = int(packed[y + 1, x // 64 + 1]) >> (x % 64) & 1
            within = m <= y < 60 - m and m <= x < 150 - m and area[y // 8, x // 8]
            assert bit == bool(image[y, x] < 0 and within)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_thinning_does_what_guo_and_hall_say(seed: int) -> None:
    image = blotches(seed)
    area = np.ones((8, 19), np.bool_)
    dark = np.zeros(image.shape, np.uint8)
    dark[2:-2, 2:-2] = image[2:-2, 2:-2] < 0
    assert (thinning.skeleton(image, area) == oracle.thinned(dark)).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_a_skeleton_has_as_many_parts_as_the_ridges_and_cannot_be_thinned_further(seed: int) -> None:
    image = blotches(seed, (40, 70))
    skeleton = thinning.skeleton(image, np.ones((5, 9), np.bool_))
    dark = np.zeros(image.shape, np.uint8)
    dark[2:-2, 2:-2] = image[2:-2, 2:-2] < 0
    assert (skeleton <= dark).all()
    touching = np.ones((3, 3))
    assert ndimage.label(dark, touching)[1] == ndimage.label(skeleton, touching)[1]
    again = np.where(skeleton, -1.0, 1.0).astype(np.float32)
    assert (thinning.skeleton(again, np.ones((5, 9), np.bool_)) == skeleton).all()


def test_nodes_are_ends_and_branches_with_what_their_ridges_lead_to() -> None:
    image = blotches(6, (96, 192))
    skeleton = thinning.skeleton(image, np.ones((12, 24), np.bool_))
    found = tracing.nodes(skeleton, image, *LEVEL)
    expected = []
    for y, x in np.argwhere(skeleton).tolist():
        crossings = oracle.crossing_number(skeleton, y, x)
        assert tracing.crossings(skeleton, y, x) == crossings
        first = oracle.leaving(skeleton, y, x)
        if crossings not in (1, 3) or len(first) < crossings:
            continue
        expected.append((y, x, crossings, first[:crossings]))
    assert len(found) == len(expected) > 20
    single = 0
    for node, (y, x, crossings, first) in zip(found, expected, strict=True):
        assert node[3] == (ENDING if crossings == 1 else BIFURCATION)
        assert np.hypot(node[0] - x, node[1] - y) <= 8
        if crossings == 1:
            steps, met = oracle.walked(skeleton, first[0], {(y, x)}, tracing.REACH)
            assert node[4] == (steps if met == "end" else tracing.REACH)
            assert node[5] == (steps if met == "branch" else tracing.REACH)
            single += 1
    assert single > 10


def test_a_bifurcation_knows_its_shortest_way_to_an_end_and_to_a_branch() -> None:
    # A long ridge with a spur of 7 px upwards and, 11 px further, a long branch downwards.
    skeleton, image = drawn((40, 20, 40, 170), (33, 90, 39, 90), (41, 101, 80, 101))
    found = tracing.nodes(skeleton, image, *LEVEL)
    by_place = {
        (round(float(x)), round(float(y))): node for x, y, node in zip(*found.T[:2], found, strict=True)
    }
    spurs = [node for node in found if node[3] == BIFURCATION and node[4] < 10]
    assert len(spurs) == 1
    assert spurs[0][4] == 7
    assert spurs[0][5] == 11
    assert len(by_place) == len(found) == 6


@pytest.mark.parametrize("turn", [0.0, 0.5, 1.3, 2.0, 2.9, 4.0, 5.5])
@pytest.mark.parametrize(("start", "kind"), [(np.pi, ENDING), (0.0, BIFURCATION)])
def test_where_a_ridge_or_valley_starts_there_is_one_minutia_that_points_into_it(
    turn: float, start: float, kind: int
) -> None:
    y, x = np.mgrid[:300, :300].astype(float)
    # Along and across the ridges (y up), and a phase that winds once around the centre: one more ridge ahead
    # than behind. What begins at the centre is dark (a ridge) or light (a valley).
    along = (x - 150) * np.cos(turn) - (y - 150) * np.sin(turn)
    across = (x - 150) * np.sin(turn) + (y - 150) * np.cos(turn)
    grey = 128 + 100 * np.cos(2 * np.pi * across / 9 + np.arctan2(across, along) + start)
    grey[np.hypot(x - 150, y - 150) > 110] = 255
    template = extract_pixels(np.clip(grey, 0, 255).astype(np.uint8))
    near = np.hypot(template.points[:, 0] - 150, template.points[:, 1] - 150) < 14
    assert near.sum() == 1
    off = float(template.points[near, 2][0]) - turn
    assert abs(np.mod(off + np.pi, 2 * np.pi) - np.pi) < 0.3
    assert template.kind[near].tolist() == [kind]


def test_every_node_of_a_print_lies_on_its_skeleton_and_the_template_keeps_the_best(
    prints: list[list[U8]],
) -> None:
    seen: Trace = {}
    template = extract_pixels(prints[0][0], trace=seen)
    found = minutiae.detect(*(seen[name] for name in ("skeleton", "enhanced", "c", "s", "power", "area")))
    y, x = np.nonzero(seen["skeleton"])
    for k in range(len(found)):
        assert np.hypot(x - found.x[k], y - found.y[k]).min() <= 9
    assert len(template) <= (found.quality > 0).sum()
    assert template.points[0, 3] == pytest.approx(found.quality.max(), abs=1 / 255)


def test_nodes_that_face_each_other_are_near_each_other() -> None:
    points = np.zeros((40, tracing.COLUMNS), np.float32)
    points[:, :3] = np.random.default_rng(12).uniform(0, 1, (40, 3)) * [250, 300, 2 * np.pi]
    np.testing.assert_allclose(
        tracing.nearest_opposed(points, 30.0), oracle.nearest_opposed(points, 30.0), atol=1e-4
    )


def test_the_distance_to_the_border_is_that_to_the_nearest_pixel_outside() -> None:
    rng = np.random.default_rng(13)
    area = (rng.uniform(size=(14, 17)) < 0.97).astype(np.uint8)
    x, y = (rng.uniform(0, side, 50).astype(np.float32) for side in (136, 112))
    expected = [oracle.border_distance(float(u), float(v), area, 40.0) for u, v in zip(x, y, strict=True)]
    np.testing.assert_allclose(minutiae.border_distance(x, y, area, 40.0), expected, atol=1e-4)


def test_minutiae_at_the_border_of_the_ridges_have_no_quality() -> None:
    # One straight ridge that ends in the middle, and at the border of the area.
    skeleton, image = drawn((40, 60, 40, 150))
    area = np.zeros((12, 24), np.bool_)
    area[1:11, 2:19] = True
    found = minutiae.detect(skeleton, image, *LEVEL, np.ones((12, 24), np.float32), area)
    assert len(found) == 2
    left, right = (found.take(np.array([k])) for k in np.argsort(found.x))
    assert left.quality[0] > 0.2
    assert np.cos(left.angle[0]) > 0.99
    assert right.quality[0] == 0.0


def test_the_ends_of_a_speck_are_less_reliable_than_those_of_a_ridge_that_goes_on() -> None:
    skeleton, image = drawn((40, 60, 40, 64), (60, 60, 60, 150))
    area = np.ones((12, 24), np.bool_)
    found = minutiae.detect(skeleton, image, *LEVEL, np.ones((12, 24), np.float32), area)
    assert found.quality[found.y < 50].max() < found.quality[found.y > 50].min() - 0.05


def test_the_best_minutiae_come_first_and_those_of_no_quality_not_at_all() -> None:
    zeros = np.zeros(5, np.float32)
    quality = np.array([0.2, 0.0, 0.9, 0.5, 0.7], np.float32)
    some = Minutiae(np.arange(5, dtype=np.float32), zeros, zeros, np.ones(5, np.uint8), quality)
    assert minutiae.best(some, 3).x.tolist() == [2.0, 4.0, 3.0]
    assert minutiae.best(some, 60).x.tolist() == [2.0, 4.0, 3.0, 0.0]
