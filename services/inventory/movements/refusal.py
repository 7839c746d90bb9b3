"""Refusals at a counter: somebody was sent away for want of stock, and what the books said just then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.common.errors import InvalidArgument
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


def in_future(field: str, moment: datetime) -> InvalidArgument:
    """The refusal of an event that has not happened yet."""
    return InvalidArgument(
        "EVENT_IN_FUTURE",
        f"{moment:%Y-%m-%d %H:%M:%S} UTC is in the future.",
        field=field,
        remedy="Send when it happened, or leave it out for now; check the clock of the sender.",
    )
