"""Where a made card meets the books: blank and record are booked, or what a job holds is given back.

Every call has an id made from the job and the step, so whatever was interrupted is simply done again.
"""

from __future__ import annotations

from services.cardperso.job import Job, State
from services.cardperso.jobs import Jobs
from services.cardperso.people import operator_id
from services.cardperso.ports import Enroll, Inventory
from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    TunggalError,
)
from services.common.logs import get_logger

DECISIONS = (NotFound, FailedPrecondition, AlreadyExists, InvalidArgument)
"""Answers that another attempt would get again."""

_log = get_logger()


class Booking:
    """Books what became of the blank and of the record of a job."""

    def __init__(self, jobs: Jobs, enroll: Enroll, inventory: Inventory) -> None:
        self._jobs = jobs
        self._enroll = enroll
        self._inventory = inventory

    def book(self, job: Job) -> Job:
        """Book the blank as this chip's card, then the record as printed."""
        try:
            if not job.consumed:
                # Whoever lost the claim must not make a card of the blank: the record may be on another one.
                self._enroll.renew(job.claim_id)
                self._inventory.consume(job.request_id("consume"), job.reservation_id, job.chip_uid)
                job = self._jobs.save(job.booked())
            self._enroll.report_printed(job.request_id("printed"), job.claim_id, job.chip_uid)
        except DECISIONS as error:
            return self._jobs.save(job.ending(State.SPOILED, told(error)))
        return self._jobs.save(job.printed())

    def undo(self, job: Job) -> Job:
        """Give back what the job holds, then end it."""
        reason = job.reason or "UNKNOWN"
        if job.reservation_id:
            job = self._give_up_blank(job, reason)
        if job.claim_id:
            try:
                self._enroll.release(job.request_id("release"), job.claim_id, reason)
            except DECISIONS as error:
                _log.info("claim_had_ended", job_id=job.job_id, reason=error.reason)
        return self._jobs.save(job.waiting(reason).ended().with_review_due())

    def _give_up_blank(self, job: Job, reason: str) -> Job:
        """Release the blank, or put it aside as spoiled: from then on nobody can use it, and it waits for a
        second person.
        """
        try:
            if job.outcome is State.FAILED:
                self._inventory.release(job.request_id("unreserve"), job.reservation_id, reason)
            else:
                job = job.put_aside(self._spoil(job, reason))
        except DECISIONS as error:
            _log.warning("blank_had_ended", job_id=job.job_id, reason=error.reason)
        return job

    def _spoil(self, job: Job, reason: str) -> str:
        operator = operator_id(job.rejected_by or job.operator)

        def spoil(step: str, chip_uid: str) -> str:
            return self._inventory.spoil(job.request_id(step), job.reservation_id, reason, chip_uid, operator)

        try:
            try:
                return spoil("spoil", job.chip_uid)
            except AlreadyExists:
                # The UID is bound to another blank: a cloned chip. The blank is ruined all the same.
                return spoil("spoil-without-uid", "")
        except FailedPrecondition as error:
            if error.reason != "RESERVATION_CONSUMED":
                raise
        # It was booked as a card before that was lost.
        return self._inventory.void(
            job.request_id("void-blank"), job.reservation_id, reason, job.chip_uid, operator
        )


def told(error: TunggalError) -> str:
    """An error as the reason of a job: what happened, then what to do about it."""
    return f"{error.reason}: {error.message} {error.remedy or ''}".rstrip()
