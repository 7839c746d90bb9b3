"""The way back for a record whose search failed for a reason that was not its own."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from services.common.errors import FailedPrecondition
from services.enroll.record import Record, Status
from services.enroll.store import Store


def send_back(
    conn: sa.Connection, store: Store, record_id: str, reason: str, *, actor: str, at: datetime
) -> Record:
    """Sends the record through deduplication again, in its old place in the order of arrival.

    Args:
        conn: Transaction.
        store: The records.
        record_id: Which one.
        reason: What was mended.
        actor: Who says so.
        at: When.

    Raises:
        NotFound: ``RECORD_UNKNOWN``.
        FailedPrecondition: ``NOTHING_TO_RETRY``: its search did not fail.
    """
    record = store.lock(conn, record_id)
    if record.status is not Status.SEARCH_FAILURE_AT_CENTRAL:
        raise FailedPrecondition(
            "NOTHING_TO_RETRY",
            f"The search of this record did not fail; it is {record.status.name}.",
            field="record_id",
            remedy="Retry records in SEARCH_FAILURE_AT_CENTRAL only; those that wait are tried again by "
            "themselves.",
            metadata={"status": record.status.name},
        )
    return store.move(
        conn, record, Status.SENT_FOR_ENROLLMENT, actor=actor, at=at, reason=f"RETRIED: {reason}"
    )
