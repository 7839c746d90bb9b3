"""What a finger is prepared to for comparisons holds what its template holds."""

from __future__ import annotations

import numpy as np
import pytest

from services.abis.fingerprint import parameters as p
from services.abis.fingerprint import prepared as layout
from services.abis.fingerprint import texture
from services.abis.fingerprint.align import align, pair_up, place
from services.abis.fingerprint.compare import compare, score
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.prepared import FAR, LANES, in_lanes
from services.abis.fingerprint.template import Template, from_minutiae, minutiae_only
from services.abis.kernels import F32, U8
from tests.abis import abis_oracles as oracle


def some_points(seed: int, count: int) -> F32:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (count, 4)) * [250, 300, 2 * np.pi, 1]
    return np.ascontiguousarray(points, dtype=np.float32)


def in_image(signs: U8) -> np.ndarray[tuple[int, ...], np.dtype[np.uint32]]:
    return layout.in_words(np.packbits(signs, axis=1))


def test_lanes_hold_the_minutiae_and_then_nothing_near() -> None:
    points = some_points(1, 37)
    lanes = in_lanes(points)
    assert lanes.shape == (7, 48)
    assert lanes.shape[1] % LANES == 0
    np.testing.assert_allclose(lanes[:2, :37], points.T[:2])
    angle = np.arctan2(lanes[layout.SIN, :37], lanes[layout.COS, :37]) % (2 * np.pi)
    np.testing.assert_allclose(angle, points[:, 2], atol=1e-5)
    np.testing.assert_allclose(lanes[layout.TURN, :37] * 2 * np.pi, points[:, 2], rtol=1e-5)
    np.testing.assert_allclose(lanes[layout.ROOT, :37] ** 2, lanes[layout.QUALITY, :37], rtol=1e-5)
    assert (lanes[:2, 37:] == FAR).all()
    assert (lanes[2:, 37:] == 0).all()


def test_the_grid_tells_direction_and_frequency(templates: list[list[Template]]) -> None:
    finger = templates[1][0]
    inner = finger.prepared.grid[1:-1, 1:-1]
    inside = finger.frequency != 0
    assert ((inner != 0) == inside).all()
    assert (finger.prepared.grid[[0, -1]] == 0).all()
    assert (finger.prepared.grid[:, [0, -1]] == 0).all()
    angle = finger.orientation[inside] * (2 * np.pi / 256)
    np.testing.assert_allclose(((inner & 255) - 128)[inside] / layout.UNIT, np.cos(angle), atol=0.01)
    np.testing.assert_allclose(((inner >> 8 & 255) - 128)[inside] / layout.UNIT, np.sin(angle), atol=0.01)
    log = ((inner >> 16) - 1)[inside] / layout.LOG_UNIT
    np.testing.assert_allclose(log, np.log(finger.frequency[inside].astype(np.float64)), atol=1e-3)


def test_the_cells_are_every_other_one_of_the_ridge_area(templates: list[list[Template]]) -> None:
    finger = templates[1][0]
    cells = finger.prepared.cells
    real = cells[:, cells[0] < FAR]
    i, j = np.nonzero(finger.frequency)
    expected = {(int(y), int(x)) for y, x in zip(i, j, strict=True) if (x + y) % 2 == 0}
    found = [(int(y), int(x)) for x, y in real[:2].T]
    assert set(found) == expected
    assert len(found) == len(expected)
    halves = [(part[0] < FAR).sum() for part in np.split(cells, 2, axis=1)]
    assert 0 <= halves[0] - halves[1] <= 1


def test_blocks_lie_in_the_ridge_area(templates: list[list[Template]]) -> None:
    finger = templates[2][1].prepared
    assert len(finger.blocks) > 20
    for i, j, corners in finger.blocks.tolist():
        x, y = (j + 0.5) * 2 * layout.SIDE, (i + 0.5) * 2 * layout.SIDE
        assert layout.ridges_at(x, y, finger.grid)
        assert 3 <= corners == layout.corners(x, y, finger.grid) <= 4


def test_a_finger_without_texture_has_no_words(templates: list[list[Template]]) -> None:
    bare = minutiae_only(templates[0][0]).prepared
    assert bare.ridges.size == len(bare.blocks) == 0
    other = templates[0][1].prepared
    still = np.array([1.0, 0.0, 0.0, 0.0])
    for one, two in ((bare, other), (other, bare)):
        assert texture.agreement(one.blocks, one.ridges, two.grid, two.ridges, still, np.empty((0, 0))) == 0.0


