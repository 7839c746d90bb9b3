"""Where a made card meets the books: blank and record are booked, or what a job holds is given back.

Every call has an id made from the job and the step, so whatever was interrupted is simply done again.
"""

from __future__ import annotations

from services.cardperso.job import Job, State
from services.cardperso.jobs import Jobs
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
            reason = self._give_up_blank(job, reason)
        if job.claim_id:
            try:
                self._enroll.release(job.request_id("release"), job.claim_id, reason)
            except DECISIONS as error:
                _log.info("claim_had_ended", job_id=job.job_id, reason=error.reason)
        return self._jobs.save(job.waiting(reason).ended())

    def _give_up_blank(self, job: Job, reason: str) -> str:
        """Release or spoil the blank; the reason, with a word on a blank that can no longer be spoiled."""
        try:
            if job.outcome is State.FAILED:
                self._inventory.release(job.request_id("unreserve"), job.reservation_id, reason)
            else:
                self._spoil(job, reason)
        except DECISIONS as error:
            if error.reason == "RESERVATION_CONSUMED":
                return (
                    f"CARD_VOID: destroy the card of blank {job.blank_serial}, booked as consumed. {reason}"[
                        :500
                    ]
                )
            _log.warning("blank_had_ended", job_id=job.job_id, reason=error.reason)
        return reason

    def _spoil(self, job: Job, reason: str) -> None:
        try:
            self._inventory.spoil(job.request_id("spoil"), job.reservation_id, reason, job.chip_uid)
        except AlreadyExists:
            # The UID is bound to another blank: a cloned chip. The blank is ruined all the same.
            self._inventory.spoil(job.request_id("spoil-without-uid"), job.reservation_id, reason, "")


def told(error: TunggalError) -> str:
    """An error as the reason of a job."""
    return f"{error.reason}: {error.message}"
