"""Who comes to the counter on the demo day, in which order, and what the truth about each of them is."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tunggal.enroll.v1.record_pb2 import Biodata


@dataclass(frozen=True)
class CapturedFinger:
    """A finger image as the capture kit made it.

    Attributes:
        position: value of `tunggal.common.v1.FingerPosition`.
        content: the image file.
        dpi: pixels per inch.
    """

    position: int
    content: bytes
    dpi: int


@dataclass(frozen=True)
class Submission:
    """One visit to the counter.

    Attributes:
        key: unique in the day; request ids are made from it.
        person: who it truly is, whatever the biodata claim.
        biodata: what the person says.
        fingers: at least one.
        face: portrait file.
        signature: signature file.
    """

    key: str
    person: str
    biodata: Biodata
    fingers: tuple[CapturedFinger, ...]
    face: bytes
    signature: bytes


Arrival = tuple[Submission, ...]
"""Submissions that arrive at the same moment; nearly always one."""


@dataclass(frozen=True)
class Day:
    """A day in order of arrival.

    Attributes:
        arrivals: what comes when.
        real: whether the fingers are real images, whose matching may honestly fail now and then.
    """

    arrivals: tuple[Arrival, ...]
    real: bool

    @property
    def submissions(self) -> list[Submission]:
        """All submissions in order."""
        return [submission for arrival in self.arrivals for submission in arrival]

    @property
    def people(self) -> int:
        """How many different people come."""
        return len({submission.person for submission in self.submissions})

    @property
    def injected(self) -> int:
        """How many submissions are of a person who came before or comes at the same moment."""
        return len(self.submissions) - self.people


def interleave(
    firsts: Sequence[Arrival], again: Iterable[Submission], rng: random.Random
) -> tuple[Arrival, ...]:
    """Put each later visit at a random place behind its person's first one."""
    order: list[Arrival] = list(firsts)
    for submission in again:
        first = next(
            place
            for place, arrival in enumerate(order)
            if any(s.person == submission.person for s in arrival)
        )
        order.insert(rng.randint(first + 1, len(order)), (submission,))
    return tuple(order)
