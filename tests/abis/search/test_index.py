"""The index finds who was inserted and forgets who was deleted."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.abis.search import index, tail
from services.abis.search.index import SearchIndex
from services.common.crypto import KeyRing
from services.common.errors import AlreadyExists

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


def test_everybody_is_found_first_by_another_print(full: SearchIndex, crowd: list[Person]) -> None:
    assert [full.search(person.probe, 1)[0].subject for person in crowd] == [p.name for p in crowd]


def test_two_fingers_in_any_order_are_enough(full: SearchIndex, crowd: list[Person]) -> None:
    found = [full.search([person.probe[6], person.probe[1]], 1)[0].subject for person in crowd]
    assert sum(name == person.name for name, person in zip(found, crowd, strict=True)) >= len(crowd) - 2


def test_fingers_of_unknown_position_are_found_on_either_side(
    empty: SearchIndex, crowd: list[Person]
) -> None:
    for sequence, person in enumerate(crowd, 1):
        known = sequence % 2
        empty.insert(
            person.name, [replace(f, position=f.position * known) for f in person.enrolled], sequence
        )
    for person in crowd:
        assert empty.search([replace(f, position=0) for f in person.probe], 1)[0].subject == person.name
        assert empty.search(person.probe, 1)[0].subject == person.name


def test_swapped_hands_are_found_when_asked_for(full: SearchIndex, crowd: list[Person]) -> None:
    person = crowd[5]
    swapped = [replace(f, position=(f.position + 4) % 10 + 1) for f in person.probe]
    straight = {found.subject: found.score for found in full.search(swapped, 100)}
    assert full.search(swapped, 1, exchanged=True)[0].subject == person.name
    assert full.search(swapped, 1, exchanged=True)[0].score > 3 * straight.get(person.name, 0)


def test_a_finger_is_not_compared_with_another_position(full: SearchIndex, crowd: list[Person]) -> None:
    thumb = crowd[3].probe[0]
    right = {c.subject: c.score for c in full.search([thumb], 100)}
    wrong = {c.subject: c.score for c in full.search([replace(thumb, position=2)], 100)}
    assert right[crowd[3].name] > wrong.get(crowd[3].name, 0)


def test_a_search_without_usable_fingers_finds_nobody(full: SearchIndex) -> None:
    assert full.search([], 10) == []


def test_a_search_in_an_empty_index_finds_nobody(empty: SearchIndex, crowd: list[Person]) -> None:
    assert empty.search(crowd[0].probe, 10) == []


def test_the_deleted_are_not_found_and_may_come_back(full: SearchIndex, crowd: list[Person]) -> None:
    person = crowd[2]
    full.delete(person.name, 100)
    assert person.name not in [c.subject for c in full.search(person.probe, 100)]
    assert full.persons() == len(crowd) - 1
    full.insert(person.name, person.enrolled, 101)
    assert full.search(person.probe, 1)[0].subject == person.name


def test_changes_that_were_seen_are_ignored(full: SearchIndex, crowd: list[Person]) -> None:
    before = full.sequence
    full.insert("late", crowd[0].enrolled, before)
    full.delete(crowd[0].name, before)
    assert full.persons() == len(crowd)
    assert full.search(crowd[0].probe, 1)[0].subject == crowd[0].name


def test_a_subject_cannot_be_there_twice(full: SearchIndex, crowd: list[Person]) -> None:
    with pytest.raises(AlreadyExists):
        full.insert(crowd[0].name, crowd[0].enrolled, 1000)


@pytest.mark.usefixtures("small_segments")
def test_segments_change_no_answer(
    full: SearchIndex, crowd: list[Person], tmp_path: Path, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "SEGMENT_PERSONS", 10_000)
    whole = SearchIndex.open(tmp_path / "whole", keys)
    for sequence, person in enumerate(crowd, 1):
        whole.insert(person.name, person.enrolled, sequence)
    for person in crowd[:6]:
        assert full.search(person.probe[:2], 50) == whole.search(person.probe[:2], 50)
    whole.close()


@pytest.mark.usefixtures("small_segments")
def test_searches_run_while_people_come_and_go(empty: SearchIndex, crowd: list[Person]) -> None:
    first = crowd[0]
    empty.insert(first.name, first.enrolled, 1)
    done, wrong = threading.Event(), []

    def keep_searching() -> None:
        while not done.is_set():
            found = empty.search(first.probe, 3)
            if not found or found[0].subject != first.name:
                wrong.append(found)

    threads = [threading.Thread(target=keep_searching) for _ in range(2)]
    for thread in threads:
        thread.start()
    sequence = 1
    for round_ in range(6):
        for person in crowd[1:]:
            sequence += 1
            empty.insert(f"{person.name}-{round_}", person.enrolled, sequence)
        for person in crowd[1::2]:
            sequence += 1
            empty.delete(f"{person.name}-{round_}", sequence)
        empty.checkpoint()
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert empty.persons() == 1 + 6 * (len(crowd) - 1 - len(crowd[1::2]))


def test_the_second_pass_hands_on_no_more_than_was_asked_for(full: SearchIndex, crowd: list[Person]) -> None:
    assert len(full.search(crowd[0].probe, 3)) == 3
    assert [index.second_pass_persons(k) for k in (0, 1, 4, 10)] == [20_000, 20_000, 5_000, 1_000]
