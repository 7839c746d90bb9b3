"""Stock counts: two people count blindly, a third approves the difference, against books that stood still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, NotFound
from services.inventory.ledger.entries import Account
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import Location


class CountState(StrEnum):
    """COUNTING → AGREED → APPLIED or REJECTED. While two rounds disagree it goes on COUNTING."""

    COUNTING = "counting"
    AGREED = "agreed"
    APPLIED = "applied"
    REJECTED = "rejected"


@dataclass(frozen=True)
class StockCount:
    """A count of the free units of an item, begun when the books were at ``entry_seen`` and ``expected``."""

    count_id: str
    location: Location
    item: str
    entry_seen: int
    expected: int
    state: CountState
    begun_by: str
    begin_time: datetime
    decided_by: str | None = None
    decide_time: datetime | None = None
    decision: str = ""

    def require(self, state: CountState) -> None:
        """Raises :class:`FailedPrecondition` when the count is in another state."""
        if self.state is not state:
            raise FailedPrecondition(
                "WRONG_COUNT_STATE",
                f"Count {self.count_id} is {self.state}, not {state}.",
                field="count_id",
                remedy="Two people count until two sheets agree; then a third person decides.",
                metadata={"state": self.state},
            )


@dataclass(frozen=True)
class Sheet:
    """What one person counted, in one round, without knowing what the books say."""

    count_id: str
    round: int
    quantity: int
    ranges: tuple[SerialRange, ...]
    person: str
    at: datetime

    def agrees(self, other: Sheet) -> bool:
        """Whether both found the same."""
        return (self.quantity, self.ranges) == (other.quantity, other.ranges)


def settled(sheets: Sequence[Sheet]) -> bool:
    """Whether the last two rounds agree."""
    return len(sheets) > 1 and sheets[-1].agrees(sheets[-2])


def unknown(count_id: str) -> NotFound:
    """The refusal of an id that no count has."""
    return NotFound(
        "COUNT_UNKNOWN",
        f"There is no count {count_id}.",
        field="count_id",
        remedy="Send the count_id that BeginCount answered.",
    )


def stale(count: StockCount) -> FailedPrecondition:
    """The refusal to apply a count to books that have moved since it began."""
    return FailedPrecondition(
        "COUNT_STALE",
        f"{count.item} of {count.location} was booked on since the count began, on "
        f"{count.begin_time:%Y-%m-%d at %H:%M} UTC.",
        field="count_id",
        remedy="Reject this count and count again while nothing moves.",
        metadata={"entry_seen": str(count.entry_seen)},
    )


def foreign(serials: SerialRange, account: Account) -> FailedPrecondition:
    """The refusal to adjust by a count that found what the books have elsewhere."""
    return FailedPrecondition(
        "FOUND_ELSEWHERE_IN_BOOKS",
        f"Serials {serials} were counted here; the books have them at {account.place}, {account.condition}.",
        field="count_id",
        remedy="Book how they came here first (a receipt with surplus, for one), then count again.",
        metadata={"first": str(serials.first), "last": str(serials.last), "location": account.code},
    )
