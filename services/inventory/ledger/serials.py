"""Ranges of serial numbers. A serial is printed by the manufacturer and unique in the whole country."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def ordered(ranges: Iterable[SerialRange], field: str) -> tuple[SerialRange, ...]:
    """The ranges in ascending order, neighbours joined.

    Raises :class:`InvalidArgument` on ``field`` when a serial is in two of them.
    """
    joined: list[SerialRange] = []
    for serials in sorted(ranges):
        before = joined[-1] if joined else None
        if before is not None and serials.first <= before.last:
            raise InvalidArgument(
                "SERIALS_TWICE",
                f"Serials {serials} overlap with {before} of the same request.",
                field=field,
                remedy="Name each serial once.",
            )
        if before is not None and serials.first == before.last + 1:
            joined[-1] = SerialRange(before.first, serials.last)
        else:
            joined.append(serials)
    return tuple(joined)


def without(ranges: Iterable[SerialRange], cut: Iterable[SerialRange]) -> list[SerialRange]:
    """What is in ``ranges`` and not in ``cut``; both ascending and disjoint."""
    left: list[SerialRange] = []
    gaps = list(cut)
    for serials in ranges:
        first = serials.first
        for gap in gaps:
            if gap.last < first or gap.first > serials.last:
                continue
            if gap.first > first:
                left.append(SerialRange(first, gap.first - 1))
            first = gap.last + 1
            if first > serials.last:
                break
        if first <= serials.last:
            left.append(SerialRange(first, serials.last))
    return left


def common(ranges: Sequence[SerialRange], others: Sequence[SerialRange]) -> list[SerialRange]:
    """What is in both; each ascending and disjoint."""
    return without(ranges, without(ranges, others))


def count(ranges: Iterable[SerialRange]) -> int:
    """How many serials there are."""
    return sum(len(serials) for serials in ranges)
