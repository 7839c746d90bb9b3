"""What people say of a finished card, and what follows from it.

Somebody finds it good, or bad; a second person then agrees or does not. A rejection that stands spoils a
card that is not booked yet, and voids one that is: its record goes back into the queue, its blank to what
waits for destruction. A blank that a torn card has spoiled is reviewed in the same way.
"""

from __future__ import annotations

from dataclasses import replace

from services.cardperso import people
from services.cardperso.job import Errand, Job, Review, State
from services.common.errors import FailedPrecondition, PermissionDenied

_LOST = (State.SPOILED, State.VOID)


def passed(job: Job, by: str) -> Job:
    """Somebody found the card good.

    Raises:
        FailedPrecondition: there is no finished card here, or somebody found it bad.
    """
    _refuse_absent(job, "passed")
    _refuse_rejected(job)
    return replace(job, checked_by=by)


def rejected(job: Job, by: str, reason: str) -> Job:
    """Somebody found the card bad; it waits for a second person.

    Raises:
        FailedPrecondition: there is no finished card here, or it was rejected before.
    """
    _refuse_absent(job, "rejected")
    _refuse_rejected(job)
    return replace(job, rejected_by=by, reject_reason=reason[:300], checked_by="")


def reviewed(job: Job, by: str, *, confirmed: bool, note: str = "") -> Job:
    """A second person has looked at what was rejected or spoiled.

    Raises:
        PermissionDenied: it is the same person.
        FailedPrecondition: there is nothing to review, or the card is being booked at this moment.
    """
    waiting = job.rejected_by and job.state in (State.VERIFIED, State.PRINTED) and job.outcome is None
    lost = job.state in _LOST
    if not (waiting or lost) or job.review is Review.ACCEPTED:
        raise FailedPrecondition(
            "NOTHING_TO_REVIEW",
            f"The card of job {job.job_id} is neither rejected nor spoiled, or was reviewed before.",
            field="job_id",
            remedy="List what waits for a review.",
        )
    if people.same(by, job.rejected_by or job.operator):
        raise PermissionDenied(
            "SAME_PERSON",
            f"{by} cannot review the card of job {job.job_id}: a second person must.",
            field="job_id",
            remedy="Ask somebody else.",
        )
    if waiting and not confirmed:
        return replace(job, rejected_by="", reject_reason="")
    if waiting and job.state is State.VERIFIED and job.consumed:
        raise FailedPrecondition(
            "CARD_BEING_BOOKED",
            f"The card of job {job.job_id} is being booked at this moment.",
            field="job_id",
            remedy="Review it again when the job is PRINTED.",
        )
    said = replace(
        job,
        review=Review.ACCEPTED if confirmed else Review.QUESTIONED,
        reviewed_by=by,
        review_note=note[:200],
    )
    if lost:
        return said.with_review_due()
    verdict = f"{said.reject_reason}; rejected by {said.rejected_by}, reviewed by {by}"[:500]
    if said.state is State.VERIFIED:
        return said.ending(State.SPOILED, verdict)
    return replace(said, state=State.VOID, reason=verdict, errand=Errand.VOID)


def _refuse_rejected(job: Job) -> None:
    if job.rejected_by:
        raise FailedPrecondition(
            "CARD_REJECTED",
            f"{job.rejected_by} has rejected the card of job {job.job_id}: {job.reject_reason}.",
            field="job_id",
            remedy="Let a second person review it.",
        )


def _refuse_absent(job: Job, what: str) -> None:
    job.refuse_while_handed_over()
    if job.state not in (State.VERIFIED, State.PRINTED) or job.outcome is not None:
        raise FailedPrecondition(
            f"CARD_{job.state}",
            f"The card of job {job.job_id} cannot be {what}: the job is {job.state}.",
            field="job_id",
            remedy="A card can be judged from when its chip is verified until it is handed over.",
            metadata={"state": job.state.value},
        )
