"""All stages together: the mate is confirmed and no stranger, however the fingers are labelled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.abis.finger import Finger
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.fingerprint.template import from_minutiae
from services.abis.search import cascade
from services.abis.search.index import SearchIndex

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


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
