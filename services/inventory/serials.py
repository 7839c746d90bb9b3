"""Ranges of serial numbers. A serial is printed by the manufacturer and unique in the whole country."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.common.errors import InvalidArgument


@dataclass(frozen=True, order=True)
class SerialRange:
    """Serial numbers ``first`` to ``last``, both included."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InvalidArgument(
                "SERIAL_RANGE_REVERSED",
                f"The last serial {self.last} comes before the first {self.first}.",
                field="serials.last",
                remedy="Send the lower serial number as first and the higher one as last.",
            )

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


def lowest(ranges: Iterable[SerialRange], quantity: int) -> list[SerialRange]:
    """The ``quantity`` lowest serials of ``ranges`` (ascending, disjoint); the last one may be cut.

    Raises :class:`ValueError` when there are fewer, which the ledger's balance excludes.
    """
    taken: list[SerialRange] = []
    missing = quantity
    for serials in ranges:
        if missing == 0:
            break
        part = SerialRange(serials.first, min(serials.last, serials.first + missing - 1))
        taken.append(part)
        missing -= len(part)
    if missing:
        raise ValueError(f"{missing} of {quantity} blanks are missing from the custody ranges")
    return taken
