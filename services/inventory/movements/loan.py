"""Loans of stock between locations, so that all of a province run out together: lent, owed, given back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, NotFound
from services.inventory.ledger.entries import Account, Condition
from services.inventory.location import Location


class LoanState(StrEnum):
    """PROPOSED → LENT → SETTLED, or PROPOSED → REJECTED; CANCELLED when its allocation was withdrawn."""

    PROPOSED = "proposed"
    LENT = "lent"
    SETTLED = "settled"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Loan:
    """``quantity`` units of ``lender`` for ``borrower``, who owes ``owed`` of them at this moment."""

    loan_id: str
    lender: Location
    borrower: Location
    item: str
    quantity: int
    owed: int
    due: date
    reason: str
    state: LoanState
    proposed_by: str
    propose_time: datetime
    approved_by: str | None = None
    approve_time: datetime | None = None

    @property
    def sides(self) -> tuple[Account, Account]:
        """What the borrower owes, and what the lender is owed."""
        borrowed = Account(self.borrower, Condition.BORROWED, self.item)
        return borrowed, Account(self.lender, Condition.LENT, self.item)

    def require(self, state: LoanState) -> None:
        """Raises :class:`FailedPrecondition` when the loan is in another state."""
        if self.state is not state:
            raise FailedPrecondition(
                "WRONG_LOAN_STATE",
                f"Loan {self.loan_id} is {self.state}, not {state}.",
                field="loan_id",
                remedy="A loan is proposed, then approved, then given back.",
                metadata={"loan_id": self.loan_id, "state": self.state},
            )

    def after_receipt(self, receiver: Location, quantity: int) -> tuple[Loan, int]:
        """The loan after ``quantity`` of it arrived at ``receiver``, and how much more is owed than before.

        What the borrower gives back beyond its debt is not owed to it: it is a gift. Nothing is owed of what
        never arrived.
        """
        more = quantity if receiver == self.borrower else -min(quantity, self.owed)
        return self.owing(self.owed + more), more

    def owing(self, units: int) -> Loan:
        """The loan once the borrower owes ``units``."""
        return replace(self, owed=units, state=LoanState.LENT if units else LoanState.SETTLED)


def unknown(loan_id: str) -> NotFound:
    """The refusal of an id that no loan has."""
    return NotFound(
        "LOAN_UNKNOWN",
        f"There is no loan {loan_id}.",
        field="loan_id",
        remedy="Find it with ListLoans.",
    )


def _remedy(loan: Loan, left: int) -> str:
    if left:
        return f"Give back {left} or less; anything else is an allocation."
    if loan.owed:
        return "All that is owed is on its way; wait for the lender's receipt, or cancel that allocation."
    return "Nothing is owed now: a debt begins with the borrower's receipt."


def more_than_owed(loan: Loan, quantity: int, on_its_way: int) -> FailedPrecondition:
    """The refusal to give back more than is owed beyond what is on its way back already."""
    left = loan.owed - on_its_way
    sent = f", of which {on_its_way} are on their way" if on_its_way else ""
    return FailedPrecondition(
        "MORE_THAN_OWED",
        f"{loan.borrower} owes {loan.owed} of loan {loan.loan_id}{sent}; {quantity} are too many.",
        field="quantity",
        remedy=_remedy(loan, left),
        metadata={"owed": str(left)},
    )
