"""Persons that a pass over codes kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.abis.kernels import I64
from services.abis.search.plain import U16
from services.abis.search.segment import Segment


@dataclass(frozen=True)
class Candidate:
    """A subject worth a closer look. score: comparable within one search only."""

    subject: str
    score: int


@dataclass(frozen=True, eq=False)
class Listed:
    """Persons that a pass kept, best first, as (n) indices of their segments, persons in them, and scores."""

    segments: Sequence[Segment]
    segment: I64
    person: I64
    score: U16

    def head(self, most: int) -> Listed:
        """The first `most`."""
        return Listed(self.segments, self.segment[:most], self.person[:most], self.score[:most])

    def candidates(self, most: int) -> list[Candidate]:
        """The first `most`, by name."""
        return [
            Candidate(self.segments[k].names.get(person), score)
            for k, person, score in zip(
                self.segment[:most].tolist(),
                self.person[:most].tolist(),
                self.score[:most].tolist(),
                strict=True,
            )
        ]


def listed(segments: Sequence[Segment], persons: Sequence[I64], scores: Sequence[U16], most: int) -> Listed:
    """The `most` best of the persons chosen from each segment, with a score each."""
    segment = np.repeat(np.arange(len(segments)), [len(chosen) for chosen in persons])
    person, score = np.concatenate(persons), np.concatenate(scores)
    # Equal scores keep the order of enrolment, so that a search repeats itself.
    order = np.lexsort((person, segment, -score.astype(np.int64)))[:most]
    return Listed(segments, segment[order], person[order], score[order])
