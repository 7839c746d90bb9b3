"""The comparison: mates score high, strangers low, and the order, the turn and chance do not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract_pixels
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.template import Template, from_minutiae, minutiae_only
from services.abis.kernels import U8
from services.abis.settings import Settings
from services.common.errors import InvalidArgument

ADJUDICATE = Settings.model_fields["adjudicate_threshold"].default
DUPLICATE = Settings.model_fields["duplicate_threshold"].default


def random_template(seed: int, count: int) -> Template:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 300, (2, count)).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    kind = rng.integers(1, 3, count).astype(np.uint8)
    return from_minutiae(Minutiae(x, y, angle, kind, np.ones(count, np.float32)), 300, 300)


def test_two_prints_of_one_finger_are_a_duplicate(templates: list[list[Template]]) -> None:
    assert min(compare(first, second).score for first, second in templates) > DUPLICATE


def test_prints_of_different_fingers_do_not_come_near(templates: list[list[Template]]) -> None:
    flat = [(person, template) for person, pair in enumerate(templates) for template in pair]
    strangers = [compare(a, b).score for p1, a in flat for p2, b in flat if p1 < p2]
    assert max(strangers) < ADJUDICATE


def test_the_order_of_the_two_does_not_matter(templates: list[list[Template]]) -> None:
    for a, b in ((templates[0][0], templates[0][1]), (templates[0][0], templates[3][1])):
        there, back = compare(a, b), compare(b, a)
        assert there.score == back.score
        assert (there.pairs == back.pairs[:, ::-1]).all()


def test_the_same_comparison_gives_the_same_score(templates: list[list[Template]]) -> None:
    assert len({compare(templates[1][0], templates[1][1]).score for _ in range(5)}) == 1


@pytest.mark.parametrize("degrees", [30, 90, 145, 180, 270])
def test_turning_the_finger_does_not_matter(prints: list[list[U8]], degrees: int) -> None:
    turned = Image.fromarray(prints[0][1]).rotate(
        degrees, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC
    )
    template = extract_pixels(np.array(turned))
    upright = compare(extract_pixels(prints[0][0]), extract_pixels(prints[0][1])).score
    assert compare(extract_pixels(prints[0][0]), template).score > max(DUPLICATE, 0.5 * upright)


def test_pairs_name_minutiae_that_lie_on_each_other(templates: list[list[Template]]) -> None:
    a, b = templates[0]
    found = compare(a, b)
    assert len(found.pairs) >= 8
    turn = np.angle(np.exp(1j * (b.points[found.pairs[:, 1], 2] - a.points[found.pairs[:, 0], 2])).mean())
    c, s = np.cos(turn), np.sin(turn)
    at = a.points[found.pairs[:, 0], :2] @ np.array([[c, -s], [s, c]])
    residual = b.points[found.pairs[:, 1], :2] - at
    assert np.median(np.hypot(*(residual - np.median(residual, axis=0)).T)) < 12


def test_a_template_of_minutiae_alone_still_finds_its_mate(templates: list[list[Template]]) -> None:
    assert compare(minutiae_only(templates[0][0]), minutiae_only(templates[0][1])).score > ADJUDICATE
    assert compare(minutiae_only(templates[0][0]), templates[0][1]).score > ADJUDICATE


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, p.MIN_MINUTIAE - 1), st.integers(0, 60))
def test_too_few_minutiae_are_no_evidence(seed: int, few: int, many: int) -> None:
    small = random_template(seed, few)
    assert compare(small, small).score == 0.0
    assert compare(small, random_template(seed + 1, many)).score == 0.0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(p.MIN_MINUTIAE, 120), st.integers(p.MIN_MINUTIAE, 120))
def test_random_minutiae_never_match(seed: int, n: int, m: int) -> None:
    assert compare(random_template(seed, n), random_template(seed + 1, m)).score < ADJUDICATE


def test_noise_does_not_match_noise_or_a_finger(templates: list[list[Template]]) -> None:
    rng = np.random.default_rng(11)
    noise: list[Template] = []
    refused = 0
    for grain in (4, 5, 6, 7):
        coarse = rng.normal(size=(300 // grain, 300 // grain)).repeat(grain, axis=0).repeat(grain, axis=1)
        grey = np.clip(128 + 60 * coarse + rng.normal(0, 20, coarse.shape), 0, 255).astype(np.uint8)
        try:
            noise.append(extract_pixels(grey))
        except InvalidArgument:
            refused += 1
    assert refused + len(noise) == 4
    pairs = [(a, b) for k, a in enumerate(noise) for b in [*noise[:k], templates[0][0], templates[1][0]]]
    assert all(compare(a, b).score < ADJUDICATE for a, b in pairs)


def test_many_coinciding_minutiae_do_not_match_everything(templates: list[list[Template]]) -> None:
    ones = np.ones(60, np.float32)
    heap = from_minutiae(Minutiae(150 * ones, 150 * ones, 0 * ones, ones.astype(np.uint8), ones), 300, 300)
    for person in templates:
        assert compare(heap, person[0]).score < ADJUDICATE