@pytest.mark.parametrize("degrees", [0, 17, 90, 200, 310])
@pytest.mark.parametrize("middle", [(8.0, 8.0), (31.5, 40.0), (88.0, 72.0)])
def test_a_patch_is_the_image_read_at_turned_places(degrees: int, middle: tuple[float, float]) -> None:
    signs = np.random.default_rng(degrees).integers(0, 2, (80, 96)).astype(np.uint8)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    words, lines = in_image(signs), np.empty(layout.SIDE, np.uint16)
    texture.patch(words.ravel(), words.shape[1], *middle, c, s, lines)
    bits = np.unpackbits(lines.astype(">u2").view(np.uint8)).reshape(16, 16)
    wrong = 0
    for r in range(16):
        for k in range(16):
            u, v = k - 7.5, r - 7.5
            x, y = middle[0] + c * u - s * v, middle[1] + s * u + c * v
            inside = 0 <= x < 96 and 0 <= y < 80
            wrong += bits[r, k] != (signs[int(y), int(x)] if inside else 0)
    # Single precision may put a place on the border of two pixels into either.
    assert wrong <= 6


def test_texture_surface_counts_the_pixels_that_differ_at_every_shift() -> None:
    rng = np.random.default_rng(8)
    signs_a, signs_b = (rng.integers(0, 2, (64, 64)).astype(np.uint8) for _ in range(2))
    a, b = in_image(signs_a), in_image(signs_b)
    reach, shifts = texture.SEARCH, texture.SHIFTS
    lines, shifted = np.empty(16, np.uint16), np.empty(shifts * (16 + shifts), np.uint16)
    surface = np.full(3 * shifts * shifts, 9, np.uint16)
    texture.patch(a.ravel(), a.shape[1], 24.0, 24.0, 1.0, 0.0, lines)
    block = signs_a[16:32, 16:32]
    for left, top in ((20, 24), (13, 9), (27, 31), (3, 3), (45, 45)):
        texture.correlate(b.ravel(), b.shape[1], left, top, lines, shifted, surface, shifts * shifts)
        found = surface[shifts * shifts : 2 * shifts * shifts].reshape(shifts, shifts)
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                expected = oracle.texture_correlation(block, signs_b, left + dx, top + dy)
                assert 1 - found[dy + reach, dx + reach] / 128 == pytest.approx(expected, abs=1e-6)
        assert (found[2 * reach + 1 :] > 256).all()
        assert (found[:, 2 * reach + 1 :] > 256).all()
    assert (surface[: shifts * shifts] == 9).all()
    assert (surface[2 * shifts * shifts :] == 9).all()


def test_ridges_coincide_with_themselves_and_not_with_others(templates: list[list[Template]]) -> None:
    still, rigid = np.array([1.0, 0.0, 0.0, 0.0]), np.empty((0, 0))
    one, two = templates[0][0].prepared, templates[1][0].prepared
    own = texture.agreement(one.blocks, one.ridges, one.grid, one.ridges, still, rigid)
    other = texture.agreement(one.blocks, one.ridges, two.grid, two.ridges, still, rigid)
    assert own > 0.7
    assert other < 0.3


def test_alignment_pairs_what_a_motion_brought_together() -> None:
    a = some_points(5, 30)
    turn, shift = 0.7, np.array([40.0, -25.0])
    c, s = np.cos(turn), np.sin(turn)
    b = a.copy()
    b[:, 0] = c * a[:, 0] + s * a[:, 1] + shift[0]
    b[:, 1] = -s * a[:, 0] + c * a[:, 1] + shift[1]
    b[:, 2] = (a[:, 2] + turn) % (2 * np.pi)
    rigid = np.array([c, s, *shift])
    field, found, closeness = align(in_lanes(a), 30, in_lanes(b), rigid, 400.0, 400.0)
    assert {tuple(pair) for pair in found.tolist()} == {(k, k) for k in range(30)}
    assert closeness.min() > 0.99
    assert place(10.0, 20.0, rigid, field) == pytest.approx(
        (c * 10 + s * 20 + shift[0], -s * 10 + c * 20 + shift[1]), abs=0.05
    )


def test_each_minutia_is_paired_at_most_once() -> None:
    a, b = in_lanes(some_points(6, 50)), in_lanes(some_points(7, 60))
    row, keys = np.empty(64, np.int32), np.empty(50 * 64 + 1, np.int64)
    placed, pairs = np.empty((3, 50), np.float32), np.empty((50, 3), np.int32)
    still = np.array([1.0, 0.0, 0.0, 0.0])
    count = pair_up(a, 50, b, still, np.empty((0, 0)), 3.0, row, keys, placed, pairs)
    assert count > 5
    assert len(set(pairs[:count, 0].tolist())) == len(set(pairs[:count, 1].tolist())) == count


def test_the_score_alone_is_the_score_of_the_comparison(templates: list[list[Template]]) -> None:
    bare = minutiae_only(templates[0][1])
    for other in (templates[0][1], templates[3][0], bare):
        assert score(templates[0][0], other) == compare(templates[0][0], other).score
        assert score(templates[0][0], other) == score(other, templates[0][0])


def test_no_more_minutiae_are_compared_than_an_index_can_name() -> None:
    x, y, angle, quality = some_points(4, 255).T.copy()
    crowd = from_minutiae(Minutiae(x, y, angle, np.ones(255, np.uint8), quality), 300, 300)
    assert len(crowd.prepared.points) == len(crowd.prepared.usable) == layout.MOST < 256
    assert layout.MOST > p.MAX_MINUTIAE
