"""Requisitions, loans, sites and refusals at counters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from services.common.errors import InvalidArgument
from services.inventory.desk import Desk
from services.inventory.fields import named
from services.inventory.ledger.balances import Balances
from services.inventory.ledger.closing import Closing
from services.inventory.ledger.entries import OPEN_ENDED, Account, Condition
from services.inventory.location import Location
from services.inventory.movements import loan as loans
from services.inventory.movements import requisition as requisitions
from services.inventory.movements import site as sites
from services.inventory.movements import tables as movement_tables
from services.inventory.movements.allocation import Allocation, require_two_places
from services.inventory.movements.loan import Loan, LoanState
from services.inventory.movements.refusal import Refusal
from services.inventory.movements.requisition import Requisition, RequisitionState
from services.inventory.movements.shipping import Shipping
from services.inventory.movements.site import Site, SiteState
from services.inventory.movements.store import MovementStore
from services.inventory.people import require_other


@dataclass(frozen=True)
class Want:
    """So many units of an item, and why."""

    item: str
    quantity: int
    reason: str


class MovementOffice:
    """Books what people ask for and agree on. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._now = desk.clerk.now
        self._shipping = Shipping(desk)
        self._store = MovementStore(desk.store.connection)

    def request(self, location: Location, want: Want, needed_by: date | None, operator: str) -> Requisition:
        """Ask for stock."""
        self._desk.item(want.item)
        self._store.require_open(location, "location")
        made = Requisition(
            requisition_id=self._desk.clerk.new_id(),
            location=location,
            item=want.item,
            quantity=want.quantity,
            needed_by=needed_by,
            reason=want.reason,
            state=RequisitionState.REQUESTED,
            requested_by=self._desk.person(operator).signature,
            request_time=self._now,
        )
        self._store.requisitions.add(made)
        return made

    def grant(
        self, requisition_id: str, source: Location, quantity: int, decision: str, operator: str
    ) -> tuple[Requisition, Allocation]:
        """Approve a requisition, in part or whole: its stock is set aside at ``source`` at once."""
        before = self._requisition(requisition_id)
        person = self._desk.person(operator)
        require_other(person, before.requested_by)
        granted = quantity or before.quantity
        if granted > before.quantity:
            raise InvalidArgument(
                "MORE_THAN_REQUESTED",
                f"{before.quantity} were asked for, {granted} would be granted.",
                field="quantity",
                remedy="Grant what was asked for or less.",
            )
        require_two_places(source, before.location, "from_location")
        self._store.require_open(before.location, "requisition_id")
        allocation = self._shipping.allocate(source, before.location, granted, before.reason, before.item)
        after = replace(
            before,
            state=RequisitionState.APPROVED,
            decided_by=person.signature,
            decide_time=self._now,
            decision=decision,
            granted=granted,
            allocation_id=allocation.allocation_id,
        )
        self._store.requisitions.save(after)
        return after, allocation

    def reject(self, requisition_id: str, decision: str, operator: str) -> Requisition:
        """Refuse a requisition, with the reason."""
        before = self._requisition(requisition_id)
        person = self._desk.person(operator)
        require_other(person, before.requested_by)
        after = replace(
            before,
            state=RequisitionState.REJECTED,
            decided_by=person.signature,
            decide_time=self._now,
            decision=decision,
        )
        self._store.requisitions.save(after)
        return after

    def propose_loan(
        self, lender: Location, borrower: Location, want: Want, due: date, operator: str
    ) -> Loan:
        """Propose that one location lends to another."""
        require_two_places(lender, borrower, "borrower")
        self._desk.item(want.item)
        made = Loan(
            loan_id=self._desk.clerk.new_id(),
            lender=lender,
            borrower=borrower,
            item=want.item,
            quantity=want.quantity,
            owed=0,
            due=due,
            reason=want.reason,
            state=LoanState.PROPOSED,
            proposed_by=self._desk.person(operator).signature,
            propose_time=self._now,
        )
        self._store.loans.add(made)
        return made

    def approve_loan(self, loan_id: str, operator: str) -> tuple[Loan, Allocation]:
        """Let the loan go ahead: its stock is set aside at the lender; the debt begins with the receipt."""
        before = self._loan(loan_id, LoanState.PROPOSED)
        person = self._desk.person(operator)
        require_other(person, before.proposed_by)
        reason = f"loan: {before.reason}"[:500]
        with named("loan_id"):
            allocation = self._shipping.allocate(
                before.lender, before.borrower, before.quantity, reason, before.item, loan_id
            )
        after = replace(before, state=LoanState.LENT, approved_by=person.signature, approve_time=self._now)
        self._store.loans.save(after)
        return after, allocation

    def reject_loan(self, loan_id: str, operator: str) -> Loan:
        """Let the loan not go ahead."""
        before = self._loan(loan_id, LoanState.PROPOSED)
        person = self._desk.person(operator)
        require_other(person, before.proposed_by)
        after = replace(
            before, state=LoanState.REJECTED, approved_by=person.signature, approve_time=self._now
        )
        self._store.loans.save(after)
        return after

    def return_loan(self, loan_id: str, quantity: int) -> tuple[Loan, Allocation]:
        """Set aside at the borrower what goes back; the debt ends with the lender's receipt."""
        before = self._loan(loan_id, LoanState.LENT)
        on_its_way = self._desk.store.on_its_way(loan_id, before.lender)
        if quantity > before.owed - on_its_way:
            raise loans.more_than_owed(before, quantity, on_its_way)
        reason = f"loan given back: {before.reason}"[:500]
        self._store.require_open(before.lender, "loan_id")
        allocation = self._shipping.allocate(
            before.borrower, before.lender, quantity, reason, before.item, loan_id
        )
        return before, allocation

    def open_site(self, location: Location, name: str, opens: date, closes: date, operator: str) -> Site:
        """Open a site for an event."""
        sites.require_site(location)
        if closes < opens:
            raise InvalidArgument(
                "VALIDITY_REVERSED",
                f"The site closes on {closes}, before it opens on {opens}.",
                field="closes",
                remedy="Send the first day as opens and the last one as closes.",
            )
        person = self._desk.person(operator).signature
        site = Site(location, name, opens, closes, SiteState.OPEN, person, self._now)
        if not self._store.add_site(site):
            raise sites.exists(location)
        return site

    def close_site(self, location: Location) -> Site:
        """Close a site; raises :class:`FailedPrecondition` while it has anything that somebody must still see
        to: stock, what waits for its destruction, a loan.
        """
        site = self._store.sites.locked(location, sites.unknown)
        if site.state is SiteState.CLOSED:
            raise sites.closed(location, "location")
        balances = Balances(self._store.connection).now(location, "")
        left = {a.code: n for a, n in balances.items() if n and a.condition in OPEN_ENDED}
        if left:
            raise sites.not_empty(location, left)
        # Lent stock that is under way is the borrower's by the books; what arrives of it will be owed here.
        lent = self._store.loans.where(
            movement_tables.loan.c.lender == location, movement_tables.loan.c.state == LoanState.LENT
        )
        if lent:
            raise sites.still_lends(location, [loan.loan_id for loan in lent])
        after = replace(site, state=SiteState.CLOSED, close_time=self._now)
        self._store.sites.save(after)
        return after

    def refuse(
        self,
        location: Location,
        item: str,
        people: int,
        reason: str,
        event_time: datetime | None,
        operator: str,
    ) -> Refusal:
        """Record that people were sent away, beside what the books said at that moment."""
        self._desk.item(item)
        moment = self._now if event_time is None else event_time
        self._desk.require_happened(moment, "event_time")
        Closing(self._store.connection).require_open(self._now)
        self._require_known(location)
        balances = Balances(self._store.connection).at(moment, location, item)
        made = Refusal(
            refusal_id=self._desk.clerk.new_id(),
            location=location,
            item=item,
            people=people,
            reason=reason,
            event_time=moment,
            book_time=self._now,
            person=self._desk.person(operator).signature,
            on_hand=balances.get(Account(location, Condition.ON_HAND, item), 0),
        )
        self._store.refusals.add(made)
        return made

    def _require_known(self, location: Location) -> None:
        """Raise :class:`NotFound` for a site that nobody opened and that never had stock: a code mistyped
        would have a statement every day, for ever. A regency may refuse people before its first blank comes.
        """
        if ":" not in location or self._store.sites.get(location) is not None:
            return
        if not Balances(self._store.connection).now(location, ""):
            raise sites.unknown(location)

    def _requisition(self, requisition_id: str) -> Requisition:
        found = self._store.requisitions.locked(requisition_id, requisitions.unknown)
        found.require_open()
        return found

    def _loan(self, loan_id: str, state: LoanState) -> Loan:
        found = self._store.loans.locked(loan_id, loans.unknown)
        found.require(state)
        return found
