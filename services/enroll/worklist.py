"""What the pipeline works on next, in the database: leases on records, and the gate that holds up everybody.

Several workers, in several processes, take records in order of arrival. A lease says who works on one; it
lapses when its owner dies. While the ABIS cannot be reached the *gate* is shut: a single row that tells
everyone why, and when the next try is due. So the queue behind it stays as it is, however long it grows,
and drains in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from services.common.db import lock
from services.enroll.record import Record, Status
from services.enroll.store import append_event, record_of
from services.enroll.tables import GATES, RECORDS, WAITING

#: Reason code of everything that waits for the ABIS to come back.
UNAVAILABLE = "ABIS_UNAVAILABLE"

_ABIS = "abis"
_BEFORE_THE_GATE = (Status.BIO_CAPTURED, Status.PROCESSING)


@dataclass(frozen=True, slots=True)
class Gate:
    """Why nobody gets to the ABIS, how often it was tried, and when it is tried next."""

    reason: str
    attempts: int
    next_attempt_time: datetime


@dataclass(frozen=True, slots=True)
class Work:
    """A record on lease, and whether the gate was shut when it was taken."""

    record: Record
    gate_shut: bool


def take(conn: sa.Connection, owner: str, now: datetime, until: datetime) -> Work | None:
    """Leases the record that arrived first among those that can go on.

    Args:
        conn: Transaction.
        owner: Process that takes it.
        now: Present moment.
        until: When the lease lapses unless renewed.

    Returns:
        None where nothing can go on now.
    """
    present = gate(conn)
    if present is None:
        record = _lease(conn, (*_BEFORE_THE_GATE, Status.SENT_FOR_ENROLLMENT), owner, now, until)
        return None if record is None else Work(record, gate_shut=False)
    record = _lease(conn, _BEFORE_THE_GATE, owner, now, until)
    if record is None and present.next_attempt_time <= now:
        record = _lease(conn, (Status.SENT_FOR_ENROLLMENT,), owner, now, until)
        if record is not None:
            # One worker tries; for the others the next try is due when its lease would lapse.
            conn.execute(sa.update(GATES).where(GATES.c.name == _ABIS).values(next_attempt_time=until))
    return None if record is None else Work(record, gate_shut=True)


def renew(conn: sa.Connection, owner: str, record_ids: Sequence[str], until: datetime) -> None:
    """Prolongs the leases of a process on these records."""
    conn.execute(
        sa.update(RECORDS)
        .where(RECORDS.c.record_id.in_(record_ids), RECORDS.c.lease_owner == owner)
        .values(lease_until=until)
    )


def still_leased(conn: sa.Connection, record: Record, owner: str) -> Record | None:
    """Locks the record and reads it again; None where it is no longer the owner's to work on."""
    query = (
        sa.select(RECORDS)
        .where(
            RECORDS.c.record_id == record.record_id,
            RECORDS.c.lease_owner == owner,
            RECORDS.c.status == int(record.status),
        )
        .with_for_update()
    )
    row = conn.execute(query).first()
    return None if row is None else record_of(row)


def postpone(
    conn: sa.Connection,
    record: Record,
    reason: str,
    until: datetime,
    *,
    fault: bool,
    actor: str,
    at: datetime,
) -> None:
    """Ends the lease after a failed attempt: the record stays where it is, with the reason, until then.

    The history gets an event when the code of the reason changes, not at each attempt.
    """
    waiting = replace(
        record,
        reason=reason,
        attempts=record.attempts + 1,
        faults=record.faults + int(fault),
        next_attempt_time=until,
    )
    conn.execute(
        sa.update(RECORDS)
        .where(RECORDS.c.record_id == record.record_id)
        .values(
            reason=reason,
            attempts=waiting.attempts,
            faults=waiting.faults,
            next_attempt_time=until,
            lease_owner=None,
            lease_until=None,
        )
    )
    if _code(reason) != _code(record.reason):
        append_event(conn, waiting, actor, at)


def gate(conn: sa.Connection) -> Gate | None:
    """Reads the gate; None while it is open."""
    row = conn.execute(sa.select(GATES).where(GATES.c.name == _ABIS)).first()
    return None if row is None else Gate(row.reason, row.attempts, row.next_attempt_time)


def shut_gate(conn: sa.Connection, shut: Gate) -> None:
    """Shuts the gate, or says anew when it is tried next."""
    lock(conn, "enroll.gate")
    conn.execute(sa.delete(GATES).where(GATES.c.name == _ABIS))
    conn.execute(
        sa.insert(GATES).values(
            name=_ABIS,
            reason=shut.reason,
            attempts=shut.attempts,
            next_attempt_time=shut.next_attempt_time,
        )
    )


def open_gate(conn: sa.Connection) -> None:
    """Opens the gate; whoever was sent away for it is due at once, so that the order of arrival counts
    again.
    """
    conn.execute(sa.delete(GATES).where(GATES.c.name == _ABIS))
    call_back(conn, None)


def call_back(conn: sa.Connection, at: datetime | None) -> None:
    """Lets whoever was sent away at the gate be due at that moment, ``None`` for at once: so whoever arrived
    first is the next to be tried.
    """
    conn.execute(
        sa.update(RECORDS)
        .where(
            WAITING,
            RECORDS.c.status == int(Status.SENT_FOR_ENROLLMENT),
            RECORDS.c.reason.startswith(f"{UNAVAILABLE}:", autoescape=True),
        )
        .values(next_attempt_time=at)
    )


def as_seen(record: Record, shut: Gate | None) -> Record:
    """The record as a reader should see it: behind a shut gate it waits for what the gate waits for now,
    whatever sent it away before.
    """
    own = record.reason and _code(record.reason) != UNAVAILABLE
    if shut is None or record.status is not Status.SENT_FOR_ENROLLMENT or own:
        return record
    return replace(record, reason=shut.reason, next_attempt_time=shut.next_attempt_time)


def _lease(
    conn: sa.Connection, statuses: Sequence[Status], owner: str, now: datetime, until: datetime
) -> Record | None:
    query = (
        sa.select(RECORDS)
        .where(
            WAITING,
            RECORDS.c.status.in_([int(status) for status in statuses]),
            sa.or_(RECORDS.c.lease_until.is_(None), RECORDS.c.lease_until <= now),
            sa.or_(RECORDS.c.next_attempt_time.is_(None), RECORDS.c.next_attempt_time <= now),
        )
        .order_by(RECORDS.c.arrival_number)
        .limit(1)
        # A row that another worker is just taking is not free.
        .with_for_update(skip_locked=True)
    )
    row = conn.execute(query).first()
    if row is None:
        return None
    conn.execute(
        sa.update(RECORDS)
        .where(RECORDS.c.record_id == row.record_id)
        .values(lease_owner=owner, lease_until=until)
    )
    return record_of(row)


def _code(reason: str) -> str:
    return reason.partition(":")[0]
