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

from services.common.errors import FailedPrecondition, PermissionDenied


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

    @property
    def is_open(self) -> bool:
        """Whether a worker has something to do."""
        return self.state in OPEN

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
        finished = self.state is State.VERIFIED and self.outcome is None and not self.consumed
        return finished and bool(self.rejected_by or (quality_check and not self.checked_by))

    def digest(self) -> bytes:
        """SHA-256 over what the job came to, for the audit log."""
        facts = (self.job_id, self.state, self.record_id, self.blank_serial, self.chip_uid, self.reason)
        return hashlib.sha256(json.dumps(facts).encode()).digest()

    def request_id(self, step: str) -> str:
        """Idempotency key of a step: the same one after every crash."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.job_id}/{step}"))

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

    def booked(self) -> Job:
        """The inventory has booked the blank as consumed."""
        return self._to(State.VERIFIED, State.VERIFIED, consumed=True)

    def printed(self) -> Job:
        """The record is CARD_PRINTED."""
        return self._to(State.PRINTED, State.VERIFIED)

    def handed_over(self) -> Job:
        """The holder has the card.

        Raises:
            FailedPrecondition: there is no finished card, or it was handed over before.
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
        return self._to(State.HANDED_OVER, State.PRINTED)

    def passed(self, by: str) -> Job:
        """Somebody found the card good.

        Raises:
            FailedPrecondition: there is no finished card here, or somebody found it bad.
        """
        self._is_here("passed")
        if self.rejected_by:
            raise FailedPrecondition(
                "CARD_REJECTED",
                f"{self.rejected_by} has rejected the card of job {self.job_id}.",
                field="job_id",
                remedy="Let a second person review it.",
            )
        return replace(self, checked_by=by)

    def rejected(self, by: str, reason: str) -> Job:
        """Somebody found the card bad; it waits for a second person.

        Raises:
            FailedPrecondition: there is no finished card here, or it was rejected before.
        """
        self._is_here("rejected")
        if self.rejected_by:
            raise FailedPrecondition(
                "CARD_REJECTED",
                f"{self.rejected_by} has rejected the card of job {self.job_id} already.",
                field="job_id",
                remedy="Let a second person review it.",
            )
        return replace(self, rejected_by=by, reject_reason=reason[:300], checked_by="")

    def reviewed(self, by: str, *, confirmed: bool) -> Job:
        """A second person has looked at what was rejected or spoiled.

        A rejection that stands spoils the card before it is booked and voids it afterwards.

        Raises:
            PermissionDenied: it is the same person.
            FailedPrecondition: there is nothing to review, or a spoiled card shall be good again.
        """
        rejected = self.rejected_by and self.state in (State.VERIFIED, State.PRINTED)
        lost = self.state in (State.SPOILED, State.VOID)
        if not (rejected or lost) or self.reviewed_by:
            raise FailedPrecondition(
                "NOTHING_TO_REVIEW",
                f"The card of job {self.job_id} is neither rejected nor spoiled, or was reviewed before.",
                field="job_id",
                remedy="List what waits for a review.",
            )
        first = self.rejected_by or self.operator
        if by == first:
            raise PermissionDenied(
                "SAME_PERSON",
                f"{by} cannot review the card of job {self.job_id}: a second person must.",
                field="job_id",
                remedy="Ask somebody else.",
            )
        if lost:
            if not confirmed:
                raise FailedPrecondition(
                    "CARD_SPOILED",
                    f"The blank of job {self.job_id} is booked as spoiled.",
                    field="confirmed",
                    remedy="Confirm it here, and question it in the inventory.",
                )
            return replace(self, reviewed_by=by)
        if not confirmed:
            return replace(self, rejected_by="", reject_reason="")
        reason = f"{self.reject_reason}; rejected by {self.rejected_by}, reviewed by {by}"[:500]
        if self.state is State.VERIFIED and not self.consumed:
            return replace(self, outcome=State.SPOILED, reason=reason, reviewed_by=by)
        return replace(self, state=State.VOID, reason=reason, reviewed_by=by)

    def _is_here(self, what: str) -> None:
        if self.state not in (State.VERIFIED, State.PRINTED) or self.outcome is not None:
            raise FailedPrecondition(
                f"CARD_{self.state}",
                f"The card of job {self.job_id} cannot be {what}: the job is {self.state}.",
                field="job_id",
                remedy="A card can be judged from when its chip is verified until it is handed over.",
                metadata={"state": self.state.value},
            )

    def ending(self, outcome: State, reason: str) -> Job:
        """The job will end so, once what it holds is given back."""
        return replace(self, outcome=outcome, reason=reason[:500])

    def ended(self) -> Job:
        """All is given back."""
        if self.outcome is None:
            raise ValueError("a job ends with an outcome")
        return replace(self, state=self.outcome)

    def waiting(self, reason: str) -> Job:
        """The job stands still for a reason that may pass."""
        return replace(self, reason=reason[:500])

    def _to(self, state: State, expected: State, **changes: str | int | bool) -> Job:
        if self.state is not expected:
            raise ValueError(f"a job goes to {state} from {expected}, not from {self.state}")
        return replace(self, state=state, reason="", **changes)  # type: ignore[arg-type]
