"""Requisitions: a location asks for stock, a second person grants it or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, NotFound
from services.inventory.location import Location


class RequisitionState(StrEnum):
    """REQUESTED → APPROVED or REJECTED; what follows is the allocation's."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Requisition:
    """``location`` asks for ``quantity`` of ``item``; ``granted`` of it is in the allocation."""

    requisition_id: str
    location: Location
    item: str
    quantity: int
    needed_by: date | None
    reason: str
    state: RequisitionState
    requested_by: str
    request_time: datetime
    decided_by: str | None = None
    decide_time: datetime | None = None
    decision: str = ""
    granted: int = 0
    allocation_id: str | None = None

    def require_open(self) -> None:
        """Raises :class:`FailedPrecondition` when it was decided before."""
        if self.state is not RequisitionState.REQUESTED:
            raise FailedPrecondition(
                "REQUISITION_DECIDED",
                f"Requisition {self.requisition_id} was {self.state} before.",
                field="requisition_id",
                remedy="Ask anew for what is still needed.",
                metadata={"state": self.state},
            )


def unknown(requisition_id: str) -> NotFound:
    """The refusal of an id that no requisition has."""
    return NotFound(
        "REQUISITION_UNKNOWN",
        f"There is no requisition {requisition_id}.",
        field="requisition_id",
        remedy="Find it with ListRequisitions.",
    )
