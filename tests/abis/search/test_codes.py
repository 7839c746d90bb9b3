"""Codes follow from the template alone, in whole numbers, and say nothing where there is nothing to say."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.codes import held_out
from services.abis.fingerprint.template import Template
from services.abis.search import codes
from services.abis.search.parameters import FULL_CODES, MIN_CODES, THRESHOLD_SD
from services.abis.search.probe import arrangements, first_codes, from_codes, prepare

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


def naive(template: Template, book: codes.Codebook) -> list[int]:
    """Sign of (cells - mean) @ weights - offset over the valid cells, in Python's own integers."""
    bits, valid, _ = template.cylinders
    ones = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little").astype(np.int64)
    known = np.unpackbits(valid.view(np.uint8), axis=1, bitorder="little").astype(np.int64)
    values = (ones * codes.MEAN_UNIT - book.mean.astype(np.int64)) * np.tile(known, (1, 5))
    sums = values @ book.weights.astype(np.int64) - book.offset
    return [sum(int(s > 0) << d for d, s in enumerate(row)) for row in sums[codes.ranked(template)]]


def test_a_code_is_the_signs_of_the_projected_cylinder(crowd: list[Person]) -> None:
    book = codes.default()
    for finger in crowd[0].enrolled[:3]:
        expected = naive(finger.template, book)[:FULL_CODES]
        assert codes.encode(finger.template, book).tolist() == expected


def test_prints_of_one_finger_have_nearer_codes_than_prints_of_two(crowd: list[Person]) -> None:
    book = codes.default()

    def nearest(a: Template, b: Template) -> float:
        first, second = codes.encode(a, book), codes.encode(b, book)
        if not first.size or not second.size:
            return 32.0
        return float(np.bitwise_count(first[:, None] ^ second[None]).min(axis=1).mean())

    own = [nearest(p.enrolled[1].template, p.probe[1].template) for p in crowd]
    other = [nearest(p.enrolled[1].template, q.probe[1].template) for p, q in itertools.pairwise(crowd)]
    assert np.median(own) < np.min(other)


def test_a_finger_with_few_cylinders_has_no_codes_and_searches_for_nobody(crowd: list[Person]) -> None:
    finger = crowd[0].enrolled[0]
    few = replace(
        finger.template, points=finger.template.points[: MIN_CODES - 1], kind=finger.template.kind[:3]
    )
    assert codes.encode(few, codes.default()).size == 0
    assert prepare([replace(finger, template=few)], codes.default()) == []


def test_a_code_book_says_where_it_comes_from() -> None:
    about = codes.default().provenance
    assert {"script", "seed", "sets", "held_out"} <= set(about)


def test_held_out_code_books_never_saw_the_set_they_are_for() -> None:
    books = held_out()
    assert set(books) == set(codes.default().provenance["sets"])
    for name, book in books.items():
        assert name not in book.provenance["sets"]


@pytest.mark.parametrize(
    ("declared", "orders"),
    [
        ([0], {(0,)}),
        ([2], {(2,), (7,)}),
        ([5, 6], {(5, 6), (6, 5), (10, 1), (1, 10)}),
        ([1, 2, 3], {(1, 2, 3), (2, 1, 3), (3, 2, 1), (1, 3, 2), (6, 7, 8), (7, 6, 8), (8, 7, 6), (6, 8, 7)}),
        ([1, 2, 3, 0], {(1, 2, 3, 0), (6, 7, 8, 0)}),
    ],
)
def test_positions_may_have_been_mixed_up_in_so_many_ways(
    declared: list[int], orders: set[tuple[int, ...]]
) -> None:
    fingers = [
        from_codes(position, np.arange(5, dtype=np.uint64), codes.default(), 8) for position in declared
    ]
    found = [tuple(finger.position for finger in order) for order in arrangements(fingers)]
    assert found[0] == tuple(declared)
    assert set(found) == orders
    assert len(found) == len(orders)


def test_thresholds_lie_below_the_distances_to_strangers(crowd: list[Person]) -> None:
    book = codes.default()
    own = codes.encode(crowd[0].enrolled[0].template, book)
    distance = np.bitwise_count(own[:, None] ^ book.background[None]).astype(np.float64)
    expected = np.maximum(np.round(distance.mean(axis=1) - THRESHOLD_SD * distance.std(axis=1)), 0.0)
    assert codes.thresholds(own, book).tolist() == expected.astype(int).tolist()


def test_codes_are_filled_up_with_limits_that_nothing_falls_below() -> None:
    finger = from_codes(3, np.arange(5, dtype=np.uint64), codes.default(), 8)
    assert finger.codes.size == 8
    assert finger.limits[5:].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("fingers", "each"), [(1, 36), (2, 36), (4, 20), (5, 16), (8, 8), (10, 8), (20, 8)])
def test_fewer_fingers_use_more_codes_of_each(fingers: int, each: int) -> None:
    assert first_codes(fingers) == each
