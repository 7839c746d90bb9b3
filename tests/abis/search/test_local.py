"""The fast LSSR of lists says what the matcher's own says."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.abis.fingerprint import lssr, similar
from services.abis.fingerprint.template import Template
from services.abis.search import local, path

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


def test_similarities_equal_those_of_the_matcher(crowd: list[Person]) -> None:
    for person in crowd[:6]:
        for a, b in zip(person.enrolled, person.probe, strict=True):
            first, second = a.template.cylinders, b.template.cylinders
            expected = lssr.similarities(*first, *second)
            assert np.abs(similar.similarities(*first, *second) - expected).max() < 1e-6


PATHS = {"plain": ("generic", ""), "avx2": ("haswell", "+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+popcnt")}
"""Processor and features for which kernels are compiled, by the name of the path."""


@pytest.mark.parametrize("name", PATHS)
def test_every_processor_computes_the_same_similarities_to_the_last_bit(
    name: str, crowd: list[Person], tmp_path: Path
) -> None:
    if name not in path.available():
        pytest.skip(f"This processor has no {name}.")
    cylinders = crowd[0].enrolled[1].template.cylinders, crowd[0].probe[1].template.cylinders
    expected = similar.similarities(*cylinders[0], *cylinders[1])
    assert np.count_nonzero(expected) > 100
    np.savez(tmp_path / "given.npz", *(array for finger in cylinders for array in finger))
    # Only the module itself is imported there: everything imported is compiled for that processor.
    script = (
        "import sys, numpy; from services.abis.fingerprint.similar import similarities; "
        "given = numpy.load(sys.argv[1]); "
        "sys.stdout.buffer.write(similarities(*(given[name] for name in given.files)).tobytes())"
    )
    processor, features = PATHS[name]
    environment = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": features}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", script, str(tmp_path / "given.npz")]
    found = subprocess.run(command, env=os.environ | environment, capture_output=True, check=True)
    assert found.stdout == expected.tobytes()


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
