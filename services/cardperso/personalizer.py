"""Carries a job from the claim to the booked card, one stored step after the other.

Every call to a neighbour has an id made from the job and the step, so a step that was interrupted is simply
done again. The chip's UID is stored before the chip is touched: after a crash the same card is written from
the start, and any other card leaves the blank spoiled. No card is booked before every byte was read back and
compared.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from services.cardperso.chip import writer
from services.cardperso.chip.plan import ChipPlan, plan
from services.cardperso.chip.refusal import ChipRefusal
from services.cardperso.chip.writer import Application
from services.cardperso.face.render import render
from services.cardperso.holder import Holder
from services.cardperso.job import Job, State
from services.cardperso.jobs import Jobs
from services.cardperso.metrics import ChipMeter
from services.cardperso.pcsc import (
    CardChanged,
    CardSession,
    CardTimeout,
    PcscFault,
    PcscUnavailable,
    ReaderGone,
)
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

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0
_RENEW_SECONDS = 20.0
_LOOK_SECONDS = 0.2

_log = get_logger()


@dataclass(frozen=True)
class Policy:
    """Patience, in seconds, and the word across the card's faces."""

    card_wait: float
    resume_wait: float
    apdu: float
    mark: str


class WrongCardError(Exception):
    """The card on the reader is not to be written; nothing was done to it."""


@dataclass(frozen=True)
class _Work:
    """What a claimed record comes to: the person and the content of the chip."""

    holder: Holder
    chip: ChipPlan


