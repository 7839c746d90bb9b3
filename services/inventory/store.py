"""The SQL of items, lots, allocations, reservations and chips, over one open transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from services.inventory import items, tables
from services.inventory.blanks.blank import Blank, unknown
from services.inventory.blanks.reservation import Reservation, ReservationState
from services.inventory.contracts.delivery import Lot
from services.inventory.items import Item
from services.inventory.ledger.books import Books
from services.inventory.ledger.entries import Account
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import Location
from services.inventory.movements import allocation as allocations
from services.inventory.movements.allocation import Allocation, AllocationState
from services.inventory.records import Page, insert_new, one_more, paged

_allocation, _chip, _item = tables.allocation, tables.chip, tables.item
_lot, _reservation = tables.lot, tables.reservation
_given = sa.bindparam

# The statements of every reservation are built once, as those of the books are.
_LOT_UP_TO = sa.select(_lot).where(_lot.c.first <= _given("serial")).order_by(_lot.c.first.desc()).limit(1)
_ADD_RESERVATION = sa.insert(_reservation)
_LOCK_RESERVATION = (
    sa.select(_reservation).where(_reservation.c.reservation_id == _given("of_id")).with_for_update()
)
_END_RESERVATION = (
    sa.update(_reservation)
    .where(_reservation.c.reservation_id == _given("of_id"))
    .values(state=_given("now_state"), end_time=_given("now_end_time"), end_reason=_given("now_end_reason"))
)


class Store:
    """What the inventory remembers, beside the ``books`` of where the blanks are."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.books = Books(connection)

    def item(self, item_id: str) -> Item:
        """The item of the catalogue; raises :class:`NotFound`."""
        row = self.connection.execute(sa.select(_item).where(_item.c.item_id == item_id)).first()
        if row is None:
            raise items.unknown(item_id)
        return _to_item(row)

    def items(self) -> list[Item]:
        """The catalogue in order of entry."""
        return [_to_item(row) for row in self.connection.execute(sa.select(_item).order_by(_item.c.entry))]

    def add_item(self, item: Item) -> bool:
        """Add an item; ``False`` when its id is taken."""
        return insert_new(self.connection, _item.c.item_id, **asdict(item))

    def add_lot(self, lot: Lot) -> None:
        """Add a lot, whose serials are known to be new."""
        self.connection.execute(
            sa.insert(_lot).values(
                lot_id=lot.lot_id,
                contract_id=lot.contract_id,
                delivery_note=lot.delivery_note,
                first=lot.serials.first,
                last=lot.serials.last,
                receive_time=lot.receive_time,
            )
        )

    def lot(self, lot_id: str, *, lock: bool = False) -> Lot | None:
        """One lot; ``None`` where there is none, or its receipt was taken back. With ``lock`` nobody enters
        its chips meanwhile.
        """
        query = sa.select(_lot).where(_lot.c.lot_id == lot_id)
        row = self.connection.execute(query.with_for_update() if lock else query).first()
        return None if row is None else _to_lot(row)

    def drop_lot(self, lot_id: str) -> None:
        """Let the serials of a lot whose receipt is taken back come with another one."""
        self.connection.execute(sa.delete(_lot).where(_lot.c.lot_id == lot_id))

    def lot_overlapping(self, serials: SerialRange) -> Lot | None:
        """The last lot that shares a serial with ``serials``. Lots never overlap, so the last one to begin
        decides.
        """
        row = self.connection.execute(_LOT_UP_TO, {"serial": serials.last}).first()
        return None if row is None or row.last < serials.first else _to_lot(row)

    def lots(self, contract_id: str, after: int, limit: int) -> Page[Lot]:
        """Lots in order of receipt, of one contract unless ``contract_id`` is empty."""
        query = sa.select(_lot)
        if contract_id:
            query = query.where(_lot.c.contract_id == contract_id)
        rows = one_more(self.connection, query, _lot, after, limit)
        return paged(rows, [_to_lot(row) for row in rows], limit)

    def add_allocation(self, allocation: Allocation, transfer_id: str) -> None:
        """Add an allocation; its serials are on the lines of the transfer that set them aside."""
        self.connection.execute(
            sa.insert(_allocation).values(
                allocation_id=allocation.allocation_id,
                source=allocation.source,
                target=allocation.target,
                item=allocation.item,
                quantity=allocation.quantity,
                reason=allocation.reason,
                state=allocation.state,
                transfer_id=transfer_id,
                create_time=allocation.create_time,
                loan_id=allocation.loan_id,
            )
        )

    def allocation(self, allocation_id: str, *, lock: bool = False) -> Allocation:
        """One allocation; with ``lock`` nobody else changes it before the transaction ends. Raises
        :class:`NotFound`.
        """
        query = sa.select(_allocation).where(_allocation.c.allocation_id == allocation_id)
        rows = self.connection.execute(query.with_for_update() if lock else query).all()
        if not rows:
            raise allocations.unknown(allocation_id)
        return self._to_allocations(rows)[0]

    def allocations(
        self, location: Location | None, state: AllocationState | None, after: int, limit: int
    ) -> Page[Allocation]:
        """Allocations in order of decision: from or to ``location`` and in ``state``, if given."""
        query = sa.select(_allocation)
        if location is not None:
            query = query.where(sa.or_(_allocation.c.source == location, _allocation.c.target == location))
        if state is not None:
            query = query.where(_allocation.c.state == state)
        rows = one_more(self.connection, query, _allocation, after, limit)
        return paged(rows, self._to_allocations(rows), limit)

    def on_its_way(self, loan_id: str, target: Location) -> int:
        """Units of a loan that are set aside or under way to ``target``."""
        total = self.connection.scalar(
            sa.select(sa.func.sum(_allocation.c.quantity)).where(
                _allocation.c.loan_id == loan_id,
                _allocation.c.target == target,
                _allocation.c.state.in_((AllocationState.ALLOCATED, AllocationState.DISPATCHED)),
            )
        )
        return int(total or 0)

    def save_allocation(self, allocation: Allocation) -> None:
        """Keep how far a locked allocation has come."""
        self.connection.execute(
            sa.update(_allocation)
            .where(_allocation.c.allocation_id == allocation.allocation_id)
            .values(
                state=allocation.state,
                dispatch_time=allocation.dispatch_time,
                receive_time=allocation.receive_time,
                missing=allocation.missing,
                damaged=allocation.damaged,
                surplus=allocation.surplus,
            )
        )

    def add_reservation(self, reservation: Reservation) -> None:
        """Add a reservation."""
        self.connection.execute(
            _ADD_RESERVATION,
            {
                "reservation_id": reservation.reservation_id,
                "serial": reservation.serial,
                "location": reservation.location,
                "purpose": reservation.purpose,
                "state": reservation.state,
                "reserve_time": reservation.reserve_time,
                "end_reason": reservation.end_reason,
            },
        )

    def lock_reservation(self, reservation_id: str) -> Reservation | None:
        """One reservation, which nobody else changes before the transaction ends."""
        row = self.connection.execute(_LOCK_RESERVATION, {"of_id": reservation_id}).first()
        return None if row is None else _to_reservation(row)

    def save_reservation(self, reservation: Reservation) -> None:
        """Keep how a locked reservation ended."""
        self.connection.execute(
            _END_RESERVATION,
            {
                "of_id": reservation.reservation_id,
                "now_state": reservation.state,
                "now_end_time": reservation.end_time,
                "now_end_reason": reservation.end_reason,
            },
        )

    def bind_chip(self, chip_uid: str, reservation: Reservation) -> int | None:
        """Bind the chip to the reservation's blank for ever; the blank that has it already, if one has."""
        bound = insert_new(
            self.connection,
            _chip.c.chip_uid,
            chip_uid=chip_uid,
            serial=reservation.serial,
            bind_time=reservation.end_time,
        )
        if bound:
            return None
        return self.connection.scalar(sa.select(_chip.c.serial).where(_chip.c.chip_uid == chip_uid))

    def blank(self, serial: int) -> Blank | None:
        """The blank as it is now; ``None`` for a serial that was never delivered."""
        account = self.books.account_of(serial)
        lot = self.lot_overlapping(SerialRange(serial, serial))
        if account is None or lot is None:
            return None
        chip_uid = self.connection.scalar(sa.select(_chip.c.chip_uid).where(_chip.c.serial == serial))
        return Blank(serial, lot.lot_id, account, self._latest_reservation(serial), chip_uid or "")

    def whereabouts(self, ranges: Sequence[SerialRange]) -> Iterator[tuple[Account, SerialRange]]:
        """Who has these serials now: each account with the part of a range that it has.

        Raises :class:`NotFound` for a serial that was never delivered.
        """
        for serials in ranges:
            first = serials.first
            while first <= serials.last:
                held = self.books.holding_of(first)
                if held is None:
                    raise unknown(first)
                account, last = held
                part = SerialRange(first, min(last, serials.last))
                yield account, part
                first = part.last + 1

    def _latest_reservation(self, serial: int) -> Reservation | None:
        row = self.connection.execute(
            sa.select(_reservation)
            .where(_reservation.c.serial == serial)
            .order_by(_reservation.c.entry.desc())
            .limit(1)
        ).first()
        return None if row is None else _to_reservation(row)

    def _to_allocations(self, rows: Sequence[sa.Row[Any]]) -> list[Allocation]:
        serials = self.books.serials_of([row.transfer_id for row in rows])
        return [
            Allocation(
                allocation_id=row.allocation_id,
                source=Location(row.source),
                target=Location(row.target),
                quantity=row.quantity,
                reason=row.reason,
                state=AllocationState(row.state),
                serials=serials[row.transfer_id],
                create_time=row.create_time,
                dispatch_time=row.dispatch_time,
                receive_time=row.receive_time,
                item=row.item,
                missing=row.missing,
                damaged=row.damaged,
                surplus=row.surplus,
                loan_id=row.loan_id,
            )
            for row in rows
        ]


def _to_item(row: sa.Row[Any]) -> Item:
    return Item(row.item_id, row.name, row.unit, bool(row.serialised), row.cards_per_unit)


def _to_lot(row: sa.Row[Any]) -> Lot:
    return Lot(
        row.lot_id, row.contract_id, row.delivery_note, SerialRange(row.first, row.last), row.receive_time
    )


def _to_reservation(row: sa.Row[Any]) -> Reservation:
    return Reservation(
        reservation_id=row.reservation_id,
        serial=row.serial,
        location=Location(row.location),
        purpose=row.purpose,
        state=ReservationState(row.state),
        reserve_time=row.reserve_time,
        end_time=row.end_time,
        end_reason=row.end_reason,
    )
