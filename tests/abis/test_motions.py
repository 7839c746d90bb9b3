"""How one finger lies on another: the kernels against their readable twins, and motions that were made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.abis.fingerprint import candidates, field, motions, overlap, pairing
from services.abis.fingerprint.prepared import in_lanes
from services.abis.fingerprint.template import Template
from services.abis.kernels import F32, F64
from tests.abis import matcher_oracles as oracle

STILL = np.array([1.0, 0.0, 0.0, 0.0])


def some(seed: int, count: int, size: float = 300.0) -> F32:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, size, (2, count))
    return np.column_stack([x, y, rng.uniform(0, 2 * np.pi, count), rng.uniform(0.3, 1, count)]).astype(
        np.float32
    )


def laid(points: F32, motion: F64) -> F32:
    """The points after a motion."""
    out = points.copy()
    for k, (x, y, angle, _) in enumerate(points.astype(np.float64)):
        out[k, :2] = oracle.moved(x, y, motion)
        out[k, 2] = (angle + np.arctan2(motion[1], motion[0])) % (2 * np.pi)
    return out


def motion_of(degrees: float, x: float, y: float) -> F64:
    angle = np.radians(degrees)
    return np.array([np.cos(angle), np.sin(angle), x, y])


def test_the_displacement_field_is_that_of_its_definition_at_the_nodes() -> None:
    a = some(1, 12)
    motion = motion_of(20, 30, 60)
    b = laid(a, motion) + np.array([3, -5, 0, 0], np.float32)
    pairs = np.column_stack([np.arange(12), np.arange(12)]).astype(np.int32)
    found = field.displacements(in_lanes(a), in_lanes(b), pairs, motion, 352.0, 320.0)
    for r in range(found.shape[0]):
        for c in range(found.shape[1] // 2):
            x, y = c * field.NODE - field.MARGIN, r * field.NODE - field.MARGIN
            expected = oracle.displacement(a, b, pairs, motion, x, y)
            assert found[r, 2 * c : 2 * c + 2] == pytest.approx(expected, abs=1e-3)


def test_between_the_nodes_the_field_is_near_its_definition() -> None:
    a, motion = some(2, 15), motion_of(-50, 120, 10)
    b = laid(a, motion) + np.random.default_rng(3).normal(0, 4, (15, 4)).astype(np.float32) * [1, 1, 0, 0]
    pairs = np.column_stack([np.arange(15), np.arange(15)]).astype(np.int32)
    made = field.displacements(in_lanes(a), in_lanes(b.astype(np.float32)), pairs, motion, 352.0, 320.0)
    for x, y in some(4, 40)[:, :2].astype(np.float64).tolist():
        rigid = oracle.moved(x, y, motion)
        dx, dy = oracle.displacement(a, b.astype(np.float32), pairs, motion, *rigid)
        if -field.MARGIN < rigid[0] < 352 + field.MARGIN and -field.MARGIN < rigid[1] < 320 + field.MARGIN:
            assert field.place(x, y, motion, made) == pytest.approx((rigid[0] + dx, rigid[1] + dy), abs=0.5)


def test_smoothed_votes_are_those_of_the_twin() -> None:
    raw = np.random.default_rng(5).integers(0, 90, (8, 9, 11))
    padded = np.zeros((10, 11, 13), np.uint16)
    padded[1:-1, 1:-1, 1:-1] = raw
    # What lies outside by the turn is overwritten: the turn is a circle.
    padded[0], padded[-1] = 7, 7
    padded[[0, -1], 0] = padded[[0, -1], -1] = 0
    assert (motions.smooth(padded)[1:-1, 1:-1, 1:-1] == oracle.smoothed(raw.astype(np.float64))).all()


def test_above_and_below_smoothed_votes_lies_nothing_whatever_lay_there_before() -> None:
    votes = np.zeros((motions.TURNS + 2, 6, 8), np.uint16)
    before = [np.full(votes.shape, 257, np.uint16) for _ in range(200)]
    del before
    smoothed = [motions.smooth(votes.copy()) for _ in range(50)]
    assert not any(each[1:-1, [0, -1]].any() for each in smoothed)


def test_peaks_are_the_highest_bins_of_which_no_two_are_neighbours() -> None:
    votes = np.zeros((34, 14, 16), np.uint16)
    votes[1:-1, 1:-1, 1:-1] = np.random.default_rng(6).integers(1, 60_000, (32, 12, 14))
    expected = oracle.peaks(votes.astype(np.int64), motions.MOST)
    found, values = motions.peaks(votes.copy())
    assert values.tolist() == [float(votes[place]) for place in expected]
    at = np.column_stack([found[:, 0] * 16 / np.pi, found[:, 2] / motions.BIN, found[:, 1] / motions.BIN])
    assert np.rint(at + 0.5).astype(int).tolist() == [list(place) for place in expected]


@pytest.mark.parametrize("seed", range(3))
def test_the_first_motion_is_the_bin_of_most_votes(seed: int) -> None:
    a, b = some(6 + 2 * seed, 25), some(7 + 2 * seed, 30)
    similarity = np.zeros((25, 32), np.float32)
    similarity[:, :30] = np.random.default_rng(8).uniform(0, 0.7, (25, 30))
    found, votes = motions.vote(in_lanes(a), 25, in_lanes(b), 30, similarity)
    expected = oracle.smoothed(oracle.votes(a, b, similarity))
    # Single precision may put a pair on the border of two bins into the other one.
    assert votes[0] == pytest.approx(expected.max(), rel=0.05)
    assert (np.diff(votes) <= 0).all()
    assert 1 <= len(found) == len(votes) <= motions.MOST


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 360), st.floats(-60, 60), st.floats(-60, 60), st.integers(0, 1000))
def test_a_motion_that_was_made_is_among_the_candidates(
    degrees: float, x: float, y: float, seed: int
) -> None:
    a = some(seed, 30)
    centre = a[:, :2].mean(axis=0)
    motion = motion_of(degrees, 0, 0)
    motion[2:] = centre + np.array([x, y]) - np.array(oracle.moved(centre[0], centre[1], motion))
    b = laid(a, motion)
    found, _ = motions.vote(in_lanes(a), 30, in_lanes(b), 30, np.zeros((30, 32), np.float32))
    there = np.array([oracle.moved(centre[0], centre[1], one) for one in found])
    near = np.hypot(*(there - centre - np.array([x, y])).T) < 2 * motions.BIN
    turn = np.abs(np.angle((found[:, 0] + 1j * found[:, 1]) / (motion[0] + 1j * motion[1])))
    assert (near & (turn < 2 * 2 * np.pi / motions.TURNS)).any()


MOTIONS = (STILL, motion_of(14, -20, 33), motion_of(200, 350, 340), motion_of(0, 900, 0))


def test_fields_agree_as_the_twin_says(templates: list[list[Template]]) -> None:
    a, b = templates[0]
    for motion in MOTIONS:
        found = overlap.overlap(a.prepared.cells, a.prepared.cells.shape[1], b.prepared.grid, motion)
        expected = oracle.overlap(a, b, motion)
        # Single precision may put the middle of a cell on the border of two others into either.
        assert found[0] == pytest.approx(expected[0], abs=2)
        assert found[1:] == pytest.approx(expected[1:], abs=3)


def test_the_first_look_sees_half_of_the_cells(templates: list[list[Template]]) -> None:
    a, b = (template.prepared for template in templates[0])
    half = a.cells.shape[1] // 2
    for motion in MOTIONS[:2]:
        first, all_ = (candidates.same_way(a.cells, size, b.grid, motion) for size in (half, 2 * half))
        assert first == pytest.approx(all_, abs=0.08)
        rest = overlap.overlap(np.ascontiguousarray(a.cells[:, half:]), half, b.grid, motion)[0]
        first_count, whole = (overlap.overlap(a.cells, size, b.grid, motion)[0] for size in (half, 2 * half))
        assert first_count + rest == whole


def test_minutiae_are_seen_where_the_other_finger_has_ridges(templates: list[list[Template]]) -> None:
    a, b = templates[0]
    for motion in MOTIONS:
        count, quality = overlap.seen(a.prepared.lanes, b.prepared.grid, motion)
        inside = oracle.inside(a.points, b.frequency, motion)
        assert count == inside.sum()
        assert quality == pytest.approx(a.points[inside, 3].sum(), rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_supporting_pairs_are_each_others_nearest(seed: int) -> None:
    a, b, motion = some(seed, 40, 120.0), some(seed + 50, 45, 120.0), motion_of(7 * seed, 10, 5)
    pairs, scratch = np.empty((40, 3), np.int32), np.empty((2, 48), np.int32)
    lanes_a, lanes_b = in_lanes(a), in_lanes(b)
    count = pairing.mutual(lanes_a, 40, lanes_b, motion, 30.0, candidates.REACH_ANGLE, scratch, pairs)
    partner = oracle.partners(a, b, motion, 30.0)
    assert count > 5
    assert pairs[:count, :2].tolist() == [[i, j] for i, j in enumerate(partner.tolist()) if j >= 0]
    costs = [oracle.residual(a, b, i, j, motion, 30.0) for i, j in pairs[:count, :2].tolist()]
    assert [pairing.cost_of(one) for one in pairs[:count, 2].tolist()] == pytest.approx(costs, abs=1e-4)
    expected = oracle.closeness(a, b, partner, motion)
    assert candidates.closeness(lanes_a, lanes_b, pairs[:count], motion) == pytest.approx(expected, rel=1e-4)


def test_of_minutiae_in_one_place_only_the_first_is_a_partner() -> None:
    a = np.repeat(some(3, 1), 5, axis=0)
    pairs, scratch = np.empty((5, 3), np.int32), np.empty((2, 16), np.int32)
    count = pairing.mutual(in_lanes(a), 5, in_lanes(a), STILL, 30.0, 0.5, scratch, pairs)
    assert pairs[:count].tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_those_of_least_residual_first(seed: int) -> None:
    a, b = some(seed, 50, 200.0), some(seed + 70, 60, 200.0)
    pairs, keys = np.empty((50, 3), np.int32), np.empty(50 * 64 + 1, np.int64)
    x, y, turn = (np.ascontiguousarray(in_lanes(a)[row, :50]) for row in (0, 1, 4))
    row = np.empty(64, np.int32)
    count = pairing.nearest_first(x, y, turn, in_lanes(b), 40.0, candidates.REACH_ANGLE, row, keys, pairs)
    cost = np.array([[oracle.residual(a, b, i, j, STILL, 40.0) for j in range(60)] for i in range(50)])
    assert count > 10
    assert pairs[:count, :2].tolist() == oracle.greedy(cost)


def test_the_fit_recovers_the_motion_of_its_pairs() -> None:
    a, motion = some(9, 20), motion_of(33, 50, 70)
    b = laid(a, motion)
    found = motion_of(28, 55, 60)
    pairs = np.column_stack([np.arange(20), np.arange(20), np.zeros(20)]).astype(np.int32)
    candidates.fit(in_lanes(a), in_lanes(b), pairs, found)
    np.testing.assert_allclose(found, motion, atol=1e-3)


def test_a_finger_that_was_turned_lies_on_itself_first(templates: list[list[Template]]) -> None:
    finger = templates[2][0]
    motion = motion_of(75, 0, 0)
    middle = finger.points[:, :2].mean(axis=0)
    motion[2:] = middle - np.array(oracle.moved(middle[0], middle[1], motion))
    turned = laid(finger.points, motion)
    n = len(turned)
    lanes_a, lanes_b = in_lanes(finger.points), in_lanes(turned)
    found, votes = motions.vote(lanes_a, n, lanes_b, n, np.zeros((n, lanes_b.shape[1]), np.float32))
    nothing, none = np.zeros((3, 3), np.int32), np.empty((0, 2), np.int32)
    best = candidates.choose(lanes_a, n, lanes_b, finger.prepared.cells, nothing, found, votes, none)[0]
    np.testing.assert_allclose(best, motion, atol=0.5)
