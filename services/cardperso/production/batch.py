"""A batch: an order for a number of cards of a regency's queue."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum

from services.common.errors import FailedPrecondition, NotFound


class BatchState(StrEnum):
    """How far a batch is."""

    OPEN = "OPEN"
    PAUSED = "PAUSED"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True)
class Batch:
    """A batch; `entry` is its place in the order of batches."""

    batch_id: str
    region: str
    location: str
    quantity: int
    state: BatchState
    reason: str
    operator: str
    create_time: dt.datetime
    entry: int = 0

    def to(self, state: BatchState, reason: str = "") -> Batch:
        """The batch in another state.

        Raises:
            FailedPrecondition: it has ended.
        """
        if self.state in (BatchState.DONE, BatchState.CANCELLED):
            raise FailedPrecondition(
                f"BATCH_{self.state}",
                f"Batch {self.batch_id} has ended: it is {self.state}.",
                field="batch_id",
                remedy="Order a new one.",
            )
        return replace(self, state=state, reason=reason[:500])


@dataclass(frozen=True)
class Tally:
    """Cards of a batch: made, under way, and blanks spoiled."""

    made: int = 0
    under_way: int = 0
    spoiled: int = 0


def unknown(batch_id: str) -> NotFound:
    """There is no such batch."""
    return NotFound(
        "BATCH_UNKNOWN",
        f"There is no batch {batch_id}.",
        field="batch_id",
        remedy="Send the batch_id that CreateBatch answered.",
    )
