"""One blank card: where it is, what became of it, and the chip that is bound to it for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.common.errors import AlreadyExists, FailedPrecondition, NotFound
from services.inventory.blanks.reservation import Reservation, ReservationState
from services.inventory.ledger.custody import CustodyStep
from services.inventory.ledger.entries import BLANK, Account, Condition, Kind
from services.inventory.words import noun


@dataclass(frozen=True)
class Blank:
    """One blank as it is now; ``reservation`` is its latest one."""

    serial: int
    lot_id: str
    account: Account
    reservation: Reservation | None
    chip_uid: str

    @property
    def spoil_reason(self) -> str:
        """Why the card job that it was held for spoiled it; empty otherwise."""
        held = self.reservation
        return held.end_reason if held is not None and held.state is ReservationState.SPOILED else ""


def scrap_reason(account: Account, custody: Sequence[CustodyStep]) -> str:
    """Why a blank that ``account`` has is no stock any more: what spoiled it, or brought the card back; empty
    for any other. ``custody`` are all of its steps.
    """
    if account.condition not in (Condition.SPOILED, Condition.WITHDRAWN, Condition.CONVEYED):
        return ""
    scrapped = (
        step.reason
        for step in reversed(custody)
        if step.target.condition in (Condition.SPOILED, Condition.WITHDRAWN)
        and step.kind is not Kind.CONVEYANCE_RECEIVED
    )
    return next(scrapped, "")


def unknown(serial: int, taken_back: date | None = None) -> NotFound:
    """The refusal of a serial that no lot contains; ``taken_back`` is when the receipt of one that did was
    reversed.
    """
    gone = f" The receipt of the one that did was taken back on {taken_back}." if taken_back else ""
    return NotFound(
        "BLANK_UNKNOWN",
        f"No delivered lot contains serial {serial}.{gone}",
        field="serial",
        remedy="Check the number on the blank; ListLots has the delivered ranges.",
    )


def insufficient(account: Account, has: int, asked: int, field: str) -> FailedPrecondition:
    """The refusal to take more than an account has; ``field`` is the request's field at fault."""
    free = "free" if account.condition is Condition.ON_HAND else account.condition
    things = noun(has, "blank") if account.item == BLANK else account.item
    return FailedPrecondition(
        "INSUFFICIENT_STOCK",
        f"{account.place} has {has} {free} {things}, asked for {asked}.",
        field=field,
        remedy="Ask for no more than there is, or allocate stock to this location and confirm receipt.",
        metadata={"location": account.place, "has": str(has), "asked": str(asked)},
    )


def uid_bound(chip_uid: str, serial: int) -> AlreadyExists:
    """The refusal of a chip UID that belongs to a blank already: a UID is unique for ever."""
    return AlreadyExists(
        "CHIP_UID_BOUND",
        f"Chip UID {chip_uid} is bound to blank {serial}.",
        field="chip_uid",
        remedy="Read the UID from the card again; two cards with one UID point at a cloned or foreign chip.",
        metadata={"chip_uid": chip_uid, "serial": str(serial)},
    )
