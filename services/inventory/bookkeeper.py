"""What can be done with blanks: each method books one event, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from services.inventory import allocation as allocations
from services.inventory import blank as blanks
from services.inventory import contract as contracts
from services.inventory import reservation as reservations
from services.inventory.allocation import Allocation, AllocationState
from services.inventory.blank import Blank
from services.inventory.contract import Contract, Lot
from services.inventory.ledger import Account, Condition, Kind, Line, OverdrawnError, Transfer
from services.inventory.location import CENTRE, Location
from services.inventory.reservation import Reservation, ReservationState
from services.inventory.serials import SerialRange
from services.inventory.store import Store


class Clerk(NamedTuple):
    """Who books, at which moment, and where new ids come from."""

    actor: str
    now: datetime
    new_id: Callable[[], str]


class Event(NamedTuple):
    """What is booked: the subject is the id of the contract, lot, allocation or reservation."""

    kind: Kind
    subject: str
    reason: str


class Bookkeeper:
    """Books events of the inventory. After an error the caller rolls the transaction back."""

    def __init__(self, store: Store, clerk: Clerk) -> None:
        self._store = store
        self._books = store.books
        self._clerk = clerk

    def sign_contract(self, contract_id: str, supplier: str, quantity: int) -> Contract:
        """Enter a contract: from now on the supplier owes ``quantity`` blanks.

        Raises :class:`AlreadyExists` for a known number.
        """
        contract = Contract(contract_id, supplier, quantity, quantity, self._clerk.now)
        if not self._store.add_contract(contract):
            raise contracts.exists(contract_id)
        promise = Line(contracts.contracted(contract_id), contracts.outstanding(contract_id), quantity)
        self._books.shift(promise.source, promise.target, quantity)
        self._record(Event(Kind.CONTRACT_SIGNED, contract_id, f"signed with {supplier}"), [promise])
        return contract

    def receive_lot(self, contract_id: str, delivery_note: str, serials: SerialRange) -> Lot:
        """Take a delivered lot into stock at the centre.

        Raises :class:`NotFound` for an unknown contract, :class:`FailedPrecondition` for more than is
        outstanding, :class:`AlreadyExists` for a serial that came before.
        """
        if self._store.contract(contract_id) is None:
            raise contracts.unknown(contract_id)
        owed, stock = contracts.outstanding(contract_id), Account(CENTRE, Condition.ON_HAND)
        try:
            self._books.shift(owed, stock, len(serials))
        except OverdrawnError as short:
            raise contracts.exceeded(contract_id, short.balance, short.asked) from short
        # Every lot goes into the centre's account, which is locked now: no other lot can come in between.
        known = self._store.lot_overlapping(serials)
        if known is not None:
            raise contracts.overlapping(serials, known)
        lot = Lot(self._clerk.new_id(), contract_id, delivery_note, serials, self._clerk.now)
        self._store.add_lot(lot)
        self._books.put([serials], stock)
        event = Event(Kind.LOT_RECEIVED, lot.lot_id, f"delivery note {delivery_note}")
        self._record(event, [Line(owed, stock, len(serials), serials)])
        return lot

    def allocate(self, source: Location, target: Location, quantity: int, reason: str) -> Allocation:
        """Set the ``quantity`` lowest free serials of ``source`` aside for ``target``.

        Raises :class:`InvalidArgument` for one location twice, :class:`FailedPrecondition` for too little
        stock.
        """
        allocations.require_two_places(source, target)
        event = Event(Kind.ALLOCATION_CREATED, self._clerk.new_id(), reason)
        transfer = self._set_aside(event, source, Condition.ALLOCATED, quantity, field="quantity")
        allocation = Allocation(
            allocation_id=event.subject,
            source=source,
            target=target,
            quantity=quantity,
            reason=reason,
            state=AllocationState.ALLOCATED,
            serials=transfer.serials,
            create_time=self._clerk.now,
        )
        self._store.add_allocation(allocation, transfer.transfer_id)
        return allocation

    def cancel(self, allocation_id: str, reason: str) -> Allocation:
        """Withdraw an allocation before its dispatch; its blanks are free again."""
        before = self._allocation(allocation_id)
        after = before.cancelled()
        event = Event(Kind.ALLOCATION_CANCELLED, allocation_id, reason)
        free = Account(before.source, Condition.ON_HAND)
        self._hand_over(event, before.set_aside, free, before.serials, holder=None)
        self._store.save_allocation(after)
        return after

    def dispatch(self, allocation_id: str) -> Allocation:
        """Send an allocation: the sender's stock goes down, nobody's goes up."""
        before = self._allocation(allocation_id)
        after = before.dispatched(self._clerk.now)
        event = Event(Kind.ALLOCATION_DISPATCHED, allocation_id, before.reason)
        self._hand_over(event, before.set_aside, before.under_way, before.serials, holder=allocation_id)
        self._store.save_allocation(after)
        return after

    def receive(self, allocation_id: str) -> Allocation:
        """Confirm the receipt of an allocation: the receiver's stock goes up."""
        before = self._allocation(allocation_id)
        after = before.received(self._clerk.now)
        event = Event(Kind.ALLOCATION_RECEIVED, allocation_id, before.reason)
        stock = Account(before.target, Condition.ON_HAND)
        self._hand_over(event, before.under_way, stock, before.serials, holder=None)
        self._store.save_allocation(after)
        return after

    def reserve(self, location: Location, purpose: str) -> Blank:
        """Hold the lowest free serial of ``location``; :class:`FailedPrecondition` when there is none."""
        event = Event(Kind.BLANK_RESERVED, self._clerk.new_id(), purpose)
        transfer = self._set_aside(event, location, Condition.RESERVED, 1, field="location")
        reservation = Reservation(
            reservation_id=event.subject,
            serial=transfer.serials[0].first,
            location=location,
            purpose=purpose,
            state=ReservationState.HELD,
            reserve_time=self._clerk.now,
        )
        self._store.add_reservation(reservation)
        return self._blank(reservation, Condition.RESERVED)

    def release(self, reservation_id: str, reason: str) -> Blank:
        """Give an unused blank back to the stock that it came from."""
        ended = self._end(reservation_id, ReservationState.RELEASED, reason)
        return self._settle(Kind.BLANK_RELEASED, ended, Condition.ON_HAND)

    def consume(self, reservation_id: str, chip_uid: str) -> Blank:
        """Turn a held blank into a card. Raises :class:`AlreadyExists` for a chip UID that was ever bound
        before.
        """
        ended = self._end(reservation_id, ReservationState.CONSUMED, "")
        self._bind(chip_uid, ended)
        return self._settle(Kind.BLANK_CONSUMED, ended, Condition.CONSUMED, chip_uid)

    def spoil(self, reservation_id: str, reason: str, chip_uid: str) -> Blank:
        """Book a held blank as spoiled, with its chip UID where that could be read (else empty)."""
        ended = self._end(reservation_id, ReservationState.SPOILED, reason)
        if chip_uid:
            self._bind(chip_uid, ended)
        return self._settle(Kind.BLANK_SPOILED, ended, Condition.SPOILED, chip_uid)

    def _allocation(self, allocation_id: str) -> Allocation:
        found = self._store.allocation(allocation_id, lock=True)
        if found is None:
            raise allocations.unknown(allocation_id)
        return found

    def _end(self, reservation_id: str, state: ReservationState, reason: str) -> Reservation:
        found = self._store.lock_reservation(reservation_id)
        if found is None:
            raise reservations.unknown(reservation_id)
        ended = found.ended(state, self._clerk.now, reason)
        self._store.save_reservation(ended)
        return ended

    def _bind(self, chip_uid: str, reservation: Reservation) -> None:
        bound_to = self._store.bind_chip(chip_uid, reservation)
        if bound_to is not None:
            raise blanks.uid_bound(chip_uid, bound_to)

    def _settle(self, kind: Kind, ended: Reservation, condition: Condition, chip_uid: str = "") -> Blank:
        event = Event(kind, ended.reservation_id, ended.end_reason or ended.purpose)
        held, target = Account(ended.location, Condition.RESERVED), Account(ended.location, condition)
        self._hand_over(event, held, target, [ended.serials], holder=None)
        return self._blank(ended, condition, chip_uid)

    def _blank(self, reservation: Reservation, condition: Condition, chip_uid: str = "") -> Blank:
        lot = self._store.lot_overlapping(reservation.serials)
        assert lot is not None
        account = Account(reservation.location, condition)
        return Blank(reservation.serial, lot.lot_id, account, reservation, chip_uid)

    def _set_aside(
        self, event: Event, location: Location, condition: Condition, quantity: int, *, field: str
    ) -> Transfer:
        """Move the lowest free serials of a location, held for the event's subject from now on."""
        free, held = Account(location, Condition.ON_HAND), Account(location, condition)
        try:
            self._books.shift(free, held, quantity)
        except OverdrawnError as short:
            raise blanks.insufficient(location, short.balance, short.asked, field) from short
        ranges = self._books.take_lowest(free, quantity)
        self._books.put(ranges, held, event.subject)
        return self._record(event, [Line(free, held, len(serials), serials) for serials in ranges])

    def _hand_over(
        self,
        event: Event,
        source: Account,
        target: Account,
        ranges: Sequence[SerialRange],
        *,
        holder: str | None,
    ) -> None:
        """Move the serials that are held for the event's subject; ``holder`` is whom they are held for
        afterwards.
        """
        self._books.shift(source, target, sum(len(serials) for serials in ranges))
        self._books.take(ranges, source, event.subject)
        self._books.put(ranges, target, holder)
        self._record(event, [Line(source, target, len(serials), serials) for serials in ranges])

    def _record(self, event: Event, lines: Sequence[Line]) -> Transfer:
        transfer = Transfer(
            transfer_id=self._clerk.new_id(),
            kind=event.kind,
            subject=event.subject,
            actor=self._clerk.actor,
            reason=event.reason,
            book_time=self._clerk.now,
            lines=tuple(lines),
        )
        self._books.record(transfer)
        return transfer
