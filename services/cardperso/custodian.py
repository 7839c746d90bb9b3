"""Tells the neighbours what became of cards after they left the reader, until each of them knows.

A card that two people reject after it was booked is void at once here. Then enroll takes its record back
into the queue, the inventory spoils its blank, and hears what the second person said. Each step has an id
made from the job, so any replica may take it, twice as well.
"""

from __future__ import annotations

import threading

from services.cardperso.booking import told
from services.cardperso.job import Errand, Job, Review
from services.cardperso.jobs import Jobs
from services.cardperso.people import operator_id
from services.cardperso.ports import Enroll, Inventory
from services.common.bell import Bell
from services.common.errors import Aborted, TunggalError
from services.common.logs import get_logger

_AT_ONCE = 100
_RETRY_SECONDS = 5.0
_UNSAID = "seen"
"""Word for the inventory of a reviewer who wrote none."""

_log = get_logger()


class Custodian:
    """Runs the errands of all jobs in the database, whichever host made their cards."""

    def __init__(
        self, jobs: Jobs, enroll: Enroll, inventory: Inventory, bell: Bell, *, poll_seconds: float
    ) -> None:
        self._jobs = jobs
        self._enroll = enroll
        self._inventory = inventory
        self._bell = bell
        self._poll_seconds = poll_seconds

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        while not stop.is_set():
            seen = self._bell.rings
            try:
                late = self.step()
            except TunggalError as error:
                _log.warning("errands_unreadable", reason=error.reason, detail=error.message)
                late = True
            if late:
                stop.wait(_RETRY_SECONDS)
            else:
                self._bell.wait(seen, self._poll_seconds)

    def step(self) -> bool:
        """Run every errand that there is once; whether one of them has to be tried again."""
        late = False
        for job in self._jobs.errands(_AT_ONCE):
            try:
                self._tell(job)
            except Aborted as error:
                _log.info("errand_of_another_replica", job_id=job.job_id, reason=error.reason)
            except TunggalError as error:
                late = True
                _log.warning(
                    "errand_waits",
                    job_id=job.job_id,
                    errand=job.errand.value,
                    reason=error.reason,
                    detail=error.message,
                )
                self._note(job, told(error))
        return late

    def _tell(self, job: Job) -> None:
        if job.errand is Errand.VOID:
            # First the queue: a record that its holder's card stands for after all keeps its blank.
            self._enroll.void_card(job.request_id("void-record"), job)
            spoilage_id = self._inventory.void(
                job.request_id("void-blank"),
                job.reservation_id,
                job.reason,
                job.chip_uid,
                operator_id(job.rejected_by),
            )
            job = self._jobs.keep(job.done().put_aside(spoilage_id).with_review_due())
        self._inventory.review(
            job.request_id(f"review/{job.review}/{job.reviewed_by}/{job.review_note}"),
            job.spoilage_id,
            job.review_note or _UNSAID,
            operator_id(job.reviewed_by),
            accepted=job.review is Review.ACCEPTED,
        )
        self._jobs.keep(job.done())

    def _note(self, job: Job, why: str) -> None:
        try:
            stored = self._jobs.reload(job)
            if stored.errand is not Errand.NONE and stored.errand_note != why[:500]:
                self._jobs.keep(stored.delayed(why))
        except Aborted:
            _log.info("errand_of_another_replica", job_id=job.job_id)
