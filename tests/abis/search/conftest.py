"""Synthetic people, each with ten fingers and two visits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from bench import synthetic_templates
from services.abis.finger import Finger
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
