"""Claims of card stations on records, in the database."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from services.common.errors import FailedPrecondition, NotFound
from services.enroll.record import Record, Status
from services.enroll.store import record_of
from services.enroll.tables import CLAIMS, RECORDS


class ClaimState(StrEnum):
    """What became of a claim."""

    STANDING = "STANDING"
    RELEASED = "RELEASED"
    LAPSED = "LAPSED"
    PRINTED = "PRINTED"


@dataclass(frozen=True, slots=True)
class Claim:
    """A record on loan to a card station until ``expire_time``; it stands until its end is booked."""

    claim_id: str
    record_id: str
    claimant: str
    state: ClaimState
    expire_time: datetime


def oldest_print_ready(conn: sa.Connection, region: str, now: datetime) -> Record | None:
    """Reads and locks the print-ready record of a region that arrived first and is not held back; None where
    none waits.
    """
    query = (
        sa.select(RECORDS)
        .where(
            RECORDS.c.region == region,
            RECORDS.c.status == int(Status.PRINT_READY_RECORD),
            sa.or_(RECORDS.c.next_attempt_time.is_(None), RECORDS.c.next_attempt_time <= now),
        )
        .order_by(RECORDS.c.arrival_number)
        .limit(1)
        .with_for_update()
    )
    row = conn.execute(query).first()
    return None if row is None else record_of(row)


def insert(conn: sa.Connection, record_id: str, claimant: str, now: datetime, expire_time: datetime) -> Claim:
    """Makes a claim that stands."""
    claim = Claim(str(uuid.uuid4()), record_id, claimant, ClaimState.STANDING, expire_time)
    conn.execute(
        sa.insert(CLAIMS).values(
            claim_id=claim.claim_id,
            record_id=record_id,
            claimant=claimant,
            state=claim.state.value,
            create_time=now,
            expire_time=expire_time,
        )
    )
    return claim


def standing(conn: sa.Connection, claim_id: str, *, lock: bool) -> Claim:
    """Reads a claim that must stand; locked, it stands until the end of the transaction.

    Raises:
        NotFound: ``CLAIM_UNKNOWN``.
        FailedPrecondition: ``CLAIM_ENDED``; the metadata say how.
    """
    query = sa.select(CLAIMS).where(CLAIMS.c.claim_id == claim_id)
    row = conn.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(
            "CLAIM_UNKNOWN",
            f"There is no claim {claim_id}.",
            field="claim_id",
            remedy="Use the claim_id that ClaimNextRecord returned.",
        )
    claim = _claim(row)
    if claim.state is not ClaimState.STANDING:
        raise FailedPrecondition(
            "CLAIM_ENDED",
            f"The claim {claim_id} has ended: {claim.state.lower()}.",
            field="claim_id",
            remedy="Stop working on the record, and claim the next one under a new request_id.",
            metadata={"state": claim.state.value},
        )
    return claim


def update(conn: sa.Connection, claim: Claim, **changes: Any) -> None:
    """Changes a claim that was locked before."""
    conn.execute(sa.update(CLAIMS).where(CLAIMS.c.claim_id == claim.claim_id).values(**changes))


def releases(conn: sa.Connection, record_id: str) -> int:
    """Counts how often stations gave the record back without a card."""
    query = sa.select(sa.func.count()).where(
        CLAIMS.c.record_id == record_id, CLAIMS.c.state == ClaimState.RELEASED.value
    )
    return int(conn.execute(query).scalar_one())


def lapsed(conn: sa.Connection, now: datetime, *, lock: bool) -> list[Claim]:
    """Reads the claims that stand past their time; locking leaves out those that another process handles."""
    query = (
        sa.select(CLAIMS)
        .where(CLAIMS.c.state == sa.literal_column("'STANDING'"), CLAIMS.c.expire_time <= now)
        .order_by(CLAIMS.c.expire_time)
    )
    if lock:
        query = query.with_for_update(skip_locked=True)
    return [_claim(row) for row in conn.execute(query)]


def _claim(row: sa.Row[Any]) -> Claim:
    return Claim(row.claim_id, row.record_id, row.claimant, ClaimState(row.state), row.expire_time)
