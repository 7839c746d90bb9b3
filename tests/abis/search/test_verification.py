"""Strangers are given up after a few fingers; whoever is not is compared in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from services.abis import fusion
from services.abis.finger import Finger
from services.abis.fingerprint.compare import Comparison, compare
from services.abis.fingerprint.score import DEFAULT, Weights
from services.abis.fingerprint.template import Template
from services.abis.search import codes, crossed, verification
from services.abis.search.verification import HOPELESS, Found, Listed, declared, verify

if TYPE_CHECKING:
    from tests.abis.search.conftest import Person


def listed(probe: list[Finger], enrolled: list[Finger]) -> Listed:
    book = codes.default()
    known = {finger.position: codes.encode(finger.template, book) for finger in enrolled}
    (alike,) = crossed.likeness(probe, [enrolled], [known], book)
    return Listed("somebody", enrolled, alike)


def compared(probe: list[Finger], enrolled: list[Finger]) -> Found:
    return verify(probe, DEFAULT, listed(probe, enrolled))


def test_strangers_are_given_up_after_few_fingers(crowd: list[Person]) -> None:
    counts = []
    for person, other in zip(crowd, crowd[1:] + crowd[:1], strict=True):
        found = compared(person.probe, other.enrolled)
        assert found.fused.score < HOPELESS
        counts.append(len(found.fused.fingers))
    assert min(counts) >= 3
    assert np.mean(counts) < 4


def test_mates_are_compared_in_every_finger(crowd: list[Person]) -> None:
    for person in crowd:
        found = compared(person.probe, person.enrolled)
        assert found.fused.score == pytest.approx(
            declared(person.probe, person.name, person.enrolled).fused.score
        )
        assert len(found.fused.fingers) == len(person.probe)


@pytest.mark.parametrize("own", [(2, 9), (1, 4, 7)])
def test_nobody_is_given_up_of_whom_all_fingers_together_speak(
    crowd: list[Person], own: tuple[int, ...]
) -> None:
    spoke = 0
    for person, other in zip(crowd, crowd[1:] + crowd[:1], strict=True):
        mixed = [(person if k in own else other).probe[k] for k in range(10)]
        in_full = declared(mixed, person.name, person.enrolled).fused.score
        spoke += in_full > 0
        assert in_full <= 0 or compared(mixed, person.enrolled).fused.score == pytest.approx(in_full)
    assert spoke > len(crowd) / 3


def test_two_fingers_are_never_enough_to_give_up(crowd: list[Person]) -> None:
    assert 2 * fusion.bounded(np.array(-1000.0)) > HOPELESS
    found = compared(crowd[0].probe[:2], crowd[1].enrolled)
    assert len(found.fused.fingers) == 2


def test_the_most_alike_fingers_are_compared_first(
    crowd: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def recorded(probe: Template, reference: Template, weights: Weights) -> Comparison:
        seen.append([finger.template for finger in mixed].index(probe))
        return compare(probe, reference, weights)

    monkeypatch.setattr(verification, "compare", recorded)
    mixed = [*crowd[1].probe[:7], *crowd[0].probe[7:]]
    one = listed(mixed, crowd[0].enrolled)
    verify(mixed, DEFAULT, one)
    alike = one.alike[seen, seen].tolist()
    assert len(seen) >= 3
    assert alike == sorted(alike, reverse=True)
    assert alike[0] == one.alike.diagonal().max()
