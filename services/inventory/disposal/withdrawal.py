"""Cards that come back from their holders: why, who took them, where they are held until destruction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.inventory.ledger.entries import Account, Condition
from services.inventory.location import Location


class Cause(StrEnum):
    """Why a card came back."""

    VOID = "VOID"
    REPLACED = "REPLACED"
    DECEASED = "DECEASED"
    FOUND = "FOUND"


@dataclass(frozen=True)
class Withdrawal:
    """The card of blank ``serial``, which ``made_at`` had made and ``location`` holds since ``event_time``.

    ``transfer_id`` booked it; where that is reversed, the card was given back.
    """

    withdrawal_id: str
    serial: int
    chip_uid: str
    made_at: Location
    location: Location
    cause: Cause
    note: str
    taken_by: str
    event_time: datetime
    book_time: datetime
    transfer_id: str


def unnamed() -> InvalidArgument:
    """The refusal of a card that is named by nothing."""
    return InvalidArgument(
        "CARD_UNNAMED",
        "Neither the chip nor the serial number of the card is named.",
        field="chip_uid",
        remedy="Read the chip; where it is dead, send the serial number that is printed on the card.",
    )


def unknown(chip_uid: str) -> NotFound:
    """The refusal of a chip that was never bound to a blank: the card was not made here."""
    return NotFound(
        "CARD_UNKNOWN",
        f"No blank was made into a card with the chip {chip_uid}.",
        field="chip_uid",
        remedy="Put the card aside: a chip that the books do not know may be forged or foreign.",
        metadata={"chip_uid": chip_uid},
    )


def disagrees(chip_uid: str, serial: int, bound: str) -> FailedPrecondition:
    """The refusal of a chip and a serial number that are of different cards."""
    return FailedPrecondition(
        "CHIP_UID_DISAGREES",
        f"Blank {serial} has the chip {bound or 'of nobody'}, not {chip_uid}.",
        field="chip_uid",
        remedy="Read both from the card again; a chip in another card points at a forgery.",
        metadata={"chip_uid": chip_uid, "serial": str(serial), "bound": bound},
    )


def before_it_was_out(serial: int, since: datetime) -> InvalidArgument:
    """The refusal of a card that is said to have come back before anybody had it."""
    return InvalidArgument(
        "EVENT_BEFORE_CARD",
        f"The card of blank {serial} is out since {since:%Y-%m-%d %H:%M} UTC; it did not come back before.",
        field="event_time",
        remedy="Send the moment at which it came back, or none for now.",
        metadata={"serial": str(serial), "out_since": since.isoformat()},
    )


def not_out(serial: int, account: Account) -> FailedPrecondition:
    """The refusal to take back a card that nobody has."""
    there = account.condition is Condition.WITHDRAWN
    return FailedPrecondition(
        "CARD_NOT_OUT",
        f"Blank {serial} is {account.condition} at {account.place}: "
        + ("its card came back before." if there else "nobody has a card of it."),
        field="serial",
        remedy="GetBlank tells where it is and how it came there.",
        metadata={"serial": str(serial), "account": account.code},
    )
