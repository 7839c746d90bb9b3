"""The fast LSSR of lists says what the matcher's own says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.abis.fingerprint import lssr
from services.abis.fingerprint.template import Template
from services.abis.search import local, similar

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


def test_similarities_equal_those_of_the_matcher(crowd: list[Person]) -> None:
    for person in crowd[:6]:
        for a, b in zip(person.enrolled, person.probe, strict=True):
            first, second = a.template.cylinders, b.template.cylinders
            expected = lssr.similarities(*first, *second)
            assert np.abs(similar.similarities(*first, *second) - expected).max() < 1e-6


def test_cells_that_neither_knows_make_no_similarity(crowd: list[Person]) -> None:
    bits, valid, usable = crowd[0].enrolled[1].template.cylinders
    assert not similar.similarities(bits, np.zeros_like(valid), usable, bits, valid, usable).any()
    assert not similar.similarities(bits, valid, np.zeros_like(usable), bits, valid, usable).any()
    assert not similar.similarities(bits, valid, usable, bits, valid, np.zeros_like(usable)).any()


def cut(template: Template) -> Template:
    """The finger with so few minutiae that all pairs take part in the relaxation."""
    return replace(template, points=template.points[: local.PAIRS], kind=template.kind[: local.PAIRS])


def test_the_score_of_small_fingers_equals_the_matchers(crowd: list[Person]) -> None:
    for person in crowd[:6]:
        for finger, other in zip(person.enrolled, person.probe, strict=True):
            a, b = cut(finger.template), cut(other.template)
            similarity = lssr.similarities(*a.cylinders, *b.cylinders)
            expected = lssr.relax(similarity, a.points, b.points)[0]
            assert local.scores(a, local.pack([b]))[0] == pytest.approx(expected, abs=1e-4)


def test_another_print_of_the_finger_scores_best_of_all(crowd: list[Person]) -> None:
    packed = local.pack([person.enrolled[1].template for person in crowd])
    best = [int(np.argmax(local.scores(person.probe[1].template, packed))) for person in crowd]
    assert sum(k == found for k, found in enumerate(best)) >= len(crowd) - 2
