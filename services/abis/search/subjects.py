"""Which subject each person of a segment is, and where a subject is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from services.abis.kernels import I64, U8, U64


class Subjects(Protocol):
    """Ids of the persons of a segment."""

    def get(self, person: int) -> str:
        """Id of a person."""

    def find(self, subject: str) -> Sequence[int]:
        """Persons that have, or had until they were deleted, that id."""


class Names:
    """Ids that grow at their end."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._persons: dict[str, list[int]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def append(self, subject: str) -> None:
        """Name the next person."""
        self._persons.setdefault(subject, []).append(len(self._names))
        self._names.append(subject)

    def get(self, person: int) -> str:
        """Id of a person."""
        return self._names[person]

    def find(self, subject: str) -> Sequence[int]:
        """Persons of that id."""
        return self._persons.get(subject, ())


class PackedNames:
    """Ids in arrays that can be mapped from a file: nothing is read until somebody asks.

    text: all ids in UTF-8, one after the other. ends: (persons) where each ends. keys: (persons) sorted
    hashes of the ids; order: (persons) the person of each key.
    """

    def __init__(self, text: U8, ends: I64, keys: U64, order: I64) -> None:
        self._text, self._ends, self._keys, self._order = text, ends, keys, order

    def get(self, person: int) -> str:
        """Id of a person."""
        start = int(self._ends[person - 1]) if person else 0
        return self._text[start : int(self._ends[person])].tobytes().decode()

    def find(self, subject: str) -> Sequence[int]:
        """Persons of that id."""
        key = _key(subject)
        low, high = (int(np.searchsorted(self._keys, key, side)) for side in ("left", "right"))
        persons = [int(person) for person in self._order[low:high]]
        return [person for person in persons if self.get(person) == subject]


def packed(names: Sequence[str]) -> dict[str, Any]:
    """The arrays of `PackedNames`, by its parameters."""
    encoded = [name.encode() for name in names]
    keys = np.array([_key(name) for name in names], np.uint64)
    order = np.argsort(keys, kind="stable").astype(np.int64)
    ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
    text = np.frombuffer(b"".join(encoded), np.uint8)
    return {"text": text, "ends": ends, "keys": keys[order], "order": order}


def _key(subject: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(subject.encode(), digest_size=8).digest(), "little"))
