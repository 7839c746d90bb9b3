"""A record that does not fit the chip is refused before a blank is touched."""

from __future__ import annotations

from services.common.errors import FailedPrecondition


class ChipRefusal(FailedPrecondition):
    """The data cannot go on the chip as they are: which field, how many bytes, and how many there may be."""

    def __init__(
        self, reason: str, message: str, *, field: str, size: int, budget: int | None = None, remedy: str
    ) -> None:
        metadata = {"bytes": str(size)}
        if budget is not None:
            metadata["budget"] = str(budget)
        super().__init__(reason, message, field=field, remedy=remedy, metadata=metadata)


class MissingRefusal(ChipRefusal):
    """The record lacks what a file needs. A file that the profile calls optional is left out instead."""

    def __init__(self, reason: str, message: str, *, field: str, remedy: str) -> None:
        super().__init__(reason, message, field=field, size=0, remedy=remedy)


def over_budget(field: str, size: int, budget: int, remedy: str) -> ChipRefusal:
    """`field` takes `size` bytes where the profile gives it `budget`."""
    return ChipRefusal(
        "CHIP_OVER_BUDGET",
        f"{field} takes {size} bytes on the chip; there is room for {budget}.",
        field=field,
        size=size,
        budget=budget,
        remedy=remedy,
    )
