"""One attempt to make one card: its states, and the only ways from one to the next.

PENDING → CLAIMED → WRITING → VERIFIED → PRINTED → HANDED_OVER

A job that cannot go on first notes how it is to end (`outcome`, with the reason), then undoes what it holds,
then
ends: SPOILED where the blank was touched, FAILED where it was not. The note makes the undoing itself survive
    a crash.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from dataclasses import dataclass, replace
from enum import StrEnum

from services.common.errors import FailedPrecondition


class State(StrEnum):
    """How far a job has come."""

    PENDING = "PENDING"
    CLAIMED = "CLAIMED"
    WRITING = "WRITING"
    VERIFIED = "VERIFIED"
    PRINTED = "PRINTED"
    HANDED_OVER = "HANDED_OVER"
    SPOILED = "SPOILED"
    FAILED = "FAILED"
    VOID = "VOID"


class Card(StrEnum):
    """What there is of a job's card."""

    BLANK = "BLANK"
    PERSONALIZED = "PERSONALIZED"
    QUALITY_CHECKED = "QUALITY_CHECKED"
    HANDED_OVER = "HANDED_OVER"
    VOID = "VOID"


class Review(StrEnum):
    """What a second person says of a rejected or spoiled card."""

    NONE = ""
    ACCEPTED = "ACCEPTED"
    QUESTIONED = "QUESTIONED"


class Errand(StrEnum):
    """What a neighbour has yet to be told of a card that is out of the reader."""

    NONE = ""
    HAND_OVER = "HAND_OVER"
    VOID = "VOID"
    REVIEW = "REVIEW"


OPEN = (State.PENDING, State.CLAIMED, State.WRITING, State.VERIFIED)
"""States in which a worker has something to do."""

TAKEN_OVER = "CARD_TAKEN_OVER"
"""Begins the reason of a job that waits for a card that another station has begun."""

_NAMESPACE = uuid.UUID("2f0c5f0e-6a5b-5c43-9a3e-0d2d3a7d1c55")


