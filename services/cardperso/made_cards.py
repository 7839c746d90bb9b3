"""The SQL of cards that were made, and of blanks that were lost, for comparison with other services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from services.cardperso.job import Errand, Review, State
from services.cardperso.tables import JOBS
from services.common.spans import Span

#: Rows read from the database, and sent in one message, at once.
BATCH = 1000

_FINISHED = (State.PRINTED, State.HANDED_OVER)
_MADE = (State.VERIFIED, *_FINISHED)
_LOST = (State.SPOILED, State.VOID)
_COLUMNS = (
    *(JOBS.c[name] for name in ("chip_uid", "job_id", "blank_serial", "location", "record_id", "version")),
    *(JOBS.c[name] for name in ("card_time", "loss_time", "state", "outcome")),
)


class Step(StrEnum):
    """What a job has yet to do about its card."""

    NONE = "NONE"
    BOOK = "BOOK"
    GIVE_UP = "GIVE_UP"
    VOID = "VOID"


@dataclass(frozen=True)
class MadeCard:
    """A chip that was written and read back; ``time`` is when its blank was booked, ``void_time`` when its
    card was called void, each ``None`` before.
    """

    chip_uid: str
    job_id: str
    serial: int
    location: str
    record_id: str
    time: datetime | None
    void_time: datetime | None
    step: Step
    #: Grows with every change of the job.
    version: int
    #: Jobs that say they have made a card of this chip.
    jobs: int


@dataclass(frozen=True)
class LostBlank:
    """A blank that a job has spoiled, or whose card is void."""

    job_id: str
    serial: int
    location: str
    time: datetime
    accepted: bool
    errand: str
    #: Whether its card is void and the inventory has yet to be told.
    untold: bool


def of_span(conn: sa.Connection, span: Span, after: str) -> Iterator[list[MadeCard]]:
    """Booked cards of a span in the order of their chips, behind ``after``, in batches."""
    chosen = sa.select(*_COLUMNS).where(
        JOBS.c.card_time.is_not(None),
        JOBS.c.state.in_([state.value for state in _MADE]),
        JOBS.c.chip_uid > after,
        *span.has_moment(JOBS.c.card_time),
        *span.has_place(JOBS.c.location),
    )
    if not span.is_open:
        # The days first and their order second: the index of chips would read every card there is.
        chosen = sa.select(chosen.cte("chosen").prefix_with("MATERIALIZED"))
    rows = chosen.subquery("made")
    query = sa.select(rows, _jobs_of(rows.c.chip_uid)).order_by(rows.c.chip_uid)
    for part in conn.execute(query, execution_options={"yield_per": BATCH}).partitions():
        yield [_made(row) for row in part]


def of_chips(conn: sa.Connection, chip_uids: Sequence[str]) -> list[MadeCard]:
    """What there is of these chips, booked or not, or being voided, in their order."""
    made = JOBS.c.state.in_([state.value for state in _MADE])
    being_voided = sa.and_(JOBS.c.state == State.VOID.value, JOBS.c.errand == Errand.VOID.value)
    query = (
        sa.select(*_COLUMNS, _jobs_of(JOBS.c.chip_uid))
        .where(JOBS.c.chip_uid.in_(chip_uids), sa.or_(made, being_voided))
        .order_by(JOBS.c.chip_uid, JOBS.c.entry)
    )
    return [_made(row) for row in conn.execute(query)]


def lost(conn: sa.Connection, span: Span) -> Iterator[list[LostBlank]]:
    """Blanks that jobs lost, in the order in which they did, in batches."""
    query = (
        sa.select(JOBS)
        .where(
            JOBS.c.loss_time.is_not(None),
            JOBS.c.blank_serial != 0,
            JOBS.c.state.in_([state.value for state in _LOST]),
            *span.has_moment(JOBS.c.loss_time),
            *span.has_place(JOBS.c.location),
        )
        .order_by(JOBS.c.loss_time, JOBS.c.entry)
    )
    for part in conn.execute(query, execution_options={"yield_per": BATCH}).partitions():
        yield [
            LostBlank(
                row.job_id,
                row.blank_serial,
                row.location,
                row.loss_time,
                row.review == Review.ACCEPTED.value,
                ": ".join(filter(None, (row.errand, row.errand_note))),
                row.errand == Errand.VOID.value,
            )
            for row in part
        ]


def _jobs_of(chip_uid: sa.ColumnElement[Any]) -> sa.Label[int]:
    same = JOBS.alias("same")
    of_chip = sa.select(sa.func.count()).where(
        same.c.chip_uid == chip_uid,
        same.c.card_time.is_not(None),
        same.c.state.in_([state.value for state in _MADE]),
    )
    return of_chip.scalar_subquery().label("jobs")


def _made(row: Any) -> MadeCard:
    return MadeCard(
        row.chip_uid,
        row.job_id,
        row.blank_serial,
        row.location,
        row.record_id,
        row.card_time,
        row.loss_time,
        _step(State(row.state), giving_up=row.outcome is not None),
        row.version,
        row.jobs,
    )


def _step(state: State, *, giving_up: bool) -> Step:
    if state in _FINISHED:
        return Step.NONE
    if state is State.VOID:
        return Step.VOID
    return Step.GIVE_UP if giving_up else Step.BOOK
