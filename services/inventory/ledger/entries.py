"""Double entry over stock: accounts, and transfers that move a quantity from one account to another.

An account is an item, a place and a condition. The places of stock are locations; a contract is a place as
well, with the accounts ``contracted`` (what the buyer may claim, as a negative balance) and ``outstanding``
(what the supplier owes). A loan is owed by ``borrowed`` (negative) of one location to ``lent`` of another;
what a count finds too much comes from ``found`` (negative). So all balances add up to zero, and none but
those three is ever below zero.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.errors import Aborted
from services.inventory.ledger.serials import SerialRange

_ITEM = re.compile(r"[a-z][a-z0-9-]{0,31}")


class Condition(StrEnum):
    """What a place has stock for."""

    CONTRACTED = "contracted"
    OUTSTANDING = "outstanding"
    ON_HAND = "on-hand"
    ALLOCATED = "allocated"
    IN_TRANSIT = "in-transit"
    RESERVED = "reserved"
    PENDING = "pending"
    CONSUMED = "consumed"
    SPOILED = "spoiled"
    DESTROYED = "destroyed"
    MISSING = "missing"
    WITHDRAWN = "withdrawn"
    CONVEYED = "conveyed"
    FOUND = "found"
    LENT = "lent"
    BORROWED = "borrowed"


#: Conditions of stock that exists, existed or is missed at (or on the way to) a location. Their balances add
#: up to what was delivered; ``found`` counts against them, for it was never delivered.
STOCK = (
    Condition.ON_HAND,
    Condition.ALLOCATED,
    Condition.IN_TRANSIT,
    Condition.RESERVED,
    Condition.PENDING,
    Condition.CONSUMED,
    Condition.SPOILED,
    Condition.DESTROYED,
    Condition.MISSING,
    Condition.WITHDRAWN,
    Condition.CONVEYED,
    Condition.FOUND,
)

#: Conditions of what somebody must still see to: no place goes away before it has none of it.
OPEN_ENDED = (
    Condition.ON_HAND,
    Condition.ALLOCATED,
    Condition.IN_TRANSIT,
    Condition.RESERVED,
    Condition.PENDING,
    Condition.SPOILED,
    Condition.WITHDRAWN,
    Condition.CONVEYED,
    Condition.LENT,
    Condition.BORROWED,
)

#: Conditions whose balance is never above zero: the other side of a promise or of a find.
NEGATIVE = (Condition.CONTRACTED, Condition.FOUND, Condition.BORROWED)

#: The item that every card is made of. Its accounts leave the item out of their codes.
BLANK = "blank"


class Kind(StrEnum):
    """Why stock moved."""

    CONTRACT_SIGNED = "contract.signed"
    CONTRACT_AMENDED = "contract.amended"
    CONTRACT_TERMINATED = "contract.terminated"
    SUPPLY_RECEIVED = "supply.received"
    LOT_RECEIVED = "lot.received"
    LOT_REVERSED = "lot.reversed"
    ALLOCATION_CREATED = "allocation.created"
    ALLOCATION_CANCELLED = "allocation.cancelled"
    ALLOCATION_DISPATCHED = "allocation.dispatched"
    ALLOCATION_RECEIVED = "allocation.received"
    BLANK_RESERVED = "blank.reserved"
    BLANK_RELEASED = "blank.released"
    BLANK_CONSUMED = "blank.consumed"
    BLANK_SPOILED = "blank.spoiled"
    CARD_VOIDED = "card.voided"
    CARD_WITHDRAWN = "card.withdrawn"
    CONVEYANCE_SENT = "conveyance.sent"
    CONVEYANCE_RECEIVED = "conveyance.received"
    STOCK_MOVED = "stock.moved"
    STOCK_USED = "stock.used"
    STOCK_SPOILED = "stock.spoiled"
    STOCK_DESTROYED = "stock.destroyed"
    STOCK_REVERSED = "stock.reversed"
    PENDING_OPENED = "pending.opened"
    PENDING_POSTED = "pending.posted"
    PENDING_VOIDED = "pending.voided"
    PENDING_EXPIRED = "pending.expired"
    SHIPMENT_REVERSED = "shipment.reversed"
    RECEIPT_SHORT = "receipt.short"
    RECEIPT_DAMAGED = "receipt.damaged"
    RECEIPT_SURPLUS = "receipt.surplus"
    COUNT_ADJUSTED = "count.adjusted"
    LOAN_OWED = "loan.owed"
    LOAN_RETURNED = "loan.returned"


@dataclass(frozen=True, order=True)
class Account:
    """One column of the ledger: a location or contract, a condition, and the item."""

    place: str
    condition: Condition
    item: str = BLANK

    @property
    def code(self) -> str:
        """The account as text, ``ID/on-hand`` for blanks and ``ID/ribbon/on-hand`` for the other items;
        accounts are locked in the order of their codes.
        """
        return f"{self.place}/{'' if self.item == BLANK else f'{self.item}/'}{self.condition}"

    @classmethod
    def parse(cls, code: str) -> Account:
        """The account that :attr:`code` writes. Contract numbers may contain slashes, but are in upper case,
        as items never are.
        """
        place, _, condition = code.rpartition("/")
        before, _, item = place.rpartition("/")
        if before and _ITEM.fullmatch(item):
            return cls(before, Condition(condition), item)
        return cls(place, Condition(condition))

    def to(self, condition: Condition) -> Account:
        """The account of the same item at the same place in another condition."""
        return Account(self.place, condition, self.item)


@dataclass(frozen=True)
class Line:
    """``quantity`` units out of ``source`` into ``target``; ``serials`` from the moment that an item's
    serials are known.
    """

    source: Account
    target: Account
    quantity: int
    serials: SerialRange | None = None

    def __post_init__(self) -> None:
        if self.quantity < 1 or self.source == self.target or self.source.item != self.target.item:
            raise ValueError(f"not a movement: {self}")
        if self.serials is not None and len(self.serials) != self.quantity:
            raise ValueError(f"serials and quantity differ: {self}")


@dataclass(frozen=True)
class Transfer:
    """One booking, never changed once written: what happened to which ``subject``, by whom, why and when.

    ``event_time`` is when it happened, if that is not when it was booked; ``reverses`` is the transfer that
    it takes back.
    """

    transfer_id: str
    kind: Kind
    subject: str
    actor: str
    reason: str
    book_time: datetime
    lines: tuple[Line, ...]
    event_time: datetime | None = None
    reverses: str | None = None

    @property
    def serials(self) -> tuple[SerialRange, ...]:
        """The serials that it moved."""
        return tuple(line.serials for line in self.lines if line.serials is not None)


class OvertakenError(Aborted):
    """Somebody booked on an account at :attr:`until`, later than this transaction wants to: its clock is
    behind, or it has waited for the other. It begins again, and books no earlier than that.
    """

    def __init__(self, account: Account, until: datetime) -> None:
        super().__init__(
            "OVERTAKEN",
            f"{account.code} was booked on at {until:%Y-%m-%d %H:%M:%S} UTC, after this began.",
            remedy="Send the same request again.",
        )
        self.account = account.code
        self.until = until


class OverdrawnError(Exception):
    """An account has less than was asked of it. The caller knows what that means and raises a typed error."""

    def __init__(self, account: Account, balance: int, asked: int) -> None:
        super().__init__(f"{account.code} has {balance}, asked {asked}")
        self.account = account
        self.balance = balance
        self.asked = asked


class NotThereError(Exception):
    """Serials are not free in the account that they were to be taken from."""

    def __init__(self, account: Account, serials: SerialRange) -> None:
        super().__init__(f"{serials} is not free in {account.code}")
        self.account = account
        self.serials = serials
