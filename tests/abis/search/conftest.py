"""Synthetic people, each with ten fingers and two visits, and an index of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bench import synthetic_templates
from services.abis.finger import Finger
from services.abis.search import tail
from services.abis.search.index import SearchIndex
from services.common.crypto import KeyRing

PEOPLE = 24


@dataclass(frozen=True)
class Person:
    """A name, the fingers that are enrolled, and those of another visit."""

    name: str
    enrolled: list[Finger]
    probe: list[Finger]


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    """Keys under which an index is sealed."""
    return KeyRing("test", {"test": bytes(range(32))})


@pytest.fixture(scope="session")
def crowd() -> list[Person]:
    rng = np.random.default_rng(3)
    positions = range(1, 11)
    found = []
    for number in range(PEOPLE):
        own = synthetic_templates.fingers(99, number, positions)
        visits = [
            [Finger(p, t) for p, t in zip(positions, synthetic_templates.visit(own, rng), strict=True)]
            for _ in range(2)
        ]
        found.append(Person(f"person-{number}", *visits))
    return found


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
