"""What inventory, cardperso and enroll tell of a card, and which cards are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from tunggal.cardperso.v1.reconciliation_pb2 import CARD_STEP_NONE, CardStep

from services.inventory.ledger import days


class Consumed(NamedTuple):
    """A blank that became a card, by inventory; ``time`` is in seconds since 1970, as everywhere here."""

    chip_uid: str
    serial: int
    location: str
    time: int
    #: Why the card came back, if it did. It was made all the same, and belongs to the day it was made on.
    withdrawn: str = ""


class Personalized(NamedTuple):
    """A chip that was written and verified, by cardperso; ``time`` is when that knew the blank as a card."""

    chip_uid: str
    job_id: str
    serial: int
    location: str
    record_id: str
    time: int
    #: Whether everybody has been told of the card.
    finished: bool = True
    #: Jobs that say they have made a card of this chip.
    jobs: int = 1
    #: What the job has yet to do.
    step: CardStep.ValueType = CARD_STEP_NONE
    #: Grows with every change of the job.
    version: int = 0
    #: When the card was called void; 0 while it is not.
    void_time: int = 0


class Issued(NamedTuple):
    """A record with a card, by enroll; ``time`` is when that was told of the card."""

    chip_uid: str
    record_id: str
    region: str
    time: int


class PutAside(NamedTuple):
    """A blank that cardperso has spoiled, with what a second person said of it; ``booked`` is whether the
    inventory has it among what waits for destruction, ``untold`` what a neighbour has yet to hear, and
    ``under_way`` whether the inventory is just being told.
    """

    job_id: str
    serial: int
    location: str
    day: str
    reviewed: bool
    booked: bool
    untold: str
    under_way: bool = False


class Told(NamedTuple):
    """What the three say of some chips."""

    personalized: Iterable[Personalized]
    issued: Iterable[Issued]
    consumed: Iterable[Consumed]


class Found(NamedTuple):
    """What the three say of chips that they were asked for."""

    told: Told
    #: Records on loan, each with the job that has it.
    loans: frozenset[tuple[str, str]]
    #: When cardperso was asked, by its clock.
    read_time: int
    #: How many seconds a card may be on its way through the books.
    patience: float


class Sources(Protocol):
    """The three services. Cards of the scope come in the order of their chips; an iterator asks once its
    first card is taken.
    """

    def cards(self) -> Told:
        """What they have booked of the scope's cards."""

    def find(self, chip_uids: list[str]) -> Found:
        """What they have of these chips, wherever and whenever it was booked.

        Cardperso is asked first, enroll last: a card that is void goes from enroll before it goes from the
        inventory, so whoever finds no blank any more finds no record either.
        """

    def jobs(self, chip_uids: list[str]) -> Iterable[Personalized]:
        """What cardperso alone has of these chips."""

    def put_aside(self) -> Iterator[PutAside]:
        """Blanks that were spoiled in the scope."""


@dataclass(frozen=True)
class Scope:
    """A region with all below it (empty for the country), from a day to a day (``None`` for open)."""

    region: str = ""
    first: date | None = None
    last: date | None = None

    def has_place(self, place: str) -> bool:
        """Whether ``place`` is the region or below it."""
        region = self.region
        return region in {"", "ID"} or place == region or place.startswith((f"{region}.", f"{region}:"))

    def has_day(self, day: str) -> bool:
        """Whether the ISO ``day`` is one of them."""
        first = self.first.isoformat() if self.first else ""
        return first <= day and (self.last is None or day <= self.last.isoformat())


def day_of(seconds: int) -> str:
    """The ledger's day of a moment. No zone of the country begins its day within an hour."""
    return _day_of_hour(seconds // 3600)


@lru_cache(maxsize=1 << 16)
def _day_of_hour(hour: int) -> str:
    return days.day_of(datetime.fromtimestamp(hour * 3600, UTC)).isoformat()
