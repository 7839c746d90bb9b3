"""Carries a job from the claim to the booked card, one stored step after the other.

Every call to a neighbour has an id made from the job and the step, so a step that was interrupted is simply
done again. The chip's UID is stored before the chip is changed: after a crash or a tear the same card is
finished, and any other card leaves the blank spoiled. No card is booked before a reader's look at it found
that it holds what was signed, and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.cardperso.booking import DECISIONS, Booking, told
from services.cardperso.chip.plan import ChipPlan
from services.cardperso.chip.refusal import ChipRefusal
from services.cardperso.encoder import Encoder, RefusedCardError, RuinedError, TornError
from services.cardperso.face.render import Faces
from services.cardperso.holder import Holder
from services.cardperso.job import TAKEN_OVER, Job, State
from services.cardperso.jobs import Jobs
from services.cardperso.metrics import ChipMeter
from services.cardperso.pcsc import CardTimeout, PcscFault
from services.cardperso.ports import Enroll, Inventory
from services.cardperso.printing.printer import CardPrinter, NoPrinter, PrinterFault, PrintFailed
from services.cardperso.store import JOB_CHANGED
from services.common.errors import TunggalError
from services.common.logs import get_logger

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0
_RENEW_SECONDS = 20.0
_LOOK_SECONDS = 0.2
_MAX_TEARS = 3
"""How often one card is taken up again within one run of the service; what tears so often is the card."""

_log = get_logger()

Encode = Callable[[Holder], ChipPlan]
"""What the chip of a holder is to hold; raises `ChipRefusal`, and faults of the keystore."""


@dataclass(frozen=True)
class Policy:
    """Patience, in seconds, and the word across the card's faces."""

    card_wait: float
    resume_wait: float
    mark: str
    quality_check: bool = False


class LostJobError(Exception):
    """Another station has taken the job over: this one lets go of it."""


@dataclass(frozen=True)
class _Work:
    """What a claimed record comes to: the person and the content of the chip."""

    holder: Holder
    chip: ChipPlan


