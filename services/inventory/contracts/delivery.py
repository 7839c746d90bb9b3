"""What suppliers deliver under a contract: lots of serials, and units without serials."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from services.common.errors import AlreadyExists, FailedPrecondition
from services.inventory.contracts.contract import Contract, ContractState
from services.inventory.ledger.entries import BLANK, Account, Transfer
from services.inventory.ledger.serials import SerialRange
from services.inventory.words import noun


@dataclass(frozen=True)
class Lot:
    """A delivery: one unbroken range of serials under one contract."""

    lot_id: str
    contract_id: str
    delivery_note: str
    serials: SerialRange
    receive_time: datetime


@dataclass(frozen=True)
class ReversedLot:
    """A lot whose receipt ``transfer_id`` took back."""

    lot_id: str
    contract_id: str
    delivery_note: str
    first: int
    last: int
    receive_time: datetime
    transfer_id: str
    reason: str
    reverse_time: datetime


@dataclass(frozen=True)
class Supply:
    """A delivery of an item that has no serials."""

    supply_id: str
    contract_id: str
    delivery_note: str
    item: str
    quantity: int
    receive_time: datetime


def same_note(one: str, other: str) -> bool:
    """Whether two numbers are of one delivery note: spaces, case and compatibility forms of characters (NFKC)
    make no difference.
    """
    return _plain(one) == _plain(other)


def _plain(note: str) -> str:
    return "".join(unicodedata.normalize("NFKC", note).casefold().split())


def require_lots(contract: Contract) -> None:
    """Raises :class:`FailedPrecondition` when the supplier delivers no lots of serials under it."""
    if contract.state is not ContractState.ACTIVE or contract.item != BLANK:
        raise not_delivering(contract, "serials")


def not_delivering(contract: Contract, what: str) -> FailedPrecondition:
    """The refusal of a delivery under a contract that does not allow it."""
    return FailedPrecondition(
        "CONTRACT_DELIVERS_NOTHING_LIKE_IT",
        f"Contract {contract.contract_id} ({contract.kind}, {contract.state}) takes no delivery of {what}.",
        field="contract_id",
        remedy="Deliveries need an active contract for the item; lots are for items with serials.",
        metadata={"state": contract.state, "item": contract.item or ""},
    )


def not_owing(contract: Contract) -> FailedPrecondition:
    """The refusal to let a supplier owe again what came, under a contract that has ended."""
    return FailedPrecondition(
        "CONTRACT_ENDED",
        f"Contract {contract.contract_id} is {contract.state}: its supplier owes nothing any more.",
        field="transfer_id",
        remedy="Correct the stock itself: count it, or book it as used or spoiled.",
        metadata={"contract_id": contract.contract_id, "state": contract.state},
    )


def exceeded(owed: Account, outstanding: int, delivered: int, field: str = "serials") -> FailedPrecondition:
    """The refusal of a delivery that is larger than what the supplier still owes."""
    things = noun(delivered, "blank") if owed.item == BLANK else owed.item
    return FailedPrecondition(
        "MORE_THAN_OUTSTANDING",
        f"{delivered} {things} came, but contract {owed.place} has {outstanding} outstanding.",
        field=field,
        remedy="Check the delivery note; a surplus needs a contract of its own first.",
        metadata={"contract_id": owed.place, "outstanding": str(outstanding), "delivered": str(delivered)},
    )


def booked_before(supply: Supply, booked: Transfer) -> AlreadyExists:
    """The refusal of a delivery note whose units are in stock: nothing tells them from others but its
    number.
    """
    place = booked.lines[0].target.place
    return AlreadyExists(
        "DELIVERY_NOTE_BOOKED",
        f"Delivery note {supply.delivery_note} of contract {supply.contract_id} was booked at "
        f"{booked.book_time:%Y-%m-%d %H:%M} UTC: {supply.quantity} {supply.item} to {place}.",
        field="delivery_note",
        remedy=f"Nothing is left to do if that was this delivery. If it was wrong, take transfer "
        f"{booked.transfer_id} back (tunggal reversal), then book the note again; another delivery with the "
        "same number gets something that tells them apart, such as its year.",
        metadata={
            "contract_id": supply.contract_id,
            "supply_id": supply.supply_id,
            "transfer_id": booked.transfer_id,
            "location": place,
            "quantity": str(supply.quantity),
        },
    )


def overlapping(serials: SerialRange, known: Lot) -> AlreadyExists:
    """The refusal of serials that came with an earlier lot: a serial is unique in the whole country."""
    return AlreadyExists(
        "SERIALS_KNOWN",
        f"Serials {serials} overlap with {known.serials} of delivery note {known.delivery_note}.",
        field="serials",
        remedy="Check the serial range against the delivery note; a lot is received once.",
        metadata={
            "lot_id": known.lot_id,
            "contract_id": known.contract_id,
            "first": str(known.serials.first),
            "last": str(known.serials.last),
        },
    )
