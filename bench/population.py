"""A gallery of synthetic people as large as a country, laid out as the search index has it, in seconds.

The model (`bench.synthetic_templates`) makes a *pool* of different prints. A person of the background is a
random choice of one print a position, of whatever finger it was made for (codes of strangers are as unlike at
one position as at two): all people differ, and their scores are sums over independent fingers. Mates are
people of their own, of whom one visit is enrolled and another searches. Real mates come from a folder of
images: person by person, as many different fingers of the set as needed, two different impressions of each. A
set has few fingers, so real mates share them; that is why mates are hidden in the gallery one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import datasets, synthetic_templates
from services.abis.finger import Finger
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.template import Template
from services.abis.kernels import I32, I64, U64, kernel
from services.abis.search.codes import Codebook, encode
from services.abis.search.parameters import FULL_CODES, HOT_CODES, POSITIONS, SEGMENT_PERSONS
from services.abis.search.segment import Partition, Segment
from services.abis.search.subjects import Names
from services.abis.search.tail import repeated
from services.abis.vectors import LANES
from services.common.errors import InvalidArgument

SEED = 7
POOL = 20_000
"""Prints of the background that differ, all positions together."""
ORDER = (2, 7, 1, 6, 3, 8, 4, 9, 5, 10)
"""Finger positions in the order in which a scheme with few fingers takes them: index fingers, thumbs, …"""


@dataclass(frozen=True, eq=False)
class Population:
    """The background, and those who are searched for.

    templates: all prints of the background, by row; codes: (rows, 36), filled up; count: (rows) of true
    codes.
    owned: (persons, fingers) rows. mates: what is enrolled of those searched for, and what searches.
    """

    positions: tuple[int, ...]
    templates: list[Template]
    codes: U64
    count: I64
    owned: I32
    mates: list[tuple[list[Finger], list[Finger]]]

    def fingers(self, person: int) -> list[Finger]:
        """Enrolled fingers of a person of the background."""
        rows = self.owned[person].tolist()
        return [Finger(p, self.templates[row]) for p, row in zip(self.positions, rows, strict=True)]

    def segments(self) -> Iterator[Segment]:
        """The gallery as segments of the index; person n is called by its number."""
        for start in range(0, len(self.owned), SEGMENT_PERSONS):
            yield self._segment(start, min(start + SEGMENT_PERSONS, len(self.owned)))

    def _segment(self, start: int, stop: int) -> Segment:
        owned = self.owned[start:stop]
        parts = [Partition(np.empty((0, LANES), np.uint64), np.empty(0, np.int32))] * POSITIONS
        for column, position in enumerate(self.positions):
            rows = np.ascontiguousarray(owned[:, column])
            parts[position] = Partition(*laid_out(self.codes, self.count, rows, HOT_CODES))
        has = self.count[owned] > 0
        first = np.concatenate([np.zeros(1, np.int64), np.cumsum(has.sum(axis=1), dtype=np.int64)])
        which = np.broadcast_to(np.array(self.positions, np.uint8), owned.shape)[has]
        names = Names()
        for person in range(start, stop):
            names.append(str(person))
        alive = np.ones(stop - start, np.uint8)
        return Segment(stop - start, tuple(parts), self.codes[owned[has]], which, first, alive, names)


@kernel("Tuple((uint64[:,::1], int32[::1]))(uint64[:,::1], int64[::1], int32[::1], int64)")
def laid_out(codes: U64, count: I64, owned: I32, width: int) -> tuple[U64, I32]:
    """A partition of persons who own the print owned[person] each; prints without codes are left out."""
    total = 0
    for person in range(owned.size):
        total += count[owned[person]] > 0
    groups = (total + LANES - 1) // LANES
    rows = np.zeros((groups * width, LANES), np.uint64)
    owners = np.full(groups * LANES, -1, np.int32)
    at = 0
    for person in range(owned.size):
        if count[owned[person]] == 0:
            continue
        for k in range(width):
            rows[at // LANES * width + k, at % LANES] = codes[owned[person], k % count[owned[person]]]
        owners[at] = person
        at += 1
    return rows, owners


def build(persons: int, fingers: int, probes: int, book: Codebook, mates: Path | None) -> Population:
    """People and their gallery; the same for the same arguments."""
    rng = np.random.default_rng(SEED)
    positions = ORDER[:fingers]
    visits = (
        _synthetic_mates(positions, probes, rng)
        if mates is None
        else _real_mates(mates, fingers, probes, rng)
    )
    pool = max(POOL // fingers, 1)
    templates = [template for person in range(pool) for template in _visit(person, positions, rng)]
    encoded = [encode(template, book) for template in templates]
    codes = np.zeros((len(encoded), FULL_CODES), np.uint64)
    for row, found in enumerate(encoded):
        if found.size:
            codes[row] = repeated(found, FULL_CODES)
    owned = rng.integers(0, len(templates), (persons, fingers), dtype=np.int32)
    named = [
        (
            [Finger(p, t) for p, t in zip(positions, enrolled, strict=True)],
            [Finger(p, t) for p, t in zip(positions, probe, strict=True)],
        )
        for enrolled, probe in visits
    ]
    count = np.array([found.size for found in encoded], np.int64)
    return Population(positions, templates, codes, count, owned, named)


def _visit(person: int, positions: Sequence[int], rng: np.random.Generator) -> list[Template]:
    return synthetic_templates.visit(synthetic_templates.fingers(SEED, person, positions), rng)


def _synthetic_mates(
    positions: Sequence[int], probes: int, rng: np.random.Generator
) -> list[tuple[list[Template], list[Template]]]:
    found = []
    for person in range(probes):
        # Numbers that nobody of the background has.
        own = synthetic_templates.fingers(SEED + 1, person, positions)
        found.append((synthetic_templates.visit(own, rng), synthetic_templates.visit(own, rng)))
    return found


def _real_mates(
    folder: Path, fingers: int, probes: int, rng: np.random.Generator
) -> list[tuple[list[Template], list[Template]]]:
    prints: dict[tuple[str, str], list[Template]] = {}
    for sample in datasets.read(folder):
        try:
            template = extract(sample.path.read_bytes(), sample.dpi)
        except InvalidArgument:
            continue
        prints.setdefault(sample.finger, []).append(template)
    usable = [impressions for impressions in prints.values() if len(impressions) > 1]
    if len(usable) < fingers:
        raise ValueError(f"{folder} has {len(usable)} fingers with two impressions; {fingers} are needed.")
    found = []
    for _ in range(probes):
        chosen = [usable[k] for k in rng.choice(len(usable), fingers, replace=False)]
        pairs = [[own[k] for k in rng.choice(len(own), 2, replace=False)] for own in chosen]
        found.append(([a for a, _ in pairs], [b for _, b in pairs]))
    return found
