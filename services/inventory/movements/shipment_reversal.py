"""Taking the last step of a shipment back: its receipt, so that it is under way again, or its dispatch.

Each transfer that the step made gets its opposite. What has moved on meanwhile cannot be taken back: it has
to come back first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.common.errors import FailedPrecondition
from services.inventory.desk import Desk, Event, not_there
from services.inventory.disposal import noting
from services.inventory.disposal.scrap import require_left
from services.inventory.ledger.entries import Account, Condition, Kind, Line, NotThereError, Transfer
from services.inventory.movements import allocation as allocations
from services.inventory.movements.allocation import Allocation, AllocationState
from services.inventory.movements.loan import Loan, LoanState
from services.inventory.movements.store import MovementStore
from services.inventory.reversals.reversal import of_what_is_there, require_alone

_OF_RECEIPT = (
    Kind.ALLOCATION_RECEIVED,
    Kind.RECEIPT_SHORT,
    Kind.RECEIPT_DAMAGED,
    Kind.RECEIPT_SURPLUS,
)


class ShipmentReversal:
    """Books the way back. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._books = desk.books
        self._movements = MovementStore(desk.store.connection)

    def last_step(self, allocation_id: str) -> Transfer:
        """The first transfer of the last step of a shipment.

        Raises :class:`FailedPrecondition` when it has no step to take back.
        """
        return self._steps(self._desk.store.allocation(allocation_id, lock=True))[0]

    def reverse(self, allocation_id: str, reason: str, *, agreed: bool = False) -> Allocation:
        """The allocation after its last step was taken back.

        Raises :class:`FailedPrecondition` when it has no step to take back, some of it has moved on, or it
        takes two people who have not ``agreed``.
        """
        before = self._desk.store.allocation(allocation_id, lock=True)
        booked = self._steps(before)
        if not agreed:
            require_alone(booked[0], self._desk.clerk, "allocation_id")
        loan = self._movements.loans.get(before.loan_id, lock=True) if before.loan_id else None
        noting.strike(self._desk, allocation_id, "allocation_id", agreed=agreed)
        with of_what_is_there():
            if before.state is AllocationState.RECEIVED:
                after = self._receipt(before, booked, loan, reason)
            else:
                after = self._dispatch(before, booked[0], reason)
        self._desk.store.save_allocation(after)
        return after

    def _steps(self, sent: Allocation) -> list[Transfer]:
        """What the last step of the shipment itself booked, without the debt of a loan."""
        if sent.state is AllocationState.RECEIVED:
            return self._books.standing([sent.allocation_id], _OF_RECEIPT, _received(sent))
        if sent.state is AllocationState.DISPATCHED:
            return self._books.standing([sent.allocation_id], [Kind.ALLOCATION_DISPATCHED], [sent.under_way])
        raise allocations.nothing_to_reverse(sent)

    def _dispatch(self, sent: Allocation, booked: Transfer, reason: str) -> Allocation:
        self._movements.require_open(sent.source, "allocation_id")
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

    def _receipt(
        self, sent: Allocation, made: Sequence[Transfer], loan: Loan | None, reason: str
    ) -> Allocation:
        places = [sent.target, sent.source] if sent.surplus else [sent.target]
        lends = loan is not None and sent.target == loan.borrower
        for place in sorted({*places, sent.source} if lends else places):
            self._movements.require_open(place, "allocation_id")
        debt = self._debt(sent, loan) if loan is not None else None
        lines = [line for booked in (*made, *([debt] if debt else [])) for line in booked.lines]
        self._desk.lock(account for line in lines for account in (line.source, line.target))
        for booked in made:
            self._take_back(sent, booked, reason)
        if loan is not None and debt is not None:
            self._settle(loan, debt, reason)
        elif loan is not None and lends:
            # Nothing had arrived, so the loan was over; now it is under way again.
            self._movements.loans.save(replace(loan, state=LoanState.LENT))
        # As one range each, as they were sent: so they are taken at the next receipt.
        self._books.put(sent.serials, sent.under_way, sent.allocation_id)
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
        require_left(self._desk.store, source, "allocation_id")
        if booked.kind is Kind.RECEIPT_SURPLUS:
            self._books.put(booked.serials, target)
        self._opposite(sent.allocation_id, booked, reason)

    def _debt(self, sent: Allocation, loan: Loan) -> Transfer | None:
        """What the receipt booked as owed or given back: right after its goods, at the same moment. Other
        receipts of the loan have debts of their own.
        """
        owed, lent = loan.sides
        kind, into = (Kind.LOAN_OWED, lent) if sent.target == loan.borrower else (Kind.LOAN_RETURNED, owed)
        subjects, kinds = [sent.allocation_id, loan.loan_id], (*_OF_RECEIPT, kind)
        made = self._books.standing(subjects, kinds, [*_received(sent), into])
        goods = max(number for number, booked in enumerate(made) if booked.kind is not kind)
        after = [each for each in made[goods + 1 :][:1] if each.book_time == sent.receive_time]
        return after[0] if after else None

    def _settle(self, loan: Loan, booked: Transfer, reason: str) -> None:
        line = booked.lines[0]
        more = -line.quantity if booked.kind is Kind.LOAN_OWED else line.quantity
        on_its_way = self._desk.store.on_its_way(loan.loan_id, loan.lender) if more < 0 else 0
        if loan.owed + more < on_its_way:
            raise FailedPrecondition(
                "LOAN_GIVEN_BACK",
                f"Of loan {loan.loan_id} {loan.owed} units are still owed, {on_its_way} of them on their way "
                "back; the rest was given back.",
                field="allocation_id",
                remedy="Take back what was given back first, or cancel its allocation.",
                metadata={"owed": str(loan.owed), "on_its_way": str(on_its_way)},
            )
        self._desk.shift(line.target, line.source, line.quantity, "allocation_id")
        self._opposite(loan.loan_id, booked, reason)
        self._movements.loans.save(replace(loan, owed=loan.owed + more, state=LoanState.LENT))

    def _opposite(self, subject: str, booked: Transfer, reason: str) -> None:
        event = Event(Kind.SHIPMENT_REVERSED, subject, reason, reverses=booked.transfer_id)
        self._desk.record(
            event, [Line(line.target, line.source, line.quantity, line.serials) for line in booked.lines]
        )


def _received(sent: Allocation) -> list[Account]:
    """Where the receipt put what was sent."""
    place = sent.arrival
    return [place, place.to(Condition.MISSING), place.to(Condition.SPOILED)]
