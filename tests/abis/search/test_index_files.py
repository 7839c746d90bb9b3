"""The index on disk: what a checkpoint wrote comes back, sealed; anything else is begun anew."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.abis.search import codes
from services.abis.search.index import SearchIndex, mark_of
from services.common.crypto import KeyRing

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


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
