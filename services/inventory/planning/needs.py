"""What an allocation plan starts from: who needs how much, and what may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Need:
    """One location that uses stock."""

    location: str
    #: Units there and on their way there.
    stock: int
    #: Units that people already wait for.
    waiting: int
    #: Units used on a working day.
    per_day: float
    #: Working days from dispatch to receipt.
    lead_days: int = 0
    #: Units of the stock that are on their way still: nobody can lend them.
    coming: int = 0
    #: Working days until it closes for good and uses nothing any more.
    open_days: float = inf

    @property
    def to_lend(self) -> int:
        """Units that it could do without at once."""
        return max(self.stock - max(self.waiting, self.coming), 0)

    def cover(self, extra: int = 0) -> float:
        """Working days until it runs dry with ``extra`` units more; negative where people wait in vain."""
        return (self.stock + extra - self.waiting) / self.per_day

    def run_out(self, extra: int = 0) -> float:
        """Working days until it is short; never, where it closes before that, or before anything arrives."""
        cover = self.cover(extra)
        return inf if cover >= self.open_days or self.lead_days >= self.open_days else cover


@dataclass(frozen=True)
class Terms:
    """What may be sent."""

    #: Units that the sender gives away.
    available: int
    #: Units of a box: only whole boxes travel.
    lot: int = 1
    #: Least units of one shipment.
    minimum: int = 0
    #: Whether locations may give to each other what they have more than the rest.
    lending: bool = False

    @property
    def least_lots(self) -> int:
        """Boxes of the smallest shipment."""
        return max(1, -(-self.minimum // self.lot))
