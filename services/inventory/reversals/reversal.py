"""Taking back what was booked: alone until its day ends, by two people afterwards.

Whoever books alone may as well take it back alone while nobody relies on it: an honest typo of the same day,
seen by the one who made it. That lends no power that booking it otherwise in the first place had not. When
the day ends, its signed statement tells the booking to everybody; and what another certificate booked is
another's word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, NotFound
from services.inventory.desk import Clerk
from services.inventory.ledger import days
from services.inventory.ledger.books import Books
from services.inventory.ledger.entries import Transfer
from services.inventory.reversals.needs_two import needs_two

_MOVED_ON = (
    "Some of it has moved on: bring it back first (GetBlank tells where a serial is), or leave what was "
    "booked and count the place where it really is."
)


class ReversalState(StrEnum):
    """PROPOSED → APPROVED or REJECTED."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Reversal:
    """``proposed_by`` wants ``transfer_id`` taken back; of a shipment it is the first of the last step."""

    reversal_id: str
    transfer_id: str
    allocation_id: str | None
    kind: str
    reason: str
    state: ReversalState
    proposed_by: str
    propose_time: datetime
    decided_by: str | None = None
    decide_time: datetime | None = None

    def require_open(self) -> None:
        """Raises :class:`FailedPrecondition` when it was decided before."""
        if self.state is not ReversalState.PROPOSED:
            raise FailedPrecondition(
                "REVERSAL_DECIDED",
                f"Reversal {self.reversal_id} was {self.state} before.",
                field="reversal_id",
                remedy="Propose it anew if it is still to be taken back.",
                metadata={"state": self.state},
            )


def stale_because(books: Books, reversals: Sequence[Reversal]) -> list[str]:
    """Why each reversal that waits can never be approved; empty while it may be."""
    waiting = [each.transfer_id for each in reversals if each.state is ReversalState.PROPOSED]
    others = books.reversals_of(waiting)
    return [
        f"Transfer {others[each.transfer_id]} has taken it back."
        if each.state is ReversalState.PROPOSED and each.transfer_id in others
        else ""
        for each in reversals
    ]


def require_alone(booked: Transfer, clerk: Clerk, field: str) -> None:
    """Raises :class:`FailedPrecondition` when ``booked``, which ``field`` names, takes two people to take
    back.
    """
    day = days.day_of(booked.book_time)
    if booked.actor == clerk.actor and day == days.day_of(clerk.now):
        return
    raise needs_two(
        f"Transfer {booked.transfer_id} was booked by {booked.actor} on {day} (Jakarta); others rely on it.",
        field,
        {"transfer_id": booked.transfer_id, "actor": booked.actor, "kind": booked.kind},
    )


@contextmanager
def of_what_is_there() -> Iterator[None]:
    """What has moved on is refused within, with what helps against that."""
    try:
        yield
    except FailedPrecondition as refusal:
        if refusal.reason in {"INSUFFICIENT_STOCK", "SERIALS_NOT_THERE"}:
            refusal.remedy = _MOVED_ON
        raise


def unknown(reversal_id: str) -> NotFound:
    """The refusal of an id that no reversal has."""
    return NotFound(
        "REVERSAL_UNKNOWN",
        f"There is no reversal {reversal_id}.",
        field="reversal_id",
        remedy="Find it with ListReversals.",
    )


def stale(reversal: Reversal) -> FailedPrecondition:
    """The refusal to take back another step of a shipment than the one that was meant."""
    return FailedPrecondition(
        "REVERSAL_STALE",
        f"The {reversal.kind} of transfer {reversal.transfer_id} is no longer the last step of allocation "
        f"{reversal.allocation_id}.",
        field="reversal_id",
        remedy="Look at the allocation with GetAllocation; propose anew what is to be taken back now.",
        metadata={"transfer_id": reversal.transfer_id},
    )
