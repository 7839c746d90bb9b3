"""Taking the last step of a shipment back: its receipt, so that it is under way again, or its dispatch.

Each transfer that the step made gets its opposite. What has moved on meanwhile cannot be taken back: it has
to come back first.
"""

from __future__ import annotations

from dataclasses import replace

from services.common.errors import FailedPrecondition
from services.inventory import allocation as allocations
from services.inventory import movement_tables
from services.inventory.allocation import Allocation, AllocationState
from services.inventory.desk import Desk, Event, not_there
from services.inventory.ledger import Account, Condition, Kind, Line, NotThereError, Transfer
from services.inventory.loan import Loan, LoanState
from services.inventory.movement_store import MovementStore
from services.inventory.spoilage import SpoilageState

_OF_RECEIPT = (
    Kind.ALLOCATION_RECEIVED,
    Kind.RECEIPT_SHORT,
    Kind.RECEIPT_DAMAGED,
    Kind.RECEIPT_SURPLUS,
    Kind.LOAN_OWED,
    Kind.LOAN_RETURNED,
)
_OF_LOAN = (Kind.LOAN_OWED, Kind.LOAN_RETURNED)


class ShipmentReversal:
    """Books the way back. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._books = desk.books
        self._movements = MovementStore(desk.store.connection)

    def reverse(self, allocation_id: str, reason: str) -> Allocation:
        """The allocation after its last step was taken back.

        Raises :class:`FailedPrecondition` when it has no step to take back, or some of it has moved on.
        """
        before = self._desk.store.allocation(allocation_id, lock=True)
        if before is None:
            raise allocations.unknown(allocation_id)
        if before.state is AllocationState.RECEIVED:
            after = self._receipt(before, reason)
        elif before.state is AllocationState.DISPATCHED:
            after = self._dispatch(before, reason)
        else:
            raise allocations.nothing_to_reverse(before)
        self._desk.store.save_allocation(after)
        return after

    def _dispatch(self, sent: Allocation, reason: str) -> Allocation:
        self._movements.require_open(sent.source, "allocation_id")
        (booked,) = self._books.standing([sent.allocation_id], [Kind.ALLOCATION_DISPATCHED], [sent.under_way])
        event = Event(Kind.SHIPMENT_REVERSED, sent.allocation_id, reason, reverses=booked.transfer_id)
        self._desk.move_held(
            event,
            sent.under_way,
            sent.set_aside,
            sent.quantity,
            sent.serials,
            held_for=sent.allocation_id,
            holder=sent.allocation_id,
        )
        return replace(sent, state=AllocationState.ALLOCATED, dispatch_time=None)

    def _receipt(self, sent: Allocation, reason: str) -> Allocation:
        place = Account(sent.target, Condition.ON_HAND, sent.item)
        into = [place, place.to(Condition.MISSING), place.to(Condition.SPOILED)]
        subjects = [sent.allocation_id]
        loan = None
        if sent.loan_id is not None:
            loan = self._movements.loans.get(sent.loan_id, lock=True)
            assert loan is not None
            subjects.append(loan.loan_id)
            into += [
                Account(loan.lender, Condition.LENT, loan.item),
                Account(loan.borrower, Condition.BORROWED, loan.item),
            ]
        made = self._books.standing(subjects, _OF_RECEIPT, into)
        own = [number for number, booked in enumerate(made) if booked.kind not in _OF_LOAN]
        for number in own:
            self._take_back(sent, made[number], reason)
        # A receipt books the debt right after its goods; other receipts of the loan have theirs.
        kind = Kind.LOAN_OWED if loan is not None and sent.target == loan.borrower else Kind.LOAN_RETURNED
        for booked in made[own[-1] + 1 :][:1]:
            if loan is not None and booked.kind is kind and booked.book_time == sent.receive_time:
                self._settle(loan, booked, reason)
        # As one range each, as they were sent: so they are taken at the next receipt.
        self._books.put(sent.serials, sent.under_way, sent.allocation_id)
        for spoilage in self._desk.store.spoilages.where(
            movement_tables.spoilage.c.subject == sent.allocation_id
        ):
            self._desk.store.spoilages.save(replace(spoilage, state=SpoilageState.REVERSED))
        return replace(
            sent,
            state=AllocationState.DISPATCHED,
            receive_time=None,
            missing=0,
            damaged=0,
            surplus=0,
        )

    def _take_back(self, sent: Allocation, booked: Transfer, reason: str) -> None:
        """The opposite of a transfer of the receipt; a surplus is free at the sender again."""
        source, target = booked.lines[0].target, booked.lines[0].source
        self._desk.shift(source, target, sum(line.quantity for line in booked.lines), "allocation_id")
        try:
            self._books.take_free(booked.serials, source)
        except NotThereError as elsewhere:
            raise not_there(elsewhere, "allocation_id") from elsewhere
        if booked.kind is Kind.RECEIPT_SURPLUS:
            self._books.put(booked.serials, target)
        self._opposite(sent.allocation_id, booked, reason)

    def _settle(self, loan: Loan, booked: Transfer, reason: str) -> None:
        """What was owed because of the receipt no longer is; what was given back is owed again."""
        line = booked.lines[0]
        more = -line.quantity if booked.kind is Kind.LOAN_OWED else line.quantity
        if loan.owed + more < 0:
            raise FailedPrecondition(
                "LOAN_GIVEN_BACK",
                f"Of loan {loan.loan_id} only {loan.owed} units are still owed; the rest was given back.",
                field="allocation_id",
                remedy="Take the receipt of what was given back back first.",
                metadata={"owed": str(loan.owed)},
            )
        self._desk.shift(line.target, line.source, line.quantity, "allocation_id")
        self._opposite(loan.loan_id, booked, reason)
        self._movements.loans.save(replace(loan, owed=loan.owed + more, state=LoanState.LENT))

    def _opposite(self, subject: str, booked: Transfer, reason: str) -> None:
        event = Event(Kind.SHIPMENT_REVERSED, subject, reason, reverses=booked.transfer_id)
        self._desk.record(
            event, [Line(line.target, line.source, line.quantity, line.serials) for line in booked.lines]
        )
