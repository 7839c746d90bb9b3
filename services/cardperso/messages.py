"""Jobs and readers as messages."""

from __future__ import annotations

from tunggal.cardperso.v1 import cardperso_pb2 as pb

from services.cardperso.job import Card, Job, Review, State
from services.cardperso.pcsc import ReaderState
from services.common.moments import timestamp

SIDES = {pb.CARD_SIDE_FRONT: "front", pb.CARD_SIDE_BACK: "back"}

_STATES = {
    State.PENDING: pb.CARD_JOB_STATE_PENDING,
    State.CLAIMED: pb.CARD_JOB_STATE_CLAIMED,
    State.WRITING: pb.CARD_JOB_STATE_WRITING,
    State.VERIFIED: pb.CARD_JOB_STATE_VERIFIED,
    State.PRINTED: pb.CARD_JOB_STATE_PRINTED,
    State.HANDED_OVER: pb.CARD_JOB_STATE_HANDED_OVER,
    State.SPOILED: pb.CARD_JOB_STATE_SPOILED,
    State.FAILED: pb.CARD_JOB_STATE_FAILED,
    State.VOID: pb.CARD_JOB_STATE_VOID,
}
_CARDS = {
    Card.BLANK: pb.CARD_STATE_BLANK,
    Card.PERSONALIZED: pb.CARD_STATE_PERSONALIZED,
    Card.QUALITY_CHECKED: pb.CARD_STATE_QUALITY_CHECKED,
    Card.HANDED_OVER: pb.CARD_STATE_HANDED_OVER,
    Card.VOID: pb.CARD_STATE_VOID,
}
_REVIEWS = {
    Review.NONE: pb.CARD_REVIEW_UNSPECIFIED,
    Review.ACCEPTED: pb.CARD_REVIEW_ACCEPTED,
    Review.QUESTIONED: pb.CARD_REVIEW_QUESTIONED,
}
_BY_NUMBER = {number: state for state, number in _STATES.items()}


def job(found: Job) -> pb.CardJob:
    """A job's message."""
    return pb.CardJob(
        job_id=found.job_id,
        state=_STATES[found.state],
        region=found.region,
        location=found.location,
        reader=found.reader,
        record_id=found.record_id,
        blank_serial=found.blank_serial,
        chip_uid=found.chip_uid,
        reason=found.reason,
        create_time=timestamp(found.create_time),
        update_time=timestamp(found.update_time),
        apdu_count=found.apdu_count,
        readback_mismatches=found.readback_mismatches,
        chip_seconds=found.chip_seconds,
        batch_id=found.batch_id,
        station=found.station_name,
        card_state=_CARDS[found.card],
        operator=found.operator,
        checked_by=found.checked_by,
        rejected_by=found.rejected_by,
        reviewed_by=found.reviewed_by,
        review=_REVIEWS[found.review],
        review_note=found.review_note,
        spoilage_id=found.spoilage_id,
        errand=": ".join(filter(None, (found.errand, found.errand_note))),
        reject_reason=found.reject_reason,
    )


def reader(found: ReaderState, job_id: str) -> pb.Reader:
    """A reader's message."""
    return pb.Reader(
        name=found.name, card_present=found.card_present, atr=found.atr.hex().upper(), job_id=job_id
    )


def state(number: pb.CardJobState.ValueType) -> State | None:
    """The state of a filter; None for all."""
    return _BY_NUMBER.get(number)
