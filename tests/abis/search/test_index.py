"""The index finds who was inserted, forgets who was deleted, and comes back from disk as it was."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.abis.finger import Finger
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.fingerprint.template import from_minutiae
from services.abis.search import cascade, codes, index, tail
from services.abis.search.index import SearchIndex, mark_of
from services.common.crypto import KeyRing
from services.common.errors import AlreadyExists

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


@pytest.fixture
def empty(tmp_path: Path, keys: KeyRing) -> Iterator[SearchIndex]:
    opened = SearchIndex.open(tmp_path / "index", keys)
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
def test_a_restart_opens_what_the_checkpoint_wrote(
    full: SearchIndex, crowd: list[Person], tmp_path: Path, keys: KeyRing
) -> None:
    full.delete(crowd[1].name, 100)
    full.delete(crowd[-1].name, 101)
    full.checkpoint()
    before = [full.search(person.probe, 50) for person in crowd]
    full.close()
    again = SearchIndex.open(tmp_path / "index", keys)
    assert (again.sequence, again.persons()) == (101, len(crowd) - 2)
    assert again.mark == mark_of(crowd[-1].name, 101)
    assert [again.search(person.probe, 50) for person in crowd] == before
    # It goes on from there, segment by segment.
    for sequence, person in enumerate(crowd, 200):
        again.insert(f"{person.name}-twin", person.enrolled, sequence)
    again.delete(crowd[4].name, 300)
    again.checkpoint()
    again.close()
    third = SearchIndex.open(tmp_path / "index", keys)
    assert third.search(crowd[4].probe, 1)[0].subject == f"{crowd[4].name}-twin"
    assert third.persons() == 2 * len(crowd) - 3
    third.close()


def test_nothing_on_disk_can_be_read_without_the_key(
    full: SearchIndex, crowd: list[Person], tmp_path: Path
) -> None:
    full.checkpoint()
    stored = b"".join(file.read_bytes() for file in (tmp_path / "index").iterdir())
    code = codes.encode(crowd[0].enrolled[0].template, codes.default())[0]
    assert code.tobytes() not in stored
    assert crowd[0].name.encode() not in stored
    full.close()
    other = SearchIndex.open(tmp_path / "index", KeyRing("other", {"other": bytes(32)}))
    assert (other.sequence, other.discarded.split(":")[0]) == (0, "KEY_MISSING")
    other.close()


def test_only_one_process_writes_a_directory(
    full: SearchIndex, crowd: list[Person], tmp_path: Path, keys: KeyRing
) -> None:
    second = SearchIndex.open(tmp_path / "index", keys)
    assert (full.writable, second.writable) == (True, False)
    second.insert("x", crowd[0].enrolled, 1)
    second.checkpoint()
    assert not (tmp_path / "index" / "manifest.json").exists()
    second.close()


@pytest.mark.usefixtures("small_segments")
def test_a_segment_with_many_deletions_is_written_without_them(
    full: SearchIndex, crowd: list[Person], tmp_path: Path, keys: KeyRing
) -> None:
    full.checkpoint()
    large = sum(file.stat().st_size for file in (tmp_path / "index").iterdir())
    for sequence, person in enumerate(crowd[:12], 100):
        full.delete(person.name, sequence)
    full.checkpoint()
    assert sum(file.stat().st_size for file in (tmp_path / "index").iterdir()) < 0.7 * large
    remaining = [person.name for person in crowd[12:]]
    assert full.everybody() == remaining
    full.close()
    again = SearchIndex.open(tmp_path / "index", keys)
    assert again.everybody() == remaining
    assert [again.search(person.probe, 1)[0].subject for person in crowd[12:]] == remaining
    again.delete(remaining[0], 200)
    assert again.everybody() == remaining[1:]
    again.close()


@pytest.mark.usefixtures("small_segments")
def test_what_an_interrupted_checkpoint_left_does_not_count(
    full: SearchIndex, crowd: list[Person], tmp_path: Path, keys: KeyRing
) -> None:
    full.checkpoint()
    folder, before = tmp_path / "index", tmp_path / "before"
    shutil.copy(folder / "manifest.json", before)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    full.delete(crowd[0].name, 100)
    full.checkpoint()
    # A crash before the manifest was replaced: the old parts and the new ones, under the old manifest.
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    shutil.copy(before, copy / "manifest.json")
    again = SearchIndex.open(copy, keys)
    assert again.sequence == len(crowd)
    assert again.search(crowd[0].probe, 1)[0].subject == crowd[0].name
    again.delete(crowd[0].name, 100)
    again.checkpoint()
    named = json.loads((copy / "manifest.json").read_text())
    assert {entry.name for entry in copy.iterdir()} == {
        "manifest.json",
        "lock",
        *named["segments"],
        named["tail"],
        named["alive"],
    }
    again.close()


@pytest.mark.parametrize("part", ["tail", "alive", "segment", "manifest"])
@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
@pytest.mark.usefixtures("small_segments")
def test_a_damaged_index_begins_anew_and_says_so(
    full: SearchIndex, crowd: list[Person], tmp_path: Path, keys: KeyRing, part: str, harm: str
) -> None:
    full.checkpoint()
    full.close()
    victim = next((tmp_path / "index").glob(f"*{part}*"))
    content = bytearray(victim.read_bytes())
    if harm == "gone" and part != "manifest":
        victim.unlink()
    elif harm == "changed" and part != "manifest":
        content[-20] ^= 1
        victim.write_bytes(content)
    else:
        victim.write_bytes(content[: len(content) // 2])
    again = SearchIndex.open(tmp_path / "index", keys)
    assert (again.sequence, again.persons(), again.fingers()) == (0, 0, 0)
    assert again.discarded
    for sequence, person in enumerate(crowd, 1):
        again.insert(person.name, person.enrolled, sequence)
    again.checkpoint()
    again.close()
    repaired = SearchIndex.open(tmp_path / "index", keys)
    assert (repaired.sequence, repaired.discarded) == (len(crowd), "")
    repaired.close()


def test_codes_made_in_another_way_are_not_searched(
    full: SearchIndex, crowd: list[Person], tmp_path: Path, keys: KeyRing
) -> None:
    full.checkpoint()
    full.close()
    other = SearchIndex.open(tmp_path / "index", keys, book=replace(codes.default(), version="another"))
    assert (other.sequence, other.persons()) == (0, 0)
    assert other.discarded
    other.insert("x", crowd[0].enrolled, 1)
    other.checkpoint()
    assert len(list((tmp_path / "index").iterdir())) == 4
    other.close()


def test_the_recipe_of_codes_follows_from_what_they_are_made_of() -> None:
    book = codes.default()
    assert codes.recipe(book) == codes.recipe(replace(book))
    assert codes.recipe(book) != codes.recipe(replace(book, offset=book.offset + 40_000))


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


def in_memory(crowd: list[Person]) -> tuple[dict[str, list[Finger]], cascade.References]:
    enrolled = {person.name: person.enrolled for person in crowd}

    def references(subjects: Sequence[str], positions: Collection[int] | None) -> list[list[Finger]]:
        return [
            [f for f in enrolled.get(subject, []) if positions is None or f.position in positions]
            for subject in subjects
        ]

    return enrolled, references


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is compared in full whom the codes did not list."""
    monkeypatch.setattr(cascade, "EXACT", 0)


