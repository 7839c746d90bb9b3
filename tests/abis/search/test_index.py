"""The index finds who was inserted, forgets who was deleted, and comes back from disk as it was."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.abis.finger import Finger
from services.abis.search import cascade, codes, index, tail
from services.abis.search.index import SearchIndex
from services.common.errors import AlreadyExists, DataLoss

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[SearchIndex]:
    opened = SearchIndex.open(tmp_path / "index")
    yield opened
    opened.close()


@pytest.fixture
def full(empty: SearchIndex, crowd: list[Person]) -> SearchIndex:
    for sequence, person in enumerate(crowd, 1):
        empty.insert(person.name, person.enrolled, sequence)
    return empty


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "SEGMENT_PERSONS", 7)


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
    assert full.search(swapped, 1, swapped_hands=True)[0].subject == person.name
    assert full.search(swapped, 1, swapped_hands=True)[0].score > 3 * straight.get(person.name, 0)


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
    full: SearchIndex, crowd: list[Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "SEGMENT_PERSONS", 10_000)
    whole = SearchIndex.open(tmp_path / "whole")
    for sequence, person in enumerate(crowd, 1):
        whole.insert(person.name, person.enrolled, sequence)
    for person in crowd[:6]:
        assert full.search(person.probe[:2], 50) == whole.search(person.probe[:2], 50)
    whole.close()


@pytest.mark.usefixtures("small_segments")
def test_a_restart_maps_what_the_checkpoint_wrote(
    full: SearchIndex, crowd: list[Person], tmp_path: Path
) -> None:
    full.delete(crowd[1].name, 100)
    full.delete(crowd[-1].name, 101)
    full.checkpoint()
    again = SearchIndex.open(tmp_path / "index")
    assert (again.sequence, again.persons()) == (101, len(crowd) - 2)
    for person in crowd:
        assert again.search(person.probe, 50) == full.search(person.probe, 50)
    # It goes on from there, segment by segment.
    for sequence, person in enumerate(crowd, 200):
        again.insert(f"{person.name}-twin", person.enrolled, sequence)
    again.delete(crowd[4].name, 300)
    again.checkpoint()
    third = SearchIndex.open(tmp_path / "index")
    assert third.search(crowd[4].probe, 1)[0].subject == f"{crowd[4].name}-twin"
    assert third.persons() == 2 * len(crowd) - 3
    for opened in (again, third):
        opened.close()


@pytest.mark.usefixtures("small_segments")
def test_what_an_interrupted_checkpoint_left_does_not_count(
    full: SearchIndex, crowd: list[Person], tmp_path: Path
) -> None:
    full.checkpoint()
    folder, before = tmp_path / "index", tmp_path / "before"
    shutil.copy(folder / "manifest.json", before)
    kept = {entry.name for entry in folder.iterdir()}
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    full.delete(crowd[0].name, 100)
    full.checkpoint()
    # A crash before the manifest was replaced: the old parts and the new ones, under the old manifest.
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    shutil.copy(before, copy / "manifest.json")
    again = SearchIndex.open(copy)
    assert again.sequence == len(crowd)
    assert again.search(crowd[0].probe, 1)[0].subject == crowd[0].name
    again.delete(crowd[0].name, 100)
    again.checkpoint()
    assert {entry.name for entry in copy.iterdir()} != kept
    assert len(list(copy.iterdir())) == len(list(folder.iterdir()))
    again.close()


def test_a_damaged_index_says_so(full: SearchIndex, tmp_path: Path) -> None:
    full.checkpoint()
    victim = next((tmp_path / "index").glob("*tail*")) / "first.npy"
    victim.write_bytes(victim.read_bytes()[:40])
    with pytest.raises(DataLoss):
        SearchIndex.open(tmp_path / "index")
    (tmp_path / "index" / "manifest.json").write_text("{")
    with pytest.raises(DataLoss):
        SearchIndex.open(tmp_path / "index")


def test_codes_of_another_code_book_are_not_searched(
    full: SearchIndex, crowd: list[Person], tmp_path: Path
) -> None:
    full.checkpoint()
    other = SearchIndex.open(tmp_path / "index", book=replace(codes.default(), version="another"))
    assert (other.sequence, other.persons()) == (0, 0)
    other.insert("x", crowd[0].enrolled, 1)
    other.checkpoint()
    assert len(list((tmp_path / "index").iterdir())) == 3
    other.close()


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
    assert index.second_pass_persons(10) == index.SECOND_PASS // 10


def test_the_whole_search_confirms_the_mate_and_no_stranger(
    full: SearchIndex, crowd: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled = {person.name: person.enrolled for person in crowd}

    def references(subject: str) -> list[Finger]:
        return enrolled.get(subject, [])

    for person in crowd[:5]:
        found = cascade.search(full, person.probe, references)
        assert found[0].subject == person.name
        assert found[0].fused.score > 20
        assert all(other.fused.score < 0 for other in found[1:])
    # With few fingers LSSR chooses who is compared, with one of unknown position too.
    monkeypatch.setattr(cascade, "COMPARISONS", 4)
    for person in crowd[:5]:
        assert cascade.search(full, person.probe[1:3], references)[0].subject == person.name
    unknown = [replace(crowd[1].probe[1], position=0)]
    assert cascade.search(full, unknown, references)[0].subject == crowd[1].name
    del enrolled[crowd[0].name]
    gone = cascade.search(full, crowd[0].probe, references)
    assert crowd[0].name not in [found.subject for found in gone]
