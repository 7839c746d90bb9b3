"""Double entry over blanks: accounts, and transfers that move a quantity from one account to another.

An account is a place and a condition. The places of stock are locations; a contract is a place as well, with
the accounts ``contracted`` (what the buyer may claim, as a negative balance) and ``outstanding`` (what the
supplier owes). So all balances add up to zero, and no balance but that of ``contracted`` is ever below zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.inventory.serials import SerialRange


class Condition(StrEnum):
    """What a place has blanks for."""

    CONTRACTED = "contracted"
    OUTSTANDING = "outstanding"
    ON_HAND = "on-hand"
    ALLOCATED = "allocated"
    IN_TRANSIT = "in-transit"
    RESERVED = "reserved"
    CONSUMED = "consumed"
    SPOILED = "spoiled"


#: Conditions of blanks that exist and are at (or on the way to) a location.
STOCK = (
    Condition.ON_HAND,
    Condition.ALLOCATED,
    Condition.IN_TRANSIT,
    Condition.RESERVED,
    Condition.CONSUMED,
    Condition.SPOILED,
)


class Kind(StrEnum):
    """Why blanks moved."""

    CONTRACT_SIGNED = "contract.signed"
    LOT_RECEIVED = "lot.received"
    ALLOCATION_CREATED = "allocation.created"
    ALLOCATION_CANCELLED = "allocation.cancelled"
    ALLOCATION_DISPATCHED = "allocation.dispatched"
    ALLOCATION_RECEIVED = "allocation.received"
    BLANK_RESERVED = "blank.reserved"
    BLANK_RELEASED = "blank.released"
    BLANK_CONSUMED = "blank.consumed"
    BLANK_SPOILED = "blank.spoiled"


@dataclass(frozen=True, order=True)
class Account:
    """One column of the ledger: a location or contract, and a condition."""

    place: str
    condition: Condition

    @property
    def code(self) -> str:
        """The account as text, ``ID/on-hand``; accounts are locked in the order of their codes."""
        return f"{self.place}/{self.condition}"

    @classmethod
    def parse(cls, code: str) -> Account:
        """The account that :attr:`code` writes. Contract numbers may contain slashes, conditions never do."""
        place, _, condition = code.rpartition("/")
        return cls(place, Condition(condition))


@dataclass(frozen=True)
class Line:
    """``quantity`` blanks out of ``source`` into ``target``; ``serials`` from the moment that serials are
    known.
    """

    source: Account
    target: Account
    quantity: int
    serials: SerialRange | None = None

    def __post_init__(self) -> None:
        if self.quantity < 1 or self.source == self.target:
            raise ValueError(f"not a movement: {self}")
        if self.serials is not None and len(self.serials) != self.quantity:
            raise ValueError(f"serials and quantity differ: {self}")


@dataclass(frozen=True)
class Transfer:
    """One booking, never changed once written: what happened to which ``subject``, by whom, why and when."""

    transfer_id: str
    kind: Kind
    subject: str
    actor: str
    reason: str
    book_time: datetime
    lines: tuple[Line, ...]

    @property
    def serials(self) -> tuple[SerialRange, ...]:
        """The serials that it moved."""
        return tuple(line.serials for line in self.lines if line.serials is not None)


class OverdrawnError(Exception):
    """An account has less than was asked of it. The caller knows what that means and raises a typed error."""

    def __init__(self, account: Account, balance: int, asked: int) -> None:
        super().__init__(f"{account.code} has {balance}, asked {asked}")
        self.account = account
        self.balance = balance
        self.asked = asked
