"""The SQL of exports: lines of the ledger, balances of closed days, blanks that were used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from services.common.regions import in_region
from services.inventory import tables
from services.inventory.blanks.reservation import ReservationState
from services.inventory.exchange.card_blanks import came_back
from services.inventory.ledger import days
from services.inventory.ledger.entries import Account
from services.inventory.location import CENTRE, Location

_account, _line, _transfer = tables.account, tables.line, tables.transfer
_snapshot, _reservation, _chip = tables.account_day, tables.reservation, tables.chip
_late = tables.late_event

#: What used blanks are listed by: an index finds those of some days.
_order = _reservation.c.end_time

#: Rows read from the database, and sent in one message, at once.
BATCH = 1000


@dataclass(frozen=True)
class Span:
    """What is exported: a region and all below it, an item (empty for all), and days (``None`` for open)."""

    region: Location
    item: str = ""
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class MovementRow:
    """One line of the ledger with its transfer."""

    entry: int
    transfer_id: str
    kind: str
    subject: str
    source: Account
    target: Account
    quantity: int
    first_serial: int
    last_serial: int
    reason: str
    book_time: datetime
    #: When it happened, if that was told late.
    event_time: datetime | None = None
    #: The transfer that it takes back.
    reverses: str | None = None


@dataclass(frozen=True)
class BalanceRow:
    """One account on one closed day."""

    day: date
    account: Account
    added: int
    removed: int
    balance: int


@dataclass(frozen=True)
class UsedBlank:
    """A blank that became a card or was spoiled."""

    serial: int
    location: str
    spoiled: bool
    chip_uid: str
    purpose: str
    time: datetime
    #: Why its card came back, if it did.
    withdrawn: str = ""


class ExchangeStore:
    """What is exported, over one open snapshot."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def movements(self, span: Span) -> Iterator[list[MovementRow]]:
        """Lines of the ledger in order of entry, in batches."""
        source, target = _account.alias("source"), _account.alias("target")
        query = (
            sa.select(_transfer, _line.c.number, _line.c.quantity, _line.c.first, _line.c.last)
            .add_columns(_line.c.source.label("from_code"), _line.c.target.label("to_code"))
            .add_columns(_late.c.event_time)
            .join_from(_line, _transfer, _transfer.c.entry == _line.c.entry)
            .outerjoin(_late, _late.c.entry == _line.c.entry)
            .join(source, source.c.code == _line.c.source)
            .join(target, target.c.code == _line.c.target)
            .where(*_between(_transfer.c.book_time, span))
            .order_by(_line.c.entry, _line.c.number)
        )
        if span.item:
            query = query.where(source.c.item == span.item)
        if span.region != CENTRE:
            query = query.where(
                sa.or_(*in_region(source.c.place, span.region), *in_region(target.c.place, span.region))
            )
        for part in self.connection.execute(query, execution_options={"yield_per": BATCH}).partitions():
            yield [
                MovementRow(
                    entry=row.entry,
                    transfer_id=row.transfer_id,
                    kind=row.kind,
                    subject=row.subject,
                    source=Account.parse(row.from_code),
                    target=Account.parse(row.to_code),
                    quantity=row.quantity,
                    first_serial=row.first or 0,
                    last_serial=row.last or 0,
                    reason=row.reason,
                    book_time=row.book_time,
                    event_time=row.event_time,
                    reverses=row.reverses,
                )
                for row in part
            ]

    def balances(self, span: Span) -> Iterator[list[BalanceRow]]:
        """Balances of closed days by day and location, in batches."""
        query = (
            sa.select(_snapshot)
            .join(_account, _account.c.code == _snapshot.c.code)
            .order_by(_snapshot.c.day, _account.c.place, _snapshot.c.code)
        )
        if span.item:
            query = query.where(_account.c.item == span.item)
        query = query.where(*in_region(_account.c.place, span.region))
        if span.first is not None:
            query = query.where(_snapshot.c.day >= span.first)
        if span.last is not None:
            query = query.where(_snapshot.c.day <= span.last)
        for part in self.connection.execute(query, execution_options={"yield_per": BATCH}).partitions():
            yield [
                BalanceRow(row.day, Account.parse(row.code), row.added, row.removed, row.balance)
                for row in part
            ]

    def used_blanks(
        self, span: Span, after: tuple[datetime, int] | None, limit: int
    ) -> tuple[list[UsedBlank], tuple[datetime, int] | None]:
        """Blanks that became cards or were spoiled, in the order in which they did, behind the moment and the
        number of the reservation ``after``; and where the next page begins, ``None`` at the end.

        The moment is part of it: a card that is voided later moves to the end of the list.
        """
        query = (
            sa.select(_reservation, _chip.c.chip_uid, came_back().label("withdrawn"))
            .join_from(_reservation, _chip, _chip.c.serial == _reservation.c.serial, isouter=True)
            .where(
                _reservation.c.state.in_((ReservationState.CONSUMED, ReservationState.SPOILED)),
                *_between(_reservation.c.end_time, span),
            )
        )
        query = query.where(*in_region(_reservation.c.location, span.region))
        if after is not None:
            moment, entry = after
            behind = sa.tuple_(sa.literal(moment, _order.type), entry)
            query = query.where(sa.tuple_(_order, _reservation.c.entry) > behind)
        rows = list(self.connection.execute(query.order_by(_order, _reservation.c.entry).limit(limit + 1)))
        found = [
            UsedBlank(
                serial=row.serial,
                location=row.location,
                spoiled=row.state == ReservationState.SPOILED,
                chip_uid=row.chip_uid or "",
                purpose=row.purpose,
                time=row.end_time,
                withdrawn=row.withdrawn or "",
            )
            for row in rows[:limit]
        ]
        last = rows[limit - 1] if len(rows) > limit else None
        return found, last and (last.end_time, last.entry)


def _between(moment: sa.Column[Any], span: Span) -> list[Any]:
    wanted: list[Any] = []
    if span.first is not None:
        wanted.append(moment >= days.start_of(span.first))
    if span.last is not None:
        wanted.append(moment < days.end_of(span.last))
    return wanted
