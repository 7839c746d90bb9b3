"""The index of words finds who shares words of codes, and a search by it finds who a scan finds."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.abis.finger import UNKNOWN
from services.abis.search import codes, index, tail, words
from services.abis.search.index import SearchIndex
from services.abis.search.parameters import FULL_CODES, HOT_CODES
from services.abis.search.probe import prepare, word_codes
from services.abis.search.segment import side_by_side
from services.abis.search.tail import repeated
from services.common.crypto import KeyRing

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


def naive(gallery: list[tuple[int, list[int]]], asked: list[list[int]], persons: int) -> Counter[int]:
    """Votes by owner: for each code and asked value that agree in a word, the more the rarer it is."""
    found = [
        (owner, word, code >> (16 * word) & 0xFFFF)
        for owner, own in gallery
        for code in own
        for word in range(words.WORDS)
    ]
    often = Counter((word, value) for _, word, value in found)
    votes: Counter[int] = Counter()
    for owner, word, value in found:
        # So many others would have it of 65,536 persons.
        many = (often[word, value] - 1) * 65_536 // persons
        votes[owner] += asked[word].count(value) * max(8 - max(many.bit_length() - 1, 0), 1)
    return votes


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([9, 3_000, 65_536]))
def test_votes_are_agreements_of_words(seed: int, fingers: int, persons: int) -> None:
    rng = np.random.default_rng(seed)
    # Few values, so that there is something to agree on, and codes that are there several times.
    some = rng.integers(0, 2**64, 20, dtype=np.uint64)
    own = [rng.choice(some, rng.integers(1, HOT_CODES + 1), replace=False) for _ in range(fingers)]
    owners = np.full(-(-fingers // 8) * 8, -1, np.int32)
    owners[:fingers] = rng.integers(0, 9, fingers)
    laid = np.zeros((owners.size, HOT_CODES), np.uint64)
    laid[:fingers] = [repeated(one, HOT_CODES) for one in own]
    made = words.tables(side_by_side(laid), owners)
    probe = rng.choice(some, 3, replace=False)
    asked = np.array([[int(code) >> (16 * w) & 0xFFFF for code in probe] for w in range(4)], np.uint16)
    votes = np.zeros(persons, np.uint16)
    words.vote(made.starts, made.owners, asked, votes)
    gallery = [(int(o), [int(c) for c in one]) for o, one in zip(owners, own, strict=False)]
    expected = naive(gallery, asked.tolist(), persons)
    assert votes.tolist() == [expected[person] for person in range(persons)]


def test_a_word_is_asked_for_with_every_combination_of_its_least_certain_bits(crowd: list[Person]) -> None:
    book = codes.default()
    sums = codes.projections(crowd[0].enrolled[0].template, book)[:5]
    own = codes.signs(sums).tolist()
    assert own == codes.encode(crowd[0].enrolled[0].template, book)[:5].tolist()
    asked = words.asked(sums, book.scale).reshape(words.WORDS, 5, 8)
    share = np.abs(sums) / np.linalg.norm(book.weights.astype(float), axis=0)
    for word, code in itertools.product(range(words.WORDS), range(5)):
        least = np.argsort(share[code, 16 * word : 16 * word + 16])[:3].tolist()
        expected = [
            (own[code] >> (16 * word) & 0xFFFF)
            ^ sum(1 << bit for k, bit in enumerate(least) if turned >> k & 1)
            for turned in range(8)
        ]
        assert asked[word, code].tolist() == expected


@pytest.mark.parametrize(("fingers", "each"), [(10, 16), (8, 20), (4, FULL_CODES)])
def test_fewer_fingers_ask_for_more_words_of_each(fingers: int, each: int) -> None:
    assert word_codes(fingers) == each


@pytest.fixture
def both(
    crowd: list[Person], tmp_path: Path, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> tuple[SearchIndex, SearchIndex]:
    """The same crowd, scanned and with an index of words, in sealed segments but for the last few."""
    monkeypatch.setattr(tail, "SEGMENT_PERSONS", 7)
    made = tuple(SearchIndex.open(tmp_path / str(words), keys, words=words) for words in (False, True))
    for opened in made:
        for sequence, person in enumerate(crowd, 1):
            opened.insert(person.name, person.enrolled, sequence)
        opened.checkpoint()
    return made  # type: ignore[return-value]


def test_votes_find_whom_a_scan_finds(
    both: tuple[SearchIndex, SearchIndex], crowd: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    scan, by_words = both
    monkeypatch.setattr(index, "SECOND_PASS", 50)
    for person in crowd:
        assert by_words.search(person.probe, 1)[0].subject == person.name
        assert by_words.search(person.probe, 1) == scan.search(person.probe, 1)
        # Too few fingers, or one of unknown position: everybody's codes are compared.
        few = person.probe[:4]
        assert by_words.search(few, 5) == scan.search(few, 5)
    for opened in both:
        opened.close()


def test_votes_rank_mates_before_strangers(
    both: tuple[SearchIndex, SearchIndex], crowd: list[Person]
) -> None:
    _, by_words = both
    first = 0
    for person in crowd:
        probe = prepare(person.probe, codes.default())
        assert all(finger.position != UNKNOWN for finger in probe)
        sealed = [one for one in by_words.first_pass([probe], 100).segments if one.tables is not None]
        assert len(sealed) == 3
        for segment in sealed:
            votes = segment.votes(probe)
            names = [segment.names.get(k) for k in range(segment.persons)]
            first += person.name in names and names[int(votes.argmax())] == person.name
    # The last three are in the tail, which is scanned.
    assert first >= 20
    for opened in both:
        opened.close()


def test_the_deleted_get_no_votes_and_a_restart_has_the_index_again(
    both: tuple[SearchIndex, SearchIndex], crowd: list[Person], tmp_path: Path, keys: KeyRing
) -> None:
    _, by_words = both
    by_words.delete(crowd[0].name, 100)
    assert crowd[0].name not in [c.subject for c in by_words.search(crowd[0].probe, 50)]
    by_words.checkpoint()
    for opened in both:
        opened.close()
    again = SearchIndex.open(tmp_path / "True", keys, words=True)
    assert crowd[0].name not in [c.subject for c in again.search(crowd[0].probe, 50)]
    probe = prepare(crowd[1].probe, codes.default())
    assert sum(s.tables is not None for s in again.first_pass([probe], 1).segments) == 3
    assert again.search(crowd[1].probe, 1)[0].subject == crowd[1].name
    again.close()
