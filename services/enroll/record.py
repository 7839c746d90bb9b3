"""A person's record: where it may stand, and the only ways on from there.

Status names are those in public use by the civil registry. The history is append-only; the current state is
kept beside it in the same transaction (:mod:`services.enroll.store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from services.common.crypto import Sealed
from services.common.errors import FailedPrecondition


class Status(IntEnum):
    """Where a record stands; numbered as in the contract, which says what each means."""

    BIO_CAPTURED = 1
    PROCESSING = 2
    SENT_FOR_ENROLLMENT = 3
    RECEIVED_AT_CENTRAL = 4
    PRINT_READY_RECORD = 5
    DUPLICATE_RECORD = 6
    ADJUDICATE_RECORD = 7
    ENROLL_FAILURE_AT_CENTRAL = 8
    ENROLL_FAILURE_AT_REGIONAL = 9
    SEARCH_FAILURE_AT_CENTRAL = 10
    SENT_FOR_CARD_PRINTING = 11
    CARD_PRINTED = 12
    CARD_SHIPPED = 13
    CARD_ISSUED = 14


#: Every step there is. What is not here cannot happen.
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.BIO_CAPTURED: frozenset({Status.PROCESSING}),
    Status.PROCESSING: frozenset({Status.SENT_FOR_ENROLLMENT, Status.ENROLL_FAILURE_AT_REGIONAL}),
    Status.SENT_FOR_ENROLLMENT: frozenset({Status.RECEIVED_AT_CENTRAL}),
    Status.RECEIVED_AT_CENTRAL: frozenset(
        {
            Status.PRINT_READY_RECORD,
            Status.DUPLICATE_RECORD,
            Status.ADJUDICATE_RECORD,
            Status.ENROLL_FAILURE_AT_CENTRAL,
            Status.SEARCH_FAILURE_AT_CENTRAL,
        }
    ),
    Status.PRINT_READY_RECORD: frozenset({Status.SENT_FOR_CARD_PRINTING}),
    # Back to the queue when the station gives up or dies.
    Status.SENT_FOR_CARD_PRINTING: frozenset({Status.CARD_PRINTED, Status.PRINT_READY_RECORD}),
    # Back to the queue when two people find the card bad before its holder has it.
    Status.CARD_PRINTED: frozenset({Status.CARD_SHIPPED, Status.CARD_ISSUED, Status.PRINT_READY_RECORD}),
    Status.CARD_SHIPPED: frozenset({Status.CARD_ISSUED, Status.PRINT_READY_RECORD}),
    Status.DUPLICATE_RECORD: frozenset(),
    Status.ADJUDICATE_RECORD: frozenset(),
    Status.ENROLL_FAILURE_AT_CENTRAL: frozenset(),
    Status.ENROLL_FAILURE_AT_REGIONAL: frozenset(),
    # Not the record's own fault: once the search works again, an operator sends it back.
    Status.SEARCH_FAILURE_AT_CENTRAL: frozenset({Status.SENT_FOR_ENROLLMENT}),
    Status.CARD_ISSUED: frozenset(),
}

#: Where the pipeline picks records up, by itself and in order of arrival.
IN_PIPELINE = (Status.BIO_CAPTURED, Status.PROCESSING, Status.SENT_FOR_ENROLLMENT)


@dataclass(frozen=True, slots=True)
class Record:
    """The current state of a record.

    Attributes:
        record_id: UUID made here; also the subject's id in the ABIS.
        nik: The sixteen digits.
        region: Regency of capture and of printing, for example ``32.16``.
        biodata: What is known of the person, encrypted; :meth:`services.enroll.store.Store.biodata` opens it.
        arrival_number: Place in the order of arrival.
        status: Where it stands.
        reason: Why it waits or failed, ``CODE: sentence``; empty while it moves.
        attempts: Attempts that failed since it entered its status.
        faults: How many of them were faults of the ABIS itself.
        next_attempt_time: When it is tried again, while it waits for something that failed.
        matching_record_id: Record that it duplicates or resembles; empty otherwise.
        match_score: Score of that match, natural log-likelihood ratio.
        chip_uid: Chip of the printed card, upper-case hexadecimal; empty before.
        create_time: When it arrived.
        status_time: When it entered its status.
    """

    record_id: str
    nik: str
    region: str
    biodata: Sealed
    arrival_number: int
    status: Status
    reason: str
    attempts: int
    faults: int
    next_attempt_time: datetime | None
    matching_record_id: str
    match_score: float
    chip_uid: str
    create_time: datetime
    status_time: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One step in a record's life: the status after it, who took it, when and why."""

    sequence: int
    record_id: str
    status: Status
    reason: str
    actor: str
    event_time: datetime


def require_transition(present: Status, following: Status) -> None:
    """Refuses a step that is not in the table.

    Raises:
        FailedPrecondition: ``TRANSITION_NOT_ALLOWED``.
    """
    if following not in TRANSITIONS[present]:
        allowed = ", ".join(status.name for status in sorted(TRANSITIONS[present])) or "nothing"
        raise FailedPrecondition(
            "TRANSITION_NOT_ALLOWED",
            f"A record in {present.name} cannot become {following.name}.",
            remedy=f"From there it can become: {allowed}.",
            metadata={"status": present.name},
        )