class Personalizer:
    """Runs the jobs of one reader; one at a time."""

    def __init__(
        self,
        jobs: Jobs,
        encoder: Encoder,
        encode: Encode,
        enroll: Enroll,
        inventory: Inventory,
        meter: ChipMeter,
        policy: Policy,
        printer: CardPrinter | None = None,
    ) -> None:
        self._jobs = jobs
        self._encoder = encoder
        self._encode = encode
        self._enroll = enroll
        self._inventory = inventory
        self._meter = meter
        self._policy = policy
        self._printer = printer or NoPrinter()
        self._booking = Booking(jobs, enroll, inventory)
        self._work: dict[str, _Work] = {}

    def run(self, job: Job, stop: threading.Event) -> Job:
        """Go on with a job until it has ended or `stop` is set. Whatever may pass is tried again for ever."""
        delay = _FIRST_DELAY
        try:
            while job.is_open and not stop.is_set() and not self.waits_for_people(job):
                try:
                    job = self._step(job, stop)
                    delay = _FIRST_DELAY
                except TunggalError as error:
                    if error.reason == JOB_CHANGED:
                        job = self._mine(job)  # somebody said something of its card meanwhile
                        continue
                    _log.warning(
                        "card_job_waits", job_id=job.job_id, reason=error.reason, detail=error.message
                    )
                    job = self._jobs.note(self._mine(job), told(error))
                    stop.wait(delay)
                    delay = min(2 * delay, _LONGEST_DELAY)
        except LostJobError:
            _log.warning("card_job_taken_over", job_id=job.job_id)
        finally:
            self._work.pop(job.job_id, None)
        return job

    def waits_for_people(self, job: Job) -> bool:
        """Whether somebody must look at the finished card before it is booked."""
        return job.waits_for_people(quality_check=self._policy.quality_check)

    def keep(self, job: Job) -> None:
        """See to it that the record of a card that waits for people stays on loan."""
        try:
            self._enroll.renew(job.claim_id)
        except DECISIONS as error:
            self._jobs.save(self._mine(job).ending(State.SPOILED, told(error)))

    def _mine(self, job: Job) -> Job:
        """The job as it is stored.

        Raises:
            LostJobError: another station has it now.
        """
        stored = self._jobs.reload(job)
        if (stored.station, stored.reader) != (job.station, job.reader):
            raise LostJobError
        return stored

    def _step(self, job: Job, stop: threading.Event) -> Job:
        if job.outcome is not None:
            return self._booking.undo(job)
        match job.state:
            case State.PENDING:
                return self._claim(job)
            case State.CLAIMED:
                return self._reserve(job)
            case State.WRITING:
                return self._make(job, stop)
            case _:
                return self._book(job, stop)

    def _claim(self, job: Job) -> Job:
        """Take the next record and see whether it fits the chip, before any blank is touched."""
        try:
            claim = self._enroll.claim(job.request_id("claim"), job.region, job.job_id, job.issue_date)
        except DECISIONS as error:
            return self._jobs.save(job.ending(State.FAILED, told(error)).ended())
        try:
            self._work[job.job_id] = _Work(claim.holder, self._encode(claim.holder))
        except ChipRefusal as refusal:
            held = job.holds(claim.claim_id, claim.holder.record_id)
            return self._jobs.save(held.ending(State.FAILED, told(refusal)))
        return self._jobs.save(job.claimed(claim.claim_id, claim.holder.record_id))

    def _reserve(self, job: Job) -> Job:
        # No blank is taken while there is nothing to print it with.
        self._printer.check()
        try:
            held = self._inventory.reserve(job.request_id("reserve"), job.location, f"card-job/{job.job_id}")
        except DECISIONS as error:
            return self._jobs.save(job.ending(State.FAILED, told(error)))
        return self._jobs.save(job.reserved(held.reservation_id, held.serial))

    def _make(self, job: Job, stop: threading.Event) -> Job:
        """Wait for a card and write it; one that was torn is taken up again a few times."""
        begun = renewed = time.monotonic()
        tears = 0
        refused: dict[str, str] = {}
        try:
            work = self._work.get(job.job_id) or self._again(job)
            while not stop.is_set():
                try:
                    return self._write(job, work, refused, stop)
                except (PcscFault, RefusedCardError, TornError) as obstacle:
                    touched, job = job.chip_uid, self._faced(job, obstacle, refused)
                    tears += isinstance(obstacle, TornError)
                    if isinstance(obstacle, TornError) or job.chip_uid != touched:
                        begun = time.monotonic()
                if tears > _MAX_TEARS or time.monotonic() - begun > self._patience(job):
                    return self._jobs.save(job.ending(_unmade(job), job.reason))
                if time.monotonic() - renewed > _RENEW_SECONDS:
                    self._enroll.renew(job.claim_id)
                    renewed = time.monotonic()
                stop.wait(_LOOK_SECONDS)
        except DECISIONS as error:
            job = self._mine(job)
            return self._jobs.save(job.ending(_unmade(job), told(error)))
        return job

    def _faced(
        self, job: Job, obstacle: PcscFault | RefusedCardError | TornError, refused: dict[str, str]
    ) -> Job:
        """The job after an obstacle, with the reason that it waits for."""
        job = self._mine(job)
        if isinstance(obstacle, TornError):
            return self._jobs.save(job.worked(obstacle.apdus, obstacle.seconds).waiting(str(obstacle)))
        if isinstance(obstacle, RefusedCardError):
            refused[obstacle.chip_uid] = str(obstacle)
            if job.chip_uid:
                job = self._jobs.save(job.untouched())
            return self._jobs.note(job, str(obstacle))
        if isinstance(obstacle, CardTimeout):
            refused.clear()  # nothing lies there: whatever comes is looked at anew
            if job.chip_uid and job.reason:
                return job
        return self._jobs.note(job, _obstacle(job, obstacle))

    def _patience(self, job: Job) -> float:
        carried = job.reason.startswith(TAKEN_OVER)
        return self._policy.resume_wait if job.chip_uid and not carried else self._policy.card_wait

    def _again(self, job: Job) -> _Work:
        """The same claim once more, after a restart."""
        claim = self._enroll.claim(job.request_id("claim"), job.region, job.job_id, job.issue_date)
        work = self._work[job.job_id] = _Work(claim.holder, self._encode(claim.holder))
        return work

    def _write(self, job: Job, work: _Work, refused: dict[str, str], stop: threading.Event) -> Job:
        """Write the card on the reader and read it back; the job VERIFIED, or about to be SPOILED.

        Raises:
            RefusedCardError, TornError, PcscFault: there is no card to write; see the encoder.
        """

        def admit(uid: str) -> None:
            if uid in refused:
                # It is not asked a second time while it lies there: cards count failed sessions.
                raise RefusedCardError(uid, refused[uid])
            self._refuse_used(job, uid)

        def touch(uid: str) -> None:
            nonlocal job
            # A claim that lapsed while we waited must not cost a blank.
            self._enroll.renew(job.claim_id)
            job = self._jobs.save(job.touched(uid))

        try:
            made = self._encoder.make(job, work.chip, admit=admit, touch=touch, stop=stop)
        except RuinedError as ruined:
            self._meter.observe(ruined.seconds, verified=False)
            job = self._mine(job).worked(ruined.apdus, ruined.seconds)
            return self._jobs.save(job.ending(State.SPOILED, str(ruined)))
        seen = made.verification
        job = job.worked(made.apdus, made.seconds).read(seen.differing)
        self._meter.observe(made.seconds, verified=seen.genuine)
        if not seen.genuine:
            return self._jobs.save(job.ending(State.SPOILED, seen.summary))
        faces = self._encoder.faces(
            work.holder, work.chip, made, mark=self._policy.mark, dpi=self._printer.dpi
        )
        return self._print(self._jobs.save(job.verified(), faces), faces, stop)

    def _print(self, job: Job, faces: Faces, stop: threading.Event) -> Job:
        """Print both faces. A printer in trouble is waited for, however long: the chip is good."""
        renewed = time.monotonic()
        while not stop.is_set():
            try:
                self._printer.print(job.job_id, faces)
            except PrintFailed as failed:
                return self._jobs.save(self._mine(job).ending(State.SPOILED, told(failed)))
            except PrinterFault as fault:
                job = self._jobs.note(self._mine(job), told(fault))
            else:
                return self._jobs.save(self._mine(job).faces_sent())
            if time.monotonic() - renewed > _RENEW_SECONDS:
                self._enroll.renew(job.claim_id)
                renewed = time.monotonic()
            stop.wait(_LOOK_SECONDS)
        return job

    def _refuse_used(self, job: Job, uid: str) -> None:
        other = self._jobs.job_of_chip(uid, but=job.job_id)
        standing = self._inventory.check_chip(job.reservation_id, uid)
        if other is not None:
            reason = f"CHIP_ALREADY_USED: chip {uid} belongs to job {other.job_id}."
        elif standing.used_by:
            reason = f"CHIP_ALREADY_USED: chip {uid} belongs to blank {standing.used_by}."
        elif standing.foreign:
            reason = f"CHIP_FOREIGN: chip {uid} did not come with the lot of blank {job.blank_serial}."
        else:
            return
        remedy = f"Put it aside and lay blank {job.blank_serial} on {job.reader}."
        raise RefusedCardError(uid, f"{reason} {remedy}")

    def _book(self, job: Job, stop: threading.Event) -> Job:
        """Book the blank as this chip's card, then the record as printed."""
        if not job.sent:
            # After a restart; a card that was sent before is not printed twice.
            return self._print(job, self._jobs.faces(job), stop)
        return self._booking.book(job)


def _unmade(job: Job) -> State:
    """How a job without a finished card ends: a chip that was begun is ruined."""
    return State.SPOILED if job.chip_uid else State.FAILED


def _obstacle(job: Job, obstacle: PcscFault) -> str:
    """What the operator is to do about a reader that has no card to write."""
    if isinstance(obstacle, CardTimeout) and not job.chip_uid:
        return f"CARD_AWAITED: lay blank {job.blank_serial} on {job.reader}."
    return told(obstacle)
