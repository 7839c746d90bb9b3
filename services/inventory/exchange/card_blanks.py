"""The SQL of blanks that became cards, in the order of their chips, for comparison with other services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.common.spans import Span
from services.inventory import tables
from services.inventory.blanks.reservation import ReservationState
from services.inventory.disposal import tables as disposal_tables

_reservation, _chip, _transfer = tables.reservation, tables.chip, tables.transfer
_withdrawal = disposal_tables.withdrawal

#: Rows read from the database, and sent in one message, at once.
BATCH = 1000


@dataclass(frozen=True)
class CardBlank:
    """A blank that became a card; ``withdrawn`` says why that came back, if it did."""

    chip_uid: str
    serial: int
    location: str
    time: datetime
    withdrawn: str


def of_span(connection: sa.Connection, span: Span, after: str) -> Iterator[list[CardBlank]]:
    """Blanks that became cards in a span, in the order of their chips, behind ``after``, in batches."""
    query = _cards(_chip.c.chip_uid > after, *span.has_place(_reservation.c.location))
    if not span.is_open:
        # The days first and their order second: the index of chips would read every card there is.
        chosen = (
            _columns()
            .where(
                _chip.c.chip_uid > after,
                *span.has_moment(_reservation.c.end_time),
                *span.has_place(_reservation.c.location),
            )
            .cte("chosen")
            .prefix_with("MATERIALIZED")
        )
        query = sa.select(chosen).order_by(chosen.c.chip_uid)
    for part in connection.execute(query, execution_options={"yield_per": BATCH}).partitions():
        yield [_of(row) for row in part]


def of_chips(connection: sa.Connection, chip_uids: Sequence[str]) -> list[CardBlank]:
    """The blanks with these chips that became cards, in their order."""
    return [_of(row) for row in connection.execute(_cards(_chip.c.chip_uid.in_(chip_uids)))]


def came_back() -> sa.ScalarSelect[str]:
    """Why the card of a reservation's blank came back: its last withdrawal that was not taken back."""
    given_back = _transfer.alias("given_back")
    return (
        sa.select(_withdrawal.c.cause)
        .outerjoin(given_back, given_back.c.reverses == _withdrawal.c.transfer_id)
        .where(
            _withdrawal.c.serial == _reservation.c.serial,
            given_back.c.entry.is_(None),
            _reservation.c.state == ReservationState.CONSUMED,
        )
        .order_by(_withdrawal.c.entry.desc())
        .limit(1)
        .scalar_subquery()
    )


def _cards(*wanted: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return _columns().where(*wanted).order_by(_chip.c.chip_uid)


def _columns() -> sa.Select[Any]:
    return (
        sa.select(_chip.c.chip_uid, _chip.c.serial, _reservation.c.location, _reservation.c.end_time)
        .add_columns(came_back().label("withdrawn"))
        .join_from(_chip, _reservation, _reservation.c.serial == _chip.c.serial)
        .where(_reservation.c.state == ReservationState.CONSUMED)
    )


def _of(row: sa.Row[Any]) -> CardBlank:
    return CardBlank(row.chip_uid, row.serial, row.location, row.end_time, row.withdrawn or "")
