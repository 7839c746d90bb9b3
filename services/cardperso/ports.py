"""What card personalization needs of its two neighbours.

Calls raise typed errors: `NotFound`, `FailedPrecondition`, `AlreadyExists` and `InvalidArgument` are
decisions, everything else may pass.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from services.cardperso.holder import Holder
from services.cardperso.job import Job


@dataclass(frozen=True)
class Claim:
    """A record on loan."""

    claim_id: str
    holder: Holder


@dataclass(frozen=True)
class Reservation:
    """A blank on hold."""

    reservation_id: str
    serial: int


@dataclass(frozen=True)
class ChipStanding:
    """What the inventory knows of a chip: whether it came with another lot than the blank's or with none that
    has a list, and the other blank that it belongs to already (0 for none).
    """

    foreign: bool = False
    used_by: int = 0


class Enroll(Protocol):
    """The records and their queue."""

    def claim(self, request_id: str, region: str, claimant: str, issue_date: dt.date) -> Claim:
        """The record that waits longest; NotFound QUEUE_EMPTY, FailedPrecondition CLAIM_ENDED."""
        ...

    def renew(self, claim_id: str) -> None:
        """Prolong a claim; FailedPrecondition CLAIM_ENDED."""
        ...

    def release(self, request_id: str, claim_id: str, reason: str) -> None:
        """Give the record back to its place; FailedPrecondition CLAIM_ENDED."""
        ...

    def report_printed(self, request_id: str, claim_id: str, chip_uid: str) -> None:
        """The card is made; FailedPrecondition CLAIM_ENDED, AlreadyExists CHIP_UID_IN_USE."""
        ...

    def void_card(self, request_id: str, job: Job) -> None:
        """The card of the job was rejected after it was booked: its record goes back to its place;
        FailedPrecondition NO_CARD_TO_VOID.
        """
        ...

    def report_issued(self, request_id: str, record_id: str, chip_uid: str) -> None:
        """The holder has it."""
        ...


class Inventory(Protocol):
    """The blanks."""

    def reserve(self, request_id: str, location: str, purpose: str) -> Reservation:
        """Hold a blank; FailedPrecondition INSUFFICIENT_STOCK."""
        ...

    def check_chip(self, reservation_id: str, chip_uid: str) -> ChipStanding:
        """Whether a chip may become the card of a held blank."""
        ...

    def release(self, request_id: str, reservation_id: str, reason: str) -> None:
        """Give an untouched blank back."""
        ...

    def consume(self, request_id: str, reservation_id: str, chip_uid: str) -> None:
        """The blank became this chip's card; AlreadyExists CHIP_UID_BOUND."""
        ...

    def spoil(self, request_id: str, reservation_id: str, reason: str, chip_uid: str, operator: str) -> str:
        """The blank is ruined; the id of its spoilage, which waits for a reviewer. AlreadyExists
        CHIP_UID_BOUND, FailedPrecondition RESERVATION_CONSUMED.
        """
        ...

    def void(self, request_id: str, reservation_id: str, reason: str, chip_uid: str, operator: str) -> str:
        """The blank that became this chip's card is ruined after all; the id of its spoilage."""
        ...

    def review(self, request_id: str, spoilage_id: str, note: str, operator: str, *, accepted: bool) -> None:
        """What a second person says of a spoilage."""
        ...
