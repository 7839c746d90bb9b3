"""A run of persons in packed arrays, as a search reads it: sealed and mapped from files, or a view of the
tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.abis.kernels import I32, I64, U8, U64
from services.abis.search import path
from services.abis.search.parameters import FULL_CODES, HOT_CODES, POSITIONS
from services.abis.search.plain import U16
from services.abis.search.probe import ProbeFinger
from services.abis.search.select import gather
from services.abis.search.subjects import Subjects

_CHUNK = 1024
"""Fingers gathered at once: their codes stay in the second-level cache."""


@dataclass(frozen=True, eq=False)
class Partition:
    """Short codes of all fingers of one position, as `plain.score` takes them: rows (g * 16, 8), owners
    (g * 8).
    """

    rows: U64
    owners: I32


@dataclass(frozen=True, eq=False)
class Segment:
    """Persons 0 to persons - 1.

    partitions: one a finger position, 0 (unknown) to 10. full: (fingers, 36) codes of each finger, filled up
    by repetition; position: (fingers). Person p owns the fingers [first[p], first[p + 1]).
    alive: (persons), 0 where deleted; the only array that changes while searches read it.
    names: which subject each person is.
    """

    persons: int
    partitions: tuple[Partition, ...]
    full: U64
    position: U8
    first: I64
    alive: U8
    names: Subjects

    def score(self, probe: Sequence[ProbeFinger]) -> U16:
        """First pass: a score for every person, summed over the probe's fingers; 0 for deleted ones."""
        sums = np.zeros(self.persons, np.uint16)
        kernel = path.fastest()
        for finger in probe:
            parts = [self.partitions[p] for p in self._reachable(finger.position)]
            target, greatest = (sums, False) if len(parts) == 1 else (np.zeros_like(sums), True)
            for part in parts:
                kernel(part.rows, HOT_CODES, part.owners, finger.codes, finger.limits, target, greatest)
            if greatest:
                sums += target
        sums[self.alive == 0] = 0
        return sums

    def rescore(self, probe: Sequence[ProbeFinger], persons: I64) -> U16:
        """Second pass: scores of the given persons from all codes of their fingers."""
        sums = np.zeros(persons.size, np.uint16)
        kernel = path.fastest()
        for start in range(0, persons.size, _CHUNK):
            chosen = persons[start : start + _CHUNK]
            for finger in probe:
                best = np.zeros(chosen.size, np.uint16)
                for position in self._reachable(finger.position):
                    rows, owners = gather(self.full, self.position, self.first, chosen, position)
                    kernel(rows, FULL_CODES, owners, finger.full_codes, finger.full_limits, best, True)
                sums[start : start + _CHUNK] += best
        return sums

    def _reachable(self, position: int) -> list[int]:
        """Partitions whose fingers may be the finger of that position."""
        wanted = range(POSITIONS) if position == 0 else (position, 0)
        return [p for p in wanted if self.partitions[p].owners.size]
