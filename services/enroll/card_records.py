"""The SQL of records that have a card, for comparison with other services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.common.spans import Span
from services.enroll.claims import ClaimState
from services.enroll.tables import CLAIMS, EVENTS, PRINTED, RECORDS

#: Rows read from the database, and sent in one message, at once.
BATCH = 1000


@dataclass(frozen=True)
class CardRecord:
    """A record with the chip of its card; ``time`` is when that was reported as printed."""

    chip_uid: str
    record_id: str
    region: str
    time: datetime


def of_span(conn: sa.Connection, span: Span, after: str) -> Iterator[list[CardRecord]]:
    """Records whose card was printed in a span, in the order of their chips, behind ``after``, in batches."""
    query = _with_card(RECORDS.c.chip_uid > after, *span.has_place(RECORDS.c.region))
    if not span.is_open:
        query = _printed_in(span, after)
    for part in conn.execute(query, execution_options={"yield_per": BATCH}).partitions():
        yield [_of(row) for row in part]


def of_chips(conn: sa.Connection, chip_uids: Sequence[str]) -> list[CardRecord]:
    """The records with these chips, in their order."""
    return [_of(row) for row in conn.execute(_with_card(RECORDS.c.chip_uid.in_(chip_uids)))]


def on_loan(conn: sa.Connection, record_ids: Sequence[str], now: datetime) -> list[tuple[str, str]]:
    """Those of the records that are on loan, each with the claimant. A claim past its time lends nothing,
    whether its end is booked yet or not.
    """
    query = (
        sa.select(CLAIMS.c.record_id, CLAIMS.c.claimant)
        .where(
            CLAIMS.c.record_id.in_(record_ids),
            CLAIMS.c.state == ClaimState.STANDING.value,
            CLAIMS.c.expire_time > now,
        )
        .order_by(CLAIMS.c.record_id)
    )
    return [(row.record_id, row.claimant) for row in conn.execute(query)]


def _with_card(*wanted: sa.ColumnElement[bool]) -> sa.Select[Any]:
    last = sa.select(sa.func.max(EVENTS.c.event_time)).where(
        PRINTED, EVENTS.c.record_id == RECORDS.c.record_id
    )
    return (
        sa.select(RECORDS.c.chip_uid, RECORDS.c.record_id, RECORDS.c.region)
        .add_columns(last.scalar_subquery().label("time"))
        .where(RECORDS.c.chip_uid.is_not(None), *wanted)
        .order_by(RECORDS.c.chip_uid)
    )


def _printed_in(span: Span, after: str) -> sa.Select[Any]:
    """The events of these days first, and their order second: the index of chips would read every record.

    A record whose card was void has been printed again; the last time counts.
    """
    later = EVENTS.alias("later")
    again = sa.select(later.c.sequence).where(
        later.c.record_id == EVENTS.c.record_id,
        later.c.status == EVENTS.c.status,
        later.c.sequence > EVENTS.c.sequence,
    )
    chosen = (
        sa.select(
            RECORDS.c.chip_uid, RECORDS.c.record_id, RECORDS.c.region, EVENTS.c.event_time.label("time")
        )
        .join_from(EVENTS, RECORDS, RECORDS.c.record_id == EVENTS.c.record_id)
        .where(
            PRINTED,
            *span.has_moment(EVENTS.c.event_time),
            *span.has_place(EVENTS.c.region),
            RECORDS.c.chip_uid > after,
            ~again.exists(),
        )
        .cte("chosen")
        .prefix_with("MATERIALIZED")
    )
    return sa.select(chosen).order_by(chosen.c.chip_uid)


def _of(row: sa.Row[Any]) -> CardRecord:
    return CardRecord(row.chip_uid, row.record_id, row.region, row.time)