class Personalizer:
    """Runs the jobs of one reader; one at a time."""

    def __init__(
        self, jobs: Jobs, enroll: Enroll, inventory: Inventory, meter: ChipMeter, policy: Policy
    ) -> None:
        self._jobs = jobs
        self._enroll = enroll
        self._inventory = inventory
        self._meter = meter
        self._policy = policy
        self._work: dict[str, _Work] = {}

    def run(self, job: Job, stop: threading.Event) -> Job:
        """Go on with a job until it has ended or `stop` is set. Whatever may pass is tried again for ever."""
        delay = _FIRST_DELAY
        try:
            while job.is_open and not stop.is_set():
                try:
                    job = self._step(job, stop)
                    delay = _FIRST_DELAY
                except TunggalError as error:
                    _log.warning(
                        "card_job_waits", job_id=job.job_id, reason=error.reason, detail=error.message
                    )
                    job = self._jobs.note(self._jobs.reload(job), _told(error))
                    stop.wait(delay)
                    delay = min(2 * delay, _LONGEST_DELAY)
        finally:
            self._work.pop(job.job_id, None)
        return job

    def _step(self, job: Job, stop: threading.Event) -> Job:
        if job.outcome is not None:
            return self._undo(job)
        match job.state:
            case State.PENDING:
                return self._claim(job)
            case State.CLAIMED:
                return self._reserve(job)
            case State.WRITING:
                return self._make(job, stop)
            case _:
                return self._book(job)

    def _claim(self, job: Job) -> Job:
        """Take the next record and see whether it fits the chip, before any blank is touched."""
        try:
            claim = self._enroll.claim(job.request_id("claim"), job.region, job.job_id, job.issue_date)
        except DECISIONS as error:
            return self._jobs.save(job.ending(State.FAILED, _told(error)).ended())
        try:
            self._work[job.job_id] = _Work(claim.holder, plan(claim.holder))
        except ChipRefusal as refusal:
            held = job.holds(claim.claim_id, claim.holder.record_id)
            return self._jobs.save(held.ending(State.FAILED, _told(refusal)))
        return self._jobs.save(job.claimed(claim.claim_id, claim.holder.record_id))

    def _reserve(self, job: Job) -> Job:
        try:
            held = self._inventory.reserve(job.request_id("reserve"), job.location, f"card-job/{job.job_id}")
        except DECISIONS as error:
            return self._jobs.save(job.ending(State.FAILED, _told(error)))
        return self._jobs.save(job.reserved(held.reservation_id, held.serial))

    def _make(self, job: Job, stop: threading.Event) -> Job:
        """Wait for a card and write it."""
        begun = renewed = time.monotonic()
        try:
            work = self._work.get(job.job_id) or self._again(job)
            while not stop.is_set():
                try:
                    return self._write(job, work, stop)
                except (PcscFault, WrongCardError) as obstacle:
                    touched, job = job.chip_uid, self._jobs.reload(job)
                    if job.chip_uid != touched:
                        begun = time.monotonic()
                    job = self._jobs.note(job, _obstacle(job, obstacle))
                if time.monotonic() - begun > self._patience(job):
                    return self._jobs.save(job.ending(_unmade(job), job.reason))
                if time.monotonic() - renewed > _RENEW_SECONDS:
                    self._enroll.renew(job.claim_id)
                    renewed = time.monotonic()
                stop.wait(_LOOK_SECONDS)
        except DECISIONS as error:
            return self._jobs.save(job.ending(_unmade(job), _told(error)))
        return job

    def _patience(self, job: Job) -> float:
        return self._policy.resume_wait if job.chip_uid else self._policy.card_wait

    def _again(self, job: Job) -> _Work:
        """The same claim once more, after a restart."""
        claim = self._enroll.claim(job.request_id("claim"), job.region, job.job_id, job.issue_date)
        work = self._work[job.job_id] = _Work(claim.holder, plan(claim.holder))
        return work

    def _write(self, job: Job, work: _Work, stop: threading.Event) -> Job:
        """Write the card on the reader and read it back; the job VERIFIED, or about to be SPOILED.

        Raises:
            WrongCardError: the card must not be written.
            PcscFault: no card was touched, or the card can be written again from the start.
        """
        with CardSession(
            job.reader, wait_seconds=_LOOK_SECONDS, apdu_seconds=self._policy.apdu, stop=stop
        ) as card:
            uid = card.uid()
            found = writer.inspect(card, work.chip.profile)
            if job.chip_uid and uid != job.chip_uid:
                reason = f"CARD_CHANGED: chip {uid} lies on the reader, {job.chip_uid} was begun."
                return self._jobs.save(job.ending(State.SPOILED, reason))
            if not job.chip_uid:
                self._refuse_used(job, uid, found)
                # A claim that lapsed while we waited must not cost a blank.
                self._enroll.renew(job.claim_id)
                job = self._jobs.save(job.touched(uid))
            fault: PcscFault | None = None
            try:
                if found is not Application.SEALED:
                    writer.write(card, work.chip, found)
                job = job.read(writer.read_back(card, work.chip))
                if card.uid() != uid:
                    fault = CardChanged(job.reader)
            except (PcscUnavailable, ReaderGone):
                raise  # not the card's fault: it is written again when PC/SC is back
            except PcscFault as broken:
                fault = broken
            job = job.worked(card.apdus, card.seconds)
            self._meter.observe(card.seconds, verified=fault is None and not job.readback_mismatches)
        if fault is not None:
            return self._jobs.save(job.ending(State.SPOILED, _told(fault)))
        if job.readback_mismatches:
            reason = f"READBACK_MISMATCH: {job.readback_mismatches} bytes on the chip are wrong."
            return self._jobs.save(job.ending(State.SPOILED, reason))
        faces = render(work.holder, uid, work.chip.content("hashes"), mark=self._policy.mark)
        return self._jobs.save(job.verified(), faces)

    def _refuse_used(self, job: Job, uid: str, found: Application) -> None:
        other = self._jobs.job_of_chip(uid, but=job.job_id)
        if other is not None:
            raise WrongCardError(f"CHIP_ALREADY_USED: chip {uid} belongs to job {other.job_id}.")
        if found is not Application.NONE:
            raise WrongCardError(f"CARD_NOT_BLANK: chip {uid} holds an application ({found.value}).")

    def _book(self, job: Job) -> Job:
        """Book the blank as this chip's card, then the record as printed."""
        try:
            if not job.consumed:
                # Whoever lost the claim must not make a card of the blank: the record may be on another one.
                self._enroll.renew(job.claim_id)
                self._inventory.consume(job.request_id("consume"), job.reservation_id, job.chip_uid)
                job = self._jobs.save(job.booked())
            self._enroll.report_printed(job.request_id("printed"), job.claim_id, job.chip_uid)
        except DECISIONS as error:
            return self._jobs.save(job.ending(State.SPOILED, _told(error)))
        return self._jobs.save(job.printed())

    def _undo(self, job: Job) -> Job:
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


def _unmade(job: Job) -> State:
    """How a job without a finished card ends: a chip that was begun is ruined."""
    return State.SPOILED if job.chip_uid else State.FAILED


def _told(error: TunggalError) -> str:
    return f"{error.reason}: {error.message}"


def _obstacle(job: Job, obstacle: PcscFault | WrongCardError) -> str:
    """What the operator is to do about a reader that has no card to write."""
    if isinstance(obstacle, CardTimeout) and not job.chip_uid:
        return f"CARD_AWAITED: lay blank {job.blank_serial} on {job.reader}."
    return _told(obstacle) if isinstance(obstacle, TunggalError) else str(obstacle)
