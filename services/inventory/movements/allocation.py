"""Allocations: a decision to move blanks, carried out by dispatch and receipt.

ALLOCATED → DISPATCHED → RECEIVED, or ALLOCATED → CANCELLED; a receipt and a dispatch can be taken back. The
blanks are set aside at the sender, then in transit to the receiver, then the receiver's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.inventory.ledger.entries import BLANK, Account, Condition
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import Location


class AllocationState(StrEnum):
    """How far an allocation has come."""

    ALLOCATED = "allocated"
    DISPATCHED = "dispatched"
    RECEIVED = "received"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Allocation:
    """``quantity`` of ``source`` is to become ``target``'s, because of ``reason``; ``serials`` where the item
    has them. The receiver tells what was ``missing`` or ``damaged`` of it, and what came beyond it.
    """

    allocation_id: str
    source: Location
    target: Location
    quantity: int
    reason: str
    state: AllocationState
    serials: tuple[SerialRange, ...]
    create_time: datetime
    dispatch_time: datetime | None = None
    receive_time: datetime | None = None
    item: str = BLANK
    missing: int = 0
    damaged: int = 0
    surplus: int = 0
    loan_id: str | None = None

    @property
    def set_aside(self) -> Account:
        """Where the blanks are until dispatch."""
        return Account(self.source, Condition.ALLOCATED, self.item)

    @property
    def under_way(self) -> Account:
        """Where the blanks are from dispatch to receipt: in transit to the receiver, in nobody's stock."""
        return Account(self.target, Condition.IN_TRANSIT, self.item)

    @property
    def sender(self) -> Account:
        """The sender's free stock, which the blanks come out of."""
        return Account(self.source, Condition.ON_HAND, self.item)

    @property
    def arrival(self) -> Account:
        """The receiver's free stock, which the blanks become."""
        return Account(self.target, Condition.ON_HAND, self.item)

    def dispatched(self, now: datetime) -> Allocation:
        """The allocation after the blanks left. Raises :class:`FailedPrecondition` unless it is ALLOCATED."""
        self._require(AllocationState.ALLOCATED, "dispatched")
        return replace(self, state=AllocationState.DISPATCHED, dispatch_time=now)

    def received(self, now: datetime, *, missing: int = 0, damaged: int = 0, surplus: int = 0) -> Allocation:
        """The allocation after its confirmed receipt. Raises :class:`FailedPrecondition` unless it is
        DISPATCHED.
        """
        self._require(AllocationState.DISPATCHED, "received")
        return replace(
            self,
            state=AllocationState.RECEIVED,
            receive_time=now,
            missing=missing,
            damaged=damaged,
            surplus=surplus,
        )

    def cancelled(self) -> Allocation:
        """The allocation after its withdrawal. Raises :class:`FailedPrecondition` unless it is ALLOCATED."""
        self._require(AllocationState.ALLOCATED, "cancelled")
        return replace(self, state=AllocationState.CANCELLED)

    def _require(self, state: AllocationState, step: str) -> None:
        if self.state is state:
            return
        metadata = {
            "allocation_id": self.allocation_id,
            "state": self.state.upper(),
            "required": state.upper(),
        }
        if self.state == step:
            raise FailedPrecondition(
                f"ALLOCATION_ALREADY_{step.upper()}",
                f"Allocation {self.allocation_id} was {step} before.",
                field="allocation_id",
                remedy="Nothing is left to do; a repeated call needs the request_id of the first one.",
                metadata=metadata,
            )
        raise FailedPrecondition(
            "WRONG_ALLOCATION_STATE",
            f"Allocation {self.allocation_id} is {self.state} and cannot be {step}.",
            field="allocation_id",
            remedy=f"Only an allocation that is {state} can be {step}; read its state with GetAllocation.",
            metadata=metadata,
        )


def require_two_places(source: Location, target: Location, field: str = "to_location") -> None:
    """Raises :class:`InvalidArgument` on ``field`` when stock would move from a location to itself."""
    if source == target:
        raise InvalidArgument(
            "SAME_LOCATION",
            f"Sender and receiver are both {source}.",
            field=field,
            remedy="Name two locations: stock is not sent to where it is.",
        )


def finder_needed(damaged: int) -> InvalidArgument:
    """The refusal of damage that nobody in particular found: its reviewer must be somebody else."""
    return InvalidArgument(
        "OPERATOR_NEEDED",
        f"{damaged} units are damaged, but nobody says to have found them so.",
        field="operator",
        remedy="Send the id of the operator who opened the boxes.",
    )


def unknown(allocation_id: str) -> NotFound:
    """The refusal of an id that no allocation has."""
    return NotFound(
        "ALLOCATION_UNKNOWN",
        f"There is no allocation {allocation_id}.",
        field="allocation_id",
        remedy="Find it with ListAllocations.",
    )


def nothing_to_reverse(allocation: Allocation) -> FailedPrecondition:
    """The refusal to take back a step of an allocation that has not left, or was withdrawn."""
    return FailedPrecondition(
        "NOTHING_TO_REVERSE",
        f"Allocation {allocation.allocation_id} is {allocation.state}: there is nothing to take back.",
        field="allocation_id",
        remedy="An allocation that is set aside is withdrawn with CancelAllocation.",
        metadata={"state": allocation.state.upper()},
    )
