"""A run of persons in packed arrays, as a search reads it: one that no longer changes, or a view of the
tail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.abis.kernels import I32, I64, U8, U64
from services.abis.search import path, words
from services.abis.search.parameters import FULL_CODES, HOT_CODES, POSITIONS
from services.abis.search.plain import U16
from services.abis.search.probe import ProbeFinger
from services.abis.search.select import gather
from services.abis.search.subjects import PackedNames, Subjects, packed
from services.abis.search.words import Tables
from services.abis.vectors import LANES

_CHUNK = 256
"""Persons gathered at once: the codes of their fingers stay in the second-level cache."""


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
    names: which subject each person is. tables: an index of words for each partition, if there is one.
    """

    persons: int
    partitions: tuple[Partition, ...]
    full: U64
    position: U8
    first: I64
    alive: U8
    names: Subjects
    tables: tuple[Tables | None, ...] | None = None

    def with_tables(self) -> Segment:
        """The same persons, the ones behind each word to be found at once."""
        made = tuple(words.tables(p.rows, p.owners) if p.owners.size else None for p in self.partitions)
        return replace(self, tables=made)

    def votes(self, probe: Sequence[ProbeFinger]) -> U16:
        """First pass by words: votes for every person from all of the probe's fingers; 0 for deleted ones."""
        sums = np.zeros(self.persons, np.uint16)
        for finger in probe:
            for position in self._reachable(finger.position):
                part = self.tables[position] if self.tables else None
                if part is not None:
                    words.vote(part.starts, part.owners, finger.asked, sums)
        sums[self.alive == 0] = 0
        return sums

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
        reachable = [self._reachable(finger.position) for finger in probe]
        wanted = np.zeros(POSITIONS, np.bool_)
        wanted[[position for positions in reachable for position in positions]] = True
        for begin in range(0, persons.size, _CHUNK):
            chosen = persons[begin : begin + _CHUNK]
            rows, owners, start = gather(self.full, self.position, self.first, chosen, wanted)
            for finger, positions in zip(probe, reachable, strict=True):
                best = np.zeros(chosen.size, np.uint16)
                for p in positions:
                    there = slice(start[p] * FULL_CODES, start[p + 1] * FULL_CODES)
                    whose = owners[start[p] * LANES : start[p + 1] * LANES]
                    kernel(rows[there], FULL_CODES, whose, finger.full_codes, finger.full_limits, best, True)
                sums[begin : begin + _CHUNK] += best
        return sums

    def present(self) -> int:
        """How many persons are not deleted."""
        return int(np.count_nonzero(self.alive))

    def fingers(self) -> int:
        """How many fingers they have."""
        return int(np.diff(self.first)[self.alive != 0].sum())

    def only(self, kept: I64) -> Segment:
        """A copy with these persons, in ascending order, all alive; nothing remains of the others."""
        number = np.full(self.persons, -1, np.int32)
        number[kept] = np.arange(kept.size)
        fingers = np.diff(self.first)
        theirs = np.repeat(number >= 0, fingers)
        return Segment(
            kept.size,
            tuple(_renumbered(part, number) for part in self.partitions),
            self.full[theirs],
            self.position[theirs],
            np.concatenate([np.zeros(1, np.int64), np.cumsum(fingers[kept])]),
            np.ones(kept.size, np.uint8),
            PackedNames(**packed([self.names.get(person) for person in kept.tolist()])),
        )

    def _reachable(self, position: int) -> list[int]:
        """Partitions whose fingers may be the finger of that position."""
        wanted = range(POSITIONS) if position == 0 else (position, 0)
        return [p for p in wanted if self.partitions[p].owners.size]


def side_by_side(codes: U64) -> U64:
    """Codes (n, w) of n fingers, n a multiple of 8, as kernels take them: rows (n / 8 * w, 8)."""
    width = codes.shape[1]
    groups = codes.reshape(-1, LANES, width).transpose(0, 2, 1)
    return np.ascontiguousarray(groups).reshape(-1, LANES)


def _renumbered(part: Partition, number: I32) -> Partition:
    """The fingers of the persons who have a number, under it."""
    known = (part.owners >= 0) & (part.owners < number.size)
    owners = np.where(known, part.owners, 0)
    there = known & (number[owners] >= 0)
    codes = part.rows.reshape(-1, HOT_CODES, LANES).transpose(0, 2, 1).reshape(-1, HOT_CODES)[there]
    empty = -codes.shape[0] % LANES
    owners = np.pad(number[owners][there], (0, empty), constant_values=-1)
    return Partition(side_by_side(np.pad(codes, ((0, empty), (0, 0)))), owners)
