"""Contracts for blanks and the lots that fulfil them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.common.errors import AlreadyExists, FailedPrecondition, NotFound
from services.inventory.ledger import Account, Condition
from services.inventory.serials import SerialRange


@dataclass(frozen=True)
class Contract:
    """A signed contract: ``outstanding`` of the ``quantity`` blanks are still owed by the supplier."""

    contract_id: str
    supplier: str
    quantity: int
    outstanding: int
    create_time: datetime

    @property
    def delivered(self) -> int:
        """Blanks taken into stock so far."""
        return self.quantity - self.outstanding


@dataclass(frozen=True)
class Lot:
    """A delivery: one unbroken range of serials under one contract."""

    lot_id: str
    contract_id: str
    delivery_note: str
    serials: SerialRange
    receive_time: datetime


def contracted(contract_id: str) -> Account:
    """The account whose negative balance is what was contracted."""
    return Account(contract_id, Condition.CONTRACTED)


def outstanding(contract_id: str) -> Account:
    """The account of what the supplier still owes."""
    return Account(contract_id, Condition.OUTSTANDING)


def exists(contract_id: str) -> AlreadyExists:
    """The refusal of a second contract under one number."""
    return AlreadyExists(
        "CONTRACT_EXISTS",
        f"Contract {contract_id} is entered already.",
        field="contract_id",
        remedy="Read it with GetContract, or enter the new contract under its own number.",
    )


def unknown(contract_id: str) -> NotFound:
    """The refusal of a number that no contract has."""
    return NotFound(
        "CONTRACT_UNKNOWN",
        f"There is no contract {contract_id}.",
        field="contract_id",
        remedy="Check the number with ListContracts, or enter the contract with CreateContract.",
    )


def exceeded(contract_id: str, owed: int, delivered: int) -> FailedPrecondition:
    """The refusal of a lot that is larger than what the supplier still owes."""
    return FailedPrecondition(
        "MORE_THAN_OUTSTANDING",
        f"The lot has {delivered} blanks, but contract {contract_id} has {owed} outstanding.",
        field="serials",
        remedy="Check the delivery note; a surplus needs a contract of its own first.",
        metadata={"contract_id": contract_id, "outstanding": str(owed), "delivered": str(delivered)},
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
