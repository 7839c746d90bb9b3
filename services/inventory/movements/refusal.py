"""Refusals at a counter: somebody was sent away for want of stock, and what the books said just then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.inventory.location import Location


@dataclass(frozen=True)
class Refusal:
    """``people`` were refused ``item`` at a counter of ``location``; ``on_hand`` units were free by the
    books.
    """

    refusal_id: str
    location: Location
    item: str
    people: int
    reason: str
    event_time: datetime
    book_time: datetime
    person: str
    on_hand: int

    @property
    def contradicted(self) -> bool:
        """Whether the books had stock: told empty with 23,000 in stock."""
        return self.on_hand > 0
