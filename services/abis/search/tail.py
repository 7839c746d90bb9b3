"""The newest persons, in arrays that grow at their end while searches read views of what was there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.abis.kernels import U64
from services.abis.search.parameters import FULL_CODES, HOT_CODES, POSITIONS, SEGMENT_PERSONS
from services.abis.search.segment import Partition, Segment
from services.abis.search.subjects import Names
from services.abis.vectors import LANES

_Number = TypeVar("_Number", bound=np.generic)
Codes = tuple[int, U64]
"""Position of a finger, and its codes, best first, at least one."""


def repeated(codes: U64, width: int) -> U64:
    """The first `width` codes; a finger with fewer repeats its own, which changes no minimum."""
    return np.resize(codes[:width], width)


class _Lanes:
    """A partition that grows: finger k is column k % 8 of group k // 8."""

    def __init__(self) -> None:
        self.count = 0
        self._rows = np.zeros((0, LANES), np.uint64)
        self._owners = np.full(0, -1, np.int32)

    def append(self, codes: U64, owner: int) -> None:
        if self.count == self._owners.size:
            groups = max(16, 2 * self.count // LANES)
            rows = np.zeros((groups * HOT_CODES, LANES), np.uint64)
            owners = np.full(groups * LANES, -1, np.int32)
            rows[: len(self._rows)], owners[: self.count] = self._rows, self._owners
            self._rows, self._owners = rows, owners
        group, lane = divmod(self.count, LANES)
        self._rows[group * HOT_CODES : (group + 1) * HOT_CODES, lane] = repeated(codes, HOT_CODES)
        # Last, so that a search never sees an owner without codes.
        self._owners[self.count] = owner
        self.count += 1

    @classmethod
    def of(cls, part: Partition, persons: int) -> _Lanes:
        """A copy of a partition of so many persons. Its last columns may be of later ones, or nobody's."""
        lanes = cls()
        lanes.count = int(np.count_nonzero((part.owners >= 0) & (part.owners < persons)))
        lanes._rows, lanes._owners = part.rows.copy(), part.owners.copy()
        lanes._owners[lanes.count :] = -1
        return lanes

    def view(self) -> Partition:
        groups = -(-self.count // LANES)
        return Partition(self._rows[: groups * HOT_CODES], self._owners[: groups * LANES])


class Tail:
    """A segment under construction. The caller sees to it that only one thread appends."""

    def __init__(self) -> None:
        self.persons = 0
        self.names = Names()
        self._lanes = tuple(_Lanes() for _ in range(POSITIONS))
        self._full = np.empty((0, FULL_CODES), np.uint64)
        self._position = np.empty(0, np.uint8)
        # As large as they can become, so that a deletion reaches the searches that are under way.
        self._first = np.zeros(SEGMENT_PERSONS + 1, np.int64)
        self._alive = np.zeros(SEGMENT_PERSONS, np.uint8)

    @classmethod
    def of(cls, segment: Segment) -> Tail:
        """A tail that goes on where a segment ends; nothing is shared with it."""
        tail = cls()
        tail.persons = segment.persons
        tail._lanes = tuple(_Lanes.of(part, segment.persons) for part in segment.partitions)
        tail._full, tail._position = segment.full.copy(), segment.position.copy()
        tail._first[: segment.persons + 1] = segment.first
        tail._alive[: segment.persons] = segment.alive
        for person in range(segment.persons):
            tail.names.append(segment.names.get(person))
        return tail

    @property
    def full(self) -> bool:
        """Whether the next person belongs into another segment."""
        return self.persons == SEGMENT_PERSONS

    def append(self, subject: str, fingers: Sequence[Codes]) -> None:
        """Add a person. One without any code is kept too: it can be deleted, but never be found."""
        start = int(self._first[self.persons])
        while self._full.shape[0] < start + len(fingers):
            self._full = _doubled(self._full)
            self._position = _doubled(self._position)
        for k, (position, codes) in enumerate(fingers):
            self._full[start + k] = repeated(codes, FULL_CODES)
            self._position[start + k] = position
            self._lanes[position].append(codes, self.persons)
        self._first[self.persons + 1] = start + len(fingers)
        self._alive[self.persons] = 1
        self.names.append(subject)
        self.persons += 1

    def view(self) -> Segment:
        """What is there now."""
        fingers = int(self._first[self.persons])
        return Segment(
            self.persons,
            tuple(lanes.view() for lanes in self._lanes),
            self._full[:fingers],
            self._position[:fingers],
            self._first[: self.persons + 1],
            self._alive[: self.persons],
            self.names,
        )


def _doubled(values: NDArray[_Number]) -> NDArray[_Number]:
    grown = np.zeros((max(16, 2 * values.shape[0]), *values.shape[1:]), values.dtype)
    grown[: values.shape[0]] = values
    return grown
