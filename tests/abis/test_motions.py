"""How one finger lies on another: the kernels against their readable twins, and motions that were made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.abis.fingerprint import align, candidates, field, motions
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
    found = field.displacements(a, b, pairs, motion, 352.0, 320.0)
    for r in range(found.shape[0]):
        for c in range(found.shape[1] // 2):
            x, y = c * field.NODE - field.MARGIN, r * field.NODE - field.MARGIN
            expected = oracle.displacement(a, b, pairs, motion, x, y)
            assert found[r, 2 * c : 2 * c + 2] == pytest.approx(expected, abs=1e-3)


def test_between_the_nodes_the_field_is_near_its_definition() -> None:
    a, motion = some(2, 15), motion_of(-50, 120, 10)
    b = laid(a, motion) + np.random.default_rng(3).normal(0, 4, (15, 4)).astype(np.float32) * [1, 1, 0, 0]
    pairs = np.column_stack([np.arange(15), np.arange(15)]).astype(np.int32)
    made = field.displacements(a, b.astype(np.float32), pairs, motion, 352.0, 320.0)
    for x, y in some(4, 40)[:, :2].astype(np.float64).tolist():
        rigid = oracle.moved(x, y, motion)
        dx, dy = oracle.displacement(a, b.astype(np.float32), pairs, motion, *rigid)
        if -field.MARGIN < rigid[0] < 352 + field.MARGIN and -field.MARGIN < rigid[1] < 320 + field.MARGIN:
            assert field.place(x, y, motion, made) == pytest.approx((rigid[0] + dx, rigid[1] + dy), abs=0.5)


def test_smoothed_votes_are_those_of_the_twin() -> None:
    raw = np.random.default_rng(5).integers(0, 90, (8, 9, 11))
    padded = np.zeros((10, 11, 13), np.uint16)
    padded[1:-1, 1:-1, 1:-1] = raw
    # What lies in the frame is outside and must not come in.
    padded[:, 0], padded[:, :, 0] = 7, 7
    assert (motions.smooth(padded)[1:-1, 1:-1, 1:-1] == oracle.smoothed(raw.astype(np.float64))).all()


def test_the_first_motion_is_the_bin_of_most_votes() -> None:
    a, b = some(6, 25), some(7, 30)
    similarity = np.random.default_rng(8).uniform(0, 0.7, (25, 30)).astype(np.float32)
    found, votes = motions.vote(a, b, similarity, 304.0, 304.0)
    expected = oracle.smoothed(oracle.votes(a, b, similarity, 304.0, 304.0))
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
    found, _ = motions.vote(a, b, np.zeros((30, 30), np.float32), 304.0, 304.0)
    there = np.array([oracle.moved(centre[0], centre[1], one) for one in found])
    near = np.hypot(*(there - centre - np.array([x, y])).T) < 2 * motions.BIN
    turn = np.abs(np.angle((found[:, 0] + 1j * found[:, 1]) / (motion[0] + 1j * motion[1])))
    assert (near & (turn < 2 * 2 * np.pi / motions.TURNS)).any()


def test_directions_agree_as_the_twin_says(templates: list[list[Template]]) -> None:
    a, b = templates[0][0], templates[0][1]
    cells = candidates.sampled_cells(a.orientation, a.frequency)
    other = candidates.framed(b.orientation, b.frequency)
    for motion in (STILL, motion_of(14, -20, 33), motion_of(200, 350, 340)):
        expected = oracle.same_way(a.orientation, a.frequency, b.orientation, b.frequency, motion)
        assert candidates.same_way(cells, other, motion, 1)[1] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_supporting_pairs_are_each_others_nearest(seed: int) -> None:
    a, b, motion = some(seed, 40), some(seed + 50, 45), motion_of(30 * seed, 10, 5)
    partner, cost = np.empty(40, np.int64), np.empty(40)
    candidates.support(a, b, *align.nearby(b, 20), motion, 30.0, partner, cost)
    assert partner.tolist() == oracle.partners(a, b, motion, 30.0).tolist()
    expected = oracle.closeness(a, b, partner, motion)
    assert candidates.closeness(a, b, partner, motion) == pytest.approx(expected, rel=1e-4)


def test_the_fit_recovers_the_motion_of_its_pairs() -> None:
    a, motion = some(9, 20), motion_of(33, 50, 70)
    b = laid(a, motion)
    found = motion_of(28, 55, 60)
    candidates.fit(a, b, np.arange(20), np.zeros(20), found)
    np.testing.assert_allclose(found, motion, atol=1e-3)


def test_a_finger_that_was_turned_lies_on_itself_first(templates: list[list[Template]]) -> None:
    finger = templates[2][0]
    motion = motion_of(75, 0, 0)
    middle = finger.points[:, :2].mean(axis=0)
    motion[2:] = middle - np.array(oracle.moved(middle[0], middle[1], motion))
    turned = laid(finger.points, motion)
    found, votes = motions.vote(finger.points, turned, np.zeros((len(turned),) * 2, np.float32), 400.0, 400.0)
    order, start = align.nearby(turned, 30)
    nothing = np.full((3, 3), -1, np.int32)
    cells = np.zeros((1, 3), np.int32)
    none = np.empty((0, 2), np.int32)
    best = candidates.choose(finger.points, turned, order, start, cells, nothing, found, votes, none)[0]
    np.testing.assert_allclose(best, motion, atol=0.5)
