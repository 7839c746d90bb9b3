"""The searches of `tunggal bench identify`: every stage timed, and where it put the mate."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from bench.identify_gallery import MATE, present_mates
from bench.population import Population
from services.abis.finger import Finger
from services.abis.fingerprint import score
from services.abis.search import cascade
from services.abis.search.codes import Codebook
from services.abis.search.index import SearchIndex, second_pass_persons
from services.abis.search.probe import arrangements, prepare

LIST = 10_000
"""Length of the list at which `stage1_loss` is reported."""
LISTS = (10_000, 1_000, 100, 10, 1)
"""Lengths of lists at which the loss of the two passes over codes is reported."""
_EXCHANGED = 50
"""Searches with mixed-up positions, at most."""


@dataclass
class Stage:
    """What one stage did, search by search. seconds: processor time; ranks: of the mate, from 0, or none."""

    seconds: list[float] = field(default_factory=list)
    ranks: list[int | None] = field(default_factory=list)

    def loss(self, length: int) -> float:
        """Share of mates outside the first `length`."""
        return float(np.mean([rank is None or rank >= length for rank in self.ranks]))


@dataclass
class Searches:
    """All searches on one number of threads. waits: wall-clock seconds of all stages; of the first pass; of
    the first pass when positions may be mixed up.
    """

    first: Stage = field(default_factory=Stage)
    second: Stage = field(default_factory=Stage)
    local: Stage = field(default_factory=Stage)
    verification: Stage = field(default_factory=Stage)
    first_waits: list[float] = field(default_factory=list)
    exchanged_waits: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    mated: list[float] = field(default_factory=list)
    strangers: list[float] = field(default_factory=list)


def search(
    index: SearchIndex,
    people: Population,
    mates: Sequence[tuple[list[Finger], list[Finger]]],
    book: Codebook,
    weights: score.Weights,
) -> Searches:
    """Search for each of `mates` (enrolled fingers, probe fingers) while nobody else of them is present."""
    found = Searches()
    # The first search brings caches and clocks up to speed.
    present = present_mates(index, mates, book)
    for number, (enrolled, probe) in enumerate(mates):
        mate = f"{MATE}{number}"
        present[:] = np.arange(present.size) == number
        references = _references(people, mate, enrolled)
        # Extraction ends with them.
        for finger in probe:
            _ = finger.template.cylinders
        start = time.perf_counter()
        with _timed(found.first):
            hands = [prepare(probe, book)]
            first = index.first_pass(hands, max(LIST, second_pass_persons(len(probe))))
        passed = time.perf_counter()
        with _timed(found.second):
            second = index.second_pass(first.head(second_pass_persons(len(probe))), hands)
            listed = second.candidates(cascade.local_persons(len(probe)))
        with _timed(found.local):
            last = cascade.relist(index, probe, listed, references)
        with _timed(found.verification):
            subjects = [candidate.subject for candidate in last]
            confirmed = cascade.confirm(index, probe, subjects, references, weights)
        found.waits.append(time.perf_counter() - start)
        found.first_waits.append(passed - start)
        if number < _EXCHANGED:
            before = time.perf_counter()
            index.first_pass(arrangements(hands[0]), second_pass_persons(len(probe)))
            found.exchanged_waits.append(time.perf_counter() - before)
        found.first.ranks.append(_rank(mate, [c.subject for c in first.candidates(LIST)]))
        found.second.ranks.append(_rank(mate, [c.subject for c in second.candidates(len(second.person))]))
        found.local.ranks.append(_rank(mate, [c.subject for c in last]))
        found.verification.ranks.append(_rank(mate, [one.subject_id for one in confirmed]))
        scores = {one.subject_id: one.fused.score for one in confirmed}
        found.mated.append(scores.pop(mate, -np.inf))
        found.strangers.append(max(scores.values(), default=-np.inf))
    return found


@contextmanager
def _timed(stage: Stage) -> Iterator[None]:
    start = time.process_time()
    yield
    stage.seconds.append(time.process_time() - start)


def _references(people: Population, mate: str, enrolled: list[Finger]) -> cascade.References:
    def fingers(subjects: Sequence[str], positions: Collection[int] | None) -> list[list[Finger]]:
        found = [enrolled if subject == mate else people.fingers(int(subject)) for subject in subjects]
        return [[f for f in own if positions is None or f.position in positions] for own in found]

    return fingers


def _rank(mate: str, subjects: Sequence[str]) -> int | None:
    return subjects.index(mate) if mate in subjects else None
