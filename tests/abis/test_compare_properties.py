"""Whatever comes in: too little is no evidence, chance does not match, order and turn do not matter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract_pixels
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.template import Template, from_minutiae, minutiae_only
from services.abis.kernels import F64
from services.abis.settings import Settings
from services.common.errors import InvalidArgument

ADJUDICATE = Settings.model_fields["adjudicate_threshold"].default
DUPLICATE = Settings.model_fields["duplicate_threshold"].default
SEEDS = st.integers(0, 2**32 - 1)


def made(x: F64, y: F64, angle: F64, size: int = 300) -> Template:
    """A template of minutiae alone."""
    ones = np.ones(len(x), np.float32)
    turns = np.mod(angle, 2 * np.pi).astype(np.float32)
    found = Minutiae(x.astype(np.float32), y.astype(np.float32), turns, ones.astype(np.uint8), ones)
    return from_minutiae(found, size, size)


def random(seed: int, count: int) -> Template:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 300, (2, count))
    return made(x, y, rng.uniform(0, 2 * np.pi, count))


def turned(template: Template, degrees: float) -> Template:
    """Minutiae of a template after a turn about the middle of a frame that is large enough."""
    x, y, angle = (template.points[:, k].astype(np.float64) for k in range(3))
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    u, v = x - template.width / 2, y - template.height / 2
    return made(c * u + s * v + 350, c * v - s * u + 350, angle + np.radians(degrees), 700)


def cut(template: Template, count: int) -> Template:
    """The best minutiae of a template, with all its fields."""
    return dataclasses.replace(template, points=template.points[:count].copy(), kind=template.kind[:count])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, p.MIN_MINUTIAE - 1), st.integers(0, 5), st.booleans())
def test_a_finger_cut_to_too_few_minutiae_does_not_even_match_itself(
    templates: list[list[Template]], count: int, person: int, bare: bool
) -> None:
    finger = minutiae_only(templates[person][0]) if bare else templates[person][0]
    small = cut(finger, count)
    assert compare(small, finger).score == compare(finger, small).score == 0.0
    assert compare(small, small).score == 0.0 < ADJUDICATE


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(p.MIN_MINUTIAE, 200), st.integers(p.MIN_MINUTIAE, 200))
def test_order_does_not_matter_and_the_answer_stays(seed: int, n: int, m: int) -> None:
    a, b = random(seed, n), random(seed + 1, m)
    found = compare(a, b)
    assert found.score == compare(b, a).score == compare(a, b).score < ADJUDICATE


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 360), st.integers(0, 5))
def test_bare_minutiae_find_their_mate_however_they_are_turned(
    templates: list[list[Template]], degrees: float, person: int
) -> None:
    first, second = (minutiae_only(touch) for touch in templates[person])
    upright = compare(first, second).score
    found = compare(first, turned(second, degrees)).score
    assert found > DUPLICATE
    assert found == pytest.approx(upright, rel=0.35)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 360), st.integers(0, 4))
def test_strangers_stay_strangers_however_they_are_turned(
    templates: list[list[Template]], degrees: float, person: int
) -> None:
    first, other = minutiae_only(templates[person][0]), minutiae_only(templates[person + 1][0])
    assert compare(first, turned(other, degrees)).score < ADJUDICATE


def test_every_minutia_sent_twice_makes_no_stranger_a_match(templates: list[list[Template]]) -> None:
    doubled = [
        dataclasses.replace(
            one[0], points=np.repeat(one[0].points, 2, axis=0), kind=np.repeat(one[0].kind, 2)
        )
        for one in templates
    ]
    for k, finger in enumerate(doubled):
        for other in range(len(templates)):
            score = compare(finger, templates[other][1]).score
            assert (score > ADJUDICATE) == (other == k)


@pytest.mark.parametrize("count", [p.MIN_MINUTIAE, 60, 255])
def test_a_heap_of_minutiae_in_one_place_matches_no_finger(
    templates: list[list[Template]], count: int
) -> None:
    place = np.full(count, 150.0)
    for angle in (np.zeros(count), np.linspace(0, 6, count)):
        heap = made(place, place, angle)
        for person in templates:
            assert compare(heap, person[0]).score < ADJUDICATE
            assert compare(heap, minutiae_only(person[0])).score < ADJUDICATE


def test_minutiae_on_a_lattice_match_no_finger(templates: list[list[Template]]) -> None:
    x, y = (v.ravel().astype(np.float64) for v in np.meshgrid(range(20, 300, 20), range(20, 300, 20)))
    lattice = made(x, y, np.zeros(len(x)))
    for person in templates:
        assert compare(lattice, minutiae_only(person[0])).score < ADJUDICATE


@pytest.mark.slow
def test_ten_thousand_minutiae_are_compared_without_harm(templates: list[list[Template]]) -> None:
    rng = np.random.default_rng(12)
    count = 10_000
    columns = (*rng.uniform(0, 300, (2, count)), rng.uniform(0, 6.28, count), np.ones(count))
    points = np.column_stack(columns).astype(np.float32)
    crowd = dataclasses.replace(
        minutiae_only(templates[0][0]), points=points, kind=np.ones(count, np.uint8), width=300, height=300
    )
    # Such a template has no form in which it could be stored; the kernels take it all the same.
    object.__setattr__(crowd, "digest", 1)
    assert compare(crowd, templates[0][0]).score < ADJUDICATE


@pytest.mark.parametrize("kind", ["black", "white", "grey", "noise", "stripes"])
def test_images_without_a_finger_are_refused_or_match_nothing(
    kind: str, templates: list[list[Template]]
) -> None:
    rng = np.random.default_rng(9)
    flat = {"black": 0, "white": 255, "grey": 128}
    if kind in flat:
        image = np.full((374, 388), flat[kind], np.uint8)
    elif kind == "noise":
        image = rng.integers(0, 256, (374, 388)).astype(np.uint8)
    else:
        image = np.broadcast_to(128 + 100 * np.sin(np.arange(388) * 0.7), (374, 388)).astype(np.uint8)
    try:
        template = extract_pixels(image.copy())
    except InvalidArgument:
        return
    for person in templates:
        assert compare(template, person[0]).score < ADJUDICATE
