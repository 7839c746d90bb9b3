"""What the comparison of extractors is built from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import datasets, extractors
from services.abis.kernels import U8


@pytest.fixture(scope="module")
def seen(prints: list[list[U8]]) -> list[extractors.Seen]:
    """Both prints of two people."""
    return [
        extractors._seen(datasets.Sample(Path("none"), "", str(k), "2", str(m), 500.0), touch)
        for k, person in enumerate(prints[:2])
        for m, touch in enumerate(person)
    ]


def test_all_extractors_find_much_the_same_minutiae(seen: list[extractors.Seen]) -> None:
    for one in seen:
        ours = extractors.own(one.pixels, one.seen).take(np.arange(20))
        theirs = extractors.mindtct_enhanced(one.pixels, one.seen)
        apart = np.hypot(ours.x[:, None] - theirs.x, ours.y[:, None] - theirs.y)
        turned = np.cos(ours.angle[:, None] - theirs.angle)
        assert ((apart < 10) & (turned > 0.8)).any(axis=1).mean() > 0.7
        assert len(extractors.mindtct_raw(one.pixels, one.seen)) > 10


def test_the_own_minutiae_give_the_own_template(seen: list[extractors.Seen]) -> None:
    for one in seen:
        again = extractors._with(one.template, extractors.own(one.pixels, one.seen))
        assert (again.points == one.template.points).all()


def test_a_finger_drawn_twice_counts_with_all_its_pairs(seen: list[extractors.Seen]) -> None:
    pairs = extractors.Prints("two", seen, [extractors.own(one.pixels, one.seen) for one in seen])
    assert pairs.genuine.sum() == 2
    # The first finger is missed, the second found; no stranger comes near.
    score = np.where(pairs.genuine, np.where(pairs.pairs[0] == 0, -5.0, 9.0), 0.0)
    assert extractors._rates(pairs, score, np.ones(0))[1] == 0.5
    assert extractors._rates(pairs, score, np.array([1.0, 3.0]))[1] == 0.25


def test_cut_prints_are_ten_millimetres_square(seen: list[extractors.Seen]) -> None:
    cut = extractors._cut(seen[0], np.random.default_rng(1))
    assert cut is not None
    assert cut.pixels.shape == (extractors.PART, extractors.PART)
    assert len(cut.template) < len(seen[0].template)