@dataclass(frozen=True)
class Job:
    """A job. `version` grows with every change; empty texts and zeros stand for what is not known yet."""

    job_id: str
    state: State
    region: str
    location: str
    station: str
    reader: str
    issue_date: dt.date
    create_time: dt.datetime
    update_time: dt.datetime
    entry: int = 0
    version: int = 1
    claim_id: str = ""
    record_id: str = ""
    reservation_id: str = ""
    blank_serial: int = 0
    chip_uid: str = ""
    consumed: bool = False
    apdu_count: int = 0
    chip_seconds: float = 0.0
    readback_mismatches: int = 0
    outcome: State | None = None
    reason: str = ""
    operator: str = ""
    batch_id: str = ""
    station_name: str = ""
    checked_by: str = ""
    rejected_by: str = ""
    reject_reason: str = ""
    reviewed_by: str = ""
    review: Review = Review.NONE
    review_note: str = ""
    spoilage_id: str = ""
    errand: Errand = Errand.NONE
    errand_note: str = ""
    sent: bool = False
    #: When the inventory had booked the blank as a card, and when the job spoiled it or its card.
    card_time: dt.datetime | None = None
    loss_time: dt.datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether a worker has something to do."""
        return self.state in OPEN

    @property
    def is_over(self) -> bool:
        """Whether the card is with its holder, or will never be."""
        return self.state in (State.HANDED_OVER, State.SPOILED, State.FAILED, State.VOID)

    @property
    def card(self) -> Card:
        """What there is of its card."""
        if self.state in (State.SPOILED, State.VOID):
            return Card.VOID
        if self.state is State.HANDED_OVER:
            return Card.HANDED_OVER
        if self.state not in (State.VERIFIED, State.PRINTED):
            return Card.BLANK
        return Card.QUALITY_CHECKED if self.checked_by else Card.PERSONALIZED

    def waits_for_people(self, *, quality_check: bool) -> bool:
        """Whether somebody must look at the finished card before it is booked."""
        finished = self.state is State.VERIFIED and self.sent and self.outcome is None and not self.consumed
        return finished and bool(self.rejected_by or (quality_check and not self.checked_by))

    def digest(self) -> bytes:
        """SHA-256 over what the job came to, for the audit log."""
        facts = (self.job_id, self.state, self.record_id, self.blank_serial, self.chip_uid, self.reason)
        return hashlib.sha256(json.dumps(facts).encode()).digest()

    def request_id(self, step: str) -> str:
        """Idempotency key of a step: the same one after every crash."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.job_id}/{step}"))

    def stored(self, now: dt.datetime) -> Job:
        """The job as a change of `now` leaves it. What became of the blank keeps the moment it was first
        known.
        """
        lost = self.state in (State.SPOILED, State.VOID)
        return replace(
            self,
            version=self.version + 1,
            update_time=now,
            card_time=self.card_time or (now if self.consumed else None),
            loss_time=self.loss_time or (now if lost else None),
        )

    def claimed(self, claim_id: str, record_id: str) -> Job:
        """A record is on loan and fits the chip."""
        return self._to(State.CLAIMED, State.PENDING, claim_id=claim_id, record_id=record_id)

    def holds(self, claim_id: str, record_id: str) -> Job:
        """A record is on loan; noted at once so that it can be given back."""
        return self._to(State.PENDING, State.PENDING, claim_id=claim_id, record_id=record_id)

    def reserved(self, reservation_id: str, serial: int) -> Job:
        """A blank is held."""
        return self._to(State.WRITING, State.CLAIMED, reservation_id=reservation_id, blank_serial=serial)

    def touched(self, chip_uid: str) -> Job:
        """This chip is about to be written: from now on the blank is either a card or spoiled."""
        return self._to(State.WRITING, State.WRITING, chip_uid=chip_uid)

    def untouched(self) -> Job:
        """The chip refused the first change: it is as it was, and another one may be written."""
        return self._to(State.WRITING, State.WRITING, chip_uid="")

    def read(self, mismatches: int) -> Job:
        """The chip was read back; `mismatches` bytes differ."""
        return replace(self, readback_mismatches=mismatches)

    def worked(self, apdus: int, seconds: float) -> Job:
        """APDUs and their seconds are added."""
        return replace(self, apdu_count=self.apdu_count + apdus, chip_seconds=self.chip_seconds + seconds)

    def verified(self) -> Job:
        """The chip holds exactly what it should, and both faces are drawn."""
        return self._to(State.VERIFIED, State.WRITING)

    def faces_sent(self) -> Job:
        """The printer has printed both faces."""
        return replace(self, sent=True, reason="" if self.outcome is None else self.reason)

    def booked(self) -> Job:
        """The inventory has booked the blank as consumed."""
        return self._to(State.VERIFIED, State.VERIFIED, consumed=True)

    def printed(self) -> Job:
        """The record is CARD_PRINTED."""
        return self._to(State.PRINTED, State.VERIFIED)

    def handing_over(self) -> Job:
        """The holder is about to get the card; until that is booked nobody can reject it.

        Raises:
            FailedPrecondition: there is no finished card, it was rejected, or it was handed over before.
        """
        if self.rejected_by:
            raise FailedPrecondition(
                "CARD_REJECTED",
                f"{self.rejected_by} has rejected the card of job {self.job_id}: {self.reject_reason}.",
                field="job_id",
                remedy="Let a second person review it.",
            )
        if self.state is not State.PRINTED:
            raise FailedPrecondition(
                f"CARD_{self.state}",
                f"The card of job {self.job_id} cannot be handed over: the job is {self.state}.",
                field="job_id",
                remedy="Hand over the card of a job that is PRINTED.",
                metadata={"state": self.state.value},
            )
        return replace(self, errand=Errand.HAND_OVER)

    def handed_over(self) -> Job:
        """Enroll knows that the holder has the card."""
        return self._to(State.HANDED_OVER, State.PRINTED, errand=Errand.NONE)

    def refuse_while_handed_over(self) -> None:
        """Raise FailedPrecondition where a hand-over was begun and enroll may know of it."""
        if self.errand is Errand.HAND_OVER:
            raise FailedPrecondition(
                "CARD_BEING_HANDED_OVER",
                f"The card of job {self.job_id} is being handed over.",
                field="job_id",
                remedy="Repeat the hand-over, which was interrupted, to finish it.",
            )

    def put_aside(self, spoilage_id: str) -> Job:
        """The inventory has spoiled the blank."""
        return replace(self, spoilage_id=spoilage_id)

    def with_review_due(self) -> Job:
        """The inventory is to hear what the second person said, where there is anything to tell."""
        due = self.review is not Review.NONE and self.spoilage_id and self.errand is not Errand.VOID
        return replace(self, errand=Errand.REVIEW, errand_note="") if due else self

    def done(self) -> Job:
        """The neighbours know all."""
        return replace(self, errand=Errand.NONE, errand_note="")

    def delayed(self, why: str) -> Job:
        """A neighbour could not be told."""
        return replace(self, errand_note=why[:500])

    def ending(self, outcome: State, reason: str) -> Job:
        """The job will end so, once what it holds is given back."""
        return replace(self, outcome=outcome, reason=reason[:500])

    def ended(self) -> Job:
        """All is given back."""
        if self.outcome is None:
            raise ValueError("a job ends with an outcome")
        return replace(self, state=self.outcome, errand_note="")

    def waiting(self, reason: str) -> Job:
        """The job stands still for a reason that may pass."""
        return replace(self, reason=reason[:500])

    def _to(self, state: State, expected: State, **changes: str | int | bool) -> Job:
        if self.state is not expected:
            raise ValueError(f"a job goes to {state} from {expected}, not from {self.state}")
        return replace(self, state=state, reason="", **changes)  # type: ignore[arg-type]