@pytest.mark.parametrize("exact", [0, 1_000])
def test_the_whole_search_confirms_the_mate_and_no_stranger(
    full: SearchIndex, crowd: list[Person], monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    monkeypatch.setattr(cascade, "EXACT", exact)
    enrolled, references = in_memory(crowd)
    for person in crowd[:5]:
        found = cascade.search(full, person.probe, references)
        assert found[0].subject_id == person.name
        assert found[0].fused.score > 20
        assert all(other.fused.score < 0 for other in found[1:])
    # With few fingers LSSR chooses who is compared, with one of unknown position too.
    monkeypatch.setattr(cascade, "COMPARISONS", 4)
    for person in crowd[:5]:
        assert cascade.search(full, person.probe[1:3], references)[0].subject_id == person.name
    unknown = [replace(crowd[1].probe[1], position=0)]
    assert cascade.search(full, unknown, references)[0].subject_id == crowd[1].name
    del enrolled[crowd[0].name]
    gone = cascade.search(full, crowd[0].probe, references)
    assert crowd[0].name not in [found.subject_id for found in gone]


def test_a_small_gallery_is_compared_with_everybody(full: SearchIndex, crowd: list[Person]) -> None:
    _, references = in_memory(crowd)
    assert len(cascade.search(full, crowd[0].probe, references)) == len(crowd)
    assert cascade.pairs_in_all(full, crowd[0].probe) == 10 * len(crowd)
    assert cascade.pairs_in_all(full, [replace(crowd[0].probe[0], position=0)]) == full.fingers()


MIXED_UP = {
    "both hands": {p: (p + 4) % 10 + 1 for p in range(1, 11)},
    "two neighbours": {2: 3, 3: 2},
    "a hand turned over": {2: 5, 3: 4, 4: 3, 5: 2},
}


@pytest.mark.parametrize("mistake", MIXED_UP)
@pytest.mark.usefixtures("large")
def test_mixed_up_fingers_are_found(full: SearchIndex, crowd: list[Person], mistake: str) -> None:
    _, references = in_memory(crowd)
    order = MIXED_UP[mistake]
    straight, crossed = [], []
    for person in crowd[:6]:
        wrong = [replace(f, position=order.get(f.position, f.position)) for f in person.probe]
        found = cascade.search(full, wrong, references)[0]
        assert found.subject_id == person.name
        assert [c.subject for c in full.search(wrong, 1, exchanged=True)] == [person.name]
        straight.append(cascade.search(full, person.probe, references)[0].fused.score)
        crossed.append(found.fused.score)
        # The answer says which finger was taken for which.
        for one, position in zip(found.fused.fingers, found.positions, strict=True):
            if one.score > 10:
                assert position == person.probe[one.probe].position
    assert np.median(crossed) > 0.5 * np.median(straight)


@pytest.mark.parametrize(("first", "second"), [(1, 2), (1, 6), (2, 8)])
@pytest.mark.usefixtures("large")
def test_two_fingers_that_were_exchanged_are_found(
    full: SearchIndex, crowd: list[Person], first: int, second: int
) -> None:
    _, references = in_memory(crowd)
    right = 0
    for person in crowd:
        a, b = person.probe[first], person.probe[second]
        wrong = [replace(a, position=b.position), replace(b, position=a.position)]
        right += cascade.search(full, wrong, references)[0].subject_id == person.name
    assert right >= len(crowd) - 3


@pytest.mark.parametrize("exact", [0, 1_000])
def test_a_single_finger_under_a_wrong_label_is_found(
    full: SearchIndex, crowd: list[Person], monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    monkeypatch.setattr(cascade, "EXACT", exact)
    _, references = in_memory(crowd)
    right = 0
    for person in crowd:
        # The index finger is said to be the ring finger of the same hand.
        found = cascade.search(full, [replace(person.probe[1], position=4)], references)
        assert len({one.subject_id for one in found}) == len(found)
        right += found[0].subject_id == person.name and found[0].positions == (2,)
    assert right >= len(crowd) - 4


@pytest.mark.usefixtures("large")
def test_fingers_of_which_nothing_is_known_are_found(full: SearchIndex, crowd: list[Person]) -> None:
    _, references = in_memory(crowd)
    for person in crowd[:6]:
        unknown = [replace(f, position=0) for f in person.probe]
        assert cascade.search(full, unknown, references)[0].subject_id == person.name
        # Half of the fingers are missing.
        assert cascade.search(full, person.probe[::2], references)[0].subject_id == person.name


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), st.integers(0, MIN_MINUTIAE - 1), st.booleans())
def test_prints_that_show_next_to_nothing_are_no_hit_even_for_themselves(
    full: SearchIndex, seed: int, count: int, exact: bool
) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(100, 200, (2, count)).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    points = Minutiae(x, y, angle, np.ones(count, np.uint8), np.ones(count, np.float32))
    nothing = [Finger(position, from_minutiae(points, 300, 300)) for position in range(1, 11)]
    name, sequence = f"nobody-{seed}-{count}-{exact}", full.sequence + 1
    full.insert(name, nothing, sequence)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cascade, "EXACT", 10_000 if exact else 0)
        found = cascade.search(full, nothing, lambda subjects, _: [nothing for _ in subjects])
    assert all(one.fused.score < 1.0 for one in found)
    full.delete(name, sequence + 1)
