"""Stock from one location to another: allocated, dispatched, received as it arrived."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from services.common.errors import InvalidArgument
from services.inventory.desk import Desk, Event
from services.inventory.disposal import noting
from services.inventory.ledger.entries import BLANK, Account, Condition, Kind, Line
from services.inventory.ledger.serials import SerialRange, common, count, ordered, without
from services.inventory.location import Location
from services.inventory.movements import allocation as allocations
from services.inventory.movements.allocation import Allocation, AllocationState
from services.inventory.movements.loan import Loan, LoanState
from services.inventory.movements.store import MovementStore


@dataclass(frozen=True)
class Parcel:
    """Part of a shipment: so many units, and which serials where the item has them."""

    quantity: int = 0
    serials: tuple[SerialRange, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """What the receiver found: not there, there but spoiled, and there beyond what was sent."""

    missing: Parcel = Parcel()
    damaged: Parcel = Parcel()
    surplus: Parcel = Parcel()
    reason: str = ""
    #: Who opened the boxes; needed where something is damaged, which somebody else reviews.
    operator: str = ""


class Shipping:
    """Books what happens to allocations. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.store
        self._movements = MovementStore(desk.store.connection)

    def allocate(
        self,
        source: Location,
        target: Location,
        quantity: int,
        reason: str,
        item: str = BLANK,
        loan_id: str | None = None,
    ) -> Allocation:
        """Set ``quantity`` units of ``source`` aside for ``target``, those with the lowest serials.

        Raises :class:`InvalidArgument` for one location twice, :class:`NotFound` for an unknown item,
        :class:`FailedPrecondition` for too little stock or a site that is closed.
        """
        allocations.require_two_places(source, target)
        if item != BLANK:
            self._desk.item(item)
        self._movements.require_open(target, "to_location")
        event = Event(Kind.ALLOCATION_CREATED, self._desk.clerk.new_id(), reason)
        free = Account(source, Condition.ON_HAND, item)
        transfer = self._desk.move(
            event, free, free.to(Condition.ALLOCATED), quantity, field="quantity", holder=event.subject
        )
        allocation = Allocation(
            allocation_id=event.subject,
            source=source,
            target=target,
            quantity=quantity,
            reason=reason,
            state=AllocationState.ALLOCATED,
            serials=transfer.serials,
            create_time=self._desk.clerk.now,
            item=item,
            loan_id=loan_id,
        )
        self._store.add_allocation(allocation, transfer.transfer_id)
        return allocation

    def lock_all(self, item: str, ways: Iterable[tuple[Location, Location]]) -> None:
        """Lock what several allocations have to do with, each from a place to another, before the first of
        them.
        """
        ways = list(ways)
        self._movements.lock_sites(target for _, target in ways)
        free = [Account(source, Condition.ON_HAND, item) for source, _ in ways]
        self._desk.lock([*free, *(account.to(Condition.ALLOCATED) for account in free)])

    def cancel(self, allocation_id: str, reason: str) -> Allocation:
        """Withdraw an allocation before its dispatch; its stock is free again."""
        before = self._store.allocation(allocation_id, lock=True)
        after = before.cancelled()
        loan = self._loan(before)
        if loan is not None and before.target == loan.borrower:
            # A loan whose shipment never left is over; one whose return never left is not.
            self._movements.loans.save(replace(loan, state=LoanState.CANCELLED))
        event = Event(Kind.ALLOCATION_CANCELLED, allocation_id, reason)
        self._hand_over(event, before, before.set_aside, before.sender)
        self._store.save_allocation(after)
        return after

    def dispatch(self, allocation_id: str) -> Allocation:
        """Send an allocation: the sender's stock goes down, nobody's goes up."""
        before = self._store.allocation(allocation_id, lock=True)
        after = before.dispatched(self._desk.clerk.now)
        self._movements.require_open(before.target, "allocation_id")
        event = Event(Kind.ALLOCATION_DISPATCHED, allocation_id, before.reason)
        self._hand_over(event, before, before.set_aside, before.under_way, holder=allocation_id)
        self._store.save_allocation(after)
        return after

    def receive(self, allocation_id: str, receipt: Receipt | None = None) -> Allocation:
        """Confirm the receipt of an allocation: the receiver's stock goes up by what arrived whole.

        What is missing or damaged is booked as such at the receiver; a surplus comes out of the sender's free
        stock, whose books still have it.
        """
        before = self._store.allocation(allocation_id, lock=True)
        found = self._ordered(before.item, receipt or Receipt())
        loan = self._loan(before)
        self._lock(before, found, loan)
        after = before.received(
            self._desk.clerk.now,
            missing=found.missing.quantity,
            damaged=found.damaged.quantity,
            surplus=found.surplus.quantity,
        )
        whole = _whole(before, found)
        finder = self._desk.person(found.operator).signature if found.operator else ""
        if found.damaged.quantity and not finder:
            raise allocations.finder_needed(found.damaged.quantity)
        if before.serials:
            self._desk.books.take(before.serials, before.under_way, allocation_id)
        place = before.arrival
        because = found.reason or before.reason
        self._arrive(Kind.ALLOCATION_RECEIVED, before, place, whole, before.reason)
        self._arrive(Kind.RECEIPT_SHORT, before, place.to(Condition.MISSING), found.missing, because)
        self._arrive(
            Kind.RECEIPT_DAMAGED, before, place.to(Condition.SPOILED), found.damaged, because, finder
        )
        self._add_surplus(before, found.surplus, because)
        if loan is not None:
            self._settle(loan, before.target, whole.quantity + found.surplus.quantity)
        self._store.save_allocation(after)
        return after

    def _ordered(self, item: str, receipt: Receipt) -> Receipt:
        """The receipt with the serials of each parcel in order, counted where the item has serials."""

        def ordered_parcel(parcel: Parcel, field: str) -> Parcel:
            serials, quantity = self._desk.counted(item, parcel.quantity, parcel.serials, f"{field}.serials")
            return Parcel(quantity, serials)

        return replace(
            receipt,
            missing=ordered_parcel(receipt.missing, "missing"),
            damaged=ordered_parcel(receipt.damaged, "damaged"),
            surplus=ordered_parcel(receipt.surplus, "surplus"),
        )

    def _lock(self, sent: Allocation, found: Receipt, loan: Loan | None) -> None:
        """Lock what a receipt books on, where that is more than one movement."""
        place = sent.arrival
        touched = [sent.under_way, place]
        if found.missing.quantity:
            touched.append(place.to(Condition.MISSING))
        if found.damaged.quantity:
            touched.append(place.to(Condition.SPOILED))
        if found.surplus.quantity:
            touched.append(sent.sender)
        lost = found.missing.quantity + found.damaged.quantity
        if loan is not None and sent.quantity + found.surplus.quantity > lost:
            touched += loan.sides
        if len(touched) > 2:
            self._desk.lock(touched)

    def _arrive(
        self, kind: Kind, sent: Allocation, target: Account, parcel: Parcel, reason: str, finder: str = ""
    ) -> None:
        """Book a part of a shipment, whose serials nobody has at this moment, to where it is now."""
        if parcel.quantity == 0:
            return
        event = Event(kind, sent.allocation_id, reason)
        self._desk.books.shift(sent.under_way, target, parcel.quantity)
        self._desk.books.put(parcel.serials, target)
        self._desk.record(event, _lines(sent.under_way, target, parcel))
        if kind is Kind.RECEIPT_DAMAGED:
            noting.note(self._desk, event, target, parcel.quantity, finder)

    def _add_surplus(self, sent: Allocation, surplus: Parcel, reason: str) -> None:
        if surplus.quantity == 0:
            return
        event = Event(Kind.RECEIPT_SURPLUS, sent.allocation_id, reason)
        if surplus.serials:
            self._desk.move_ranges(event, sent.sender, sent.arrival, surplus.serials, field="surplus.serials")
        else:
            self._desk.move(event, sent.sender, sent.arrival, surplus.quantity, field="surplus.quantity")

    def _loan(self, sent: Allocation) -> Loan | None:
        """The loan that the allocation belongs to, locked."""
        return None if sent.loan_id is None else self._movements.loans.get(sent.loan_id, lock=True)

    def _settle(self, before: Loan, receiver: Location, quantity: int) -> None:
        """What arrived of a loan is owed from now on; what arrived of its return no longer is."""
        after, owed_more = before.after_receipt(receiver, quantity)
        self._movements.loans.save(after)
        self._owe(after, owed_more)

    def _owe(self, loan: Loan, more: int) -> None:
        if more == 0:
            return
        source, target = loan.sides if more > 0 else loan.sides[::-1]
        kind = Kind.LOAN_OWED if more > 0 else Kind.LOAN_RETURNED
        self._desk.books.shift(source, target, abs(more))
        self._desk.record(Event(kind, loan.loan_id, loan.reason), [Line(source, target, abs(more))])

    def _hand_over(
        self, event: Event, sent: Allocation, source: Account, target: Account, *, holder: str | None = None
    ) -> None:
        self._desk.move_held(
            event, source, target, sent.quantity, sent.serials, held_for=sent.allocation_id, holder=holder
        )


def _whole(sent: Allocation, found: Receipt) -> Parcel:
    """What arrived as it was sent. Raises :class:`InvalidArgument` for a receipt of what was not sent."""
    quantity = sent.quantity - found.missing.quantity - found.damaged.quantity
    cut = ordered([*found.missing.serials, *found.damaged.serials], "damaged")
    if quantity < 0 or count(common(sent.serials, cut)) != count(cut):
        raise InvalidArgument(
            "MORE_THAN_WAS_SENT",
            f"Allocation {sent.allocation_id} has {sent.quantity} units; the receipt names others.",
            field="missing",
            remedy="Name as missing or damaged only what was sent; GetAllocation has the serials.",
        )
    return Parcel(quantity, tuple(without(sent.serials, cut)))


def _lines(source: Account, target: Account, parcel: Parcel) -> Sequence[Line]:
    if not parcel.serials:
        return [Line(source, target, parcel.quantity)]
    return [Line(source, target, len(serials), serials) for serials in parcel.serials]
