"""The way back into the queue for a record whose card was rejected after it was booked.

Two people and a reason are needed, and all three are in the record's history: whoever recomputes the order
of the queue sees why an early arrival was served twice. The chip is void for ever, so that a rejected card
never stands for anybody again.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from services.common.errors import FailedPrecondition, PermissionDenied
from services.enroll.record import Record, Status
from services.enroll.store import Store
from services.enroll.tables import VOID_CARDS

#: Where a record has a card that its holder does not have yet.
_BEFORE_ISSUE = (Status.CARD_PRINTED, Status.CARD_SHIPPED)


class Rejection(NamedTuple):
    """What is wrong with a card, who rejected it and who agreed (ids of operators)."""

    reason: str
    rejected_by: str
    reviewed_by: str


def void_card(
    conn: sa.Connection,
    store: Store,
    record_id: str,
    chip_uid: str,
    rejection: Rejection,
    *,
    actor: str,
    at: datetime,
) -> Record:
    """Gives the record back to its place in the queue; the place is its arrival number.

    Args:
        conn: Transaction.
        store: The records.
        record_id: Which one.
        chip_uid: Chip of the card; must be the record's.
        rejection: Why, and by whom.
        actor: Who says so.
        at: When.

    Raises:
        NotFound: ``RECORD_UNKNOWN``.
        PermissionDenied: ``SECOND_PERSON_NEEDED``: one person is not two.
        FailedPrecondition: ``NO_CARD_TO_VOID``: it has no card, or its holder has it;
            ``CHIP_UID_DISAGREES``: its card is another one.
    """
    if rejection.rejected_by.casefold() == rejection.reviewed_by.casefold():
        raise PermissionDenied(
            "SECOND_PERSON_NEEDED",
            f"{rejection.reviewed_by} has rejected the card and cannot agree to it as well.",
            field="reviewed_by",
            remedy="Let another person review the card.",
        )
    record = store.lock(conn, record_id)
    if record.status not in _BEFORE_ISSUE:
        raise FailedPrecondition(
            "NO_CARD_TO_VOID",
            f"The record has no card that could be taken back: it is {record.status.name}.",
            field="record_id",
            remedy="A card can be voided from when it is printed until its holder has it.",
            metadata={"status": record.status.name},
        )
    if record.chip_uid != chip_uid:
        raise FailedPrecondition(
            "CHIP_UID_DISAGREES",
            f"The chip {chip_uid} is not the one on this record's card.",
            field="chip_uid",
            remedy="Void the card that was made for this record.",
            metadata={"chip_uid": record.chip_uid},
        )
    conn.execute(
        sa.insert(VOID_CARDS).values(
            chip_uid=chip_uid, record_id=record_id, void_time=at, **rejection._asdict()
        )
    )
    people = f"rejected by {rejection.rejected_by}, reviewed by {rejection.reviewed_by}"
    store.move(
        conn,
        record,
        Status.PRINT_READY_RECORD,
        actor=actor,
        at=at,
        reason=f"CARD_VOID: {rejection.reason}; {people}",
        chip_uid=None,
    )
    return store.get(conn, record_id)


def is_void(conn: sa.Connection, chip_uid: str) -> bool:
    """Whether a card with this chip was rejected."""
    return conn.scalar(sa.select(VOID_CARDS.c.chip_uid).where(VOID_CARDS.c.chip_uid == chip_uid)) is not None
