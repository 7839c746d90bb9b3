"""Contracts of every kind: their terms, and the steps that one person proposes and another approves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from services.common.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from services.inventory.ledger.entries import BLANK, Account, Condition
from services.inventory.location import is_location


class ContractKind(StrEnum):
    """What a contract is for."""

    BLANKS = "blanks"
    CONSUMABLES = "consumables"
    ABIS_LICENCE = "abis-licence"
    MAINTENANCE = "maintenance"


class ContractState(StrEnum):
    """DRAFT → SIGNED → ACTIVE → CLOSED, or TERMINATED from SIGNED or ACTIVE. One that was signed elsewhere
    goes from DRAFT to ACTIVE.
    """

    DRAFT = "draft"
    SIGNED = "signed"
    ACTIVE = "active"
    CLOSED = "closed"
    TERMINATED = "terminated"


class ChangeKind(StrEnum):
    """A step of a contract that needs two people."""

    SIGN = "sign"
    ACTIVATE = "activate"
    AMEND = "amend"
    CLOSE = "close"
    TERMINATE = "terminate"
    TAKE_OVER = "take-over"
    REVERSE_LOT = "reverse-lot"


class ChangeState(StrEnum):
    """What became of a proposed step."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    #: Another step took effect first: it was proposed for a contract that is no more.
    SUPERSEDED = "superseded"


#: The states that a step can be taken from, and where it leads; ``None``: nowhere else.
STEPS: dict[ChangeKind, tuple[tuple[ContractState, ...], ContractState | None]] = {
    ChangeKind.SIGN: ((ContractState.DRAFT,), ContractState.SIGNED),
    ChangeKind.ACTIVATE: ((ContractState.SIGNED,), ContractState.ACTIVE),
    ChangeKind.AMEND: ((ContractState.DRAFT, ContractState.SIGNED, ContractState.ACTIVE), None),
    ChangeKind.CLOSE: ((ContractState.ACTIVE,), ContractState.CLOSED),
    ChangeKind.TERMINATE: ((ContractState.SIGNED, ContractState.ACTIVE), ContractState.TERMINATED),
    ChangeKind.TAKE_OVER: ((ContractState.DRAFT,), ContractState.ACTIVE),
    ChangeKind.REVERSE_LOT: ((ContractState.ACTIVE,), None),
}

#: Kinds whose supplier owes units of an item.
DELIVERING = (ContractKind.BLANKS, ContractKind.CONSUMABLES)


@dataclass(frozen=True)
class Contract:
    """A contract as it is now; of the ``promised`` units in the ledger ``outstanding`` are still owed by the
    supplier. A draft promises nothing, one that was terminated no more than what came.

    ``price`` is in the smallest unit of ``currency``. The days of validity are both included, ``None`` is
    open. Ceilings of 0 are no ceilings.
    """

    contract_id: str
    supplier: str
    quantity: int
    create_time: datetime
    outstanding: int = 0
    promised: int = 0
    kind: ContractKind = ContractKind.BLANKS
    state: ContractState = ContractState.ACTIVE
    item: str | None = BLANK
    currency: str = "IDR"
    price: int = 0
    valid_from: date | None = None
    valid_until: date | None = None
    max_people: int = 0
    max_searches_per_day: int = 0
    succeeds: str | None = None

    @property
    def delivered(self) -> int:
        """Units taken into stock so far."""
        return self.promised - self.outstanding

    @property
    def contracted(self) -> Account:
        """The account whose negative balance is what was contracted."""
        return Account(self.contract_id, Condition.CONTRACTED, self.item or BLANK)

    @property
    def owed(self) -> Account:
        """The account of what the supplier still owes."""
        return Account(self.contract_id, Condition.OUTSTANDING, self.item or BLANK)

    def valid_on(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return (
            self.state is ContractState.ACTIVE
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_until is None or day <= self.valid_until)
        )

    def require_step(self, kind: ChangeKind) -> None:
        """Raises :class:`FailedPrecondition` when the step cannot be taken from where the contract is."""
        before, _ = STEPS[kind]
        if self.state not in before:
            raise FailedPrecondition(
                "WRONG_CONTRACT_STATE",
                f"Contract {self.contract_id} is {self.state}: it cannot take the step {kind}.",
                field="kind",
                remedy=f"The step needs a contract that is {' or '.join(before)}.",
                metadata={"contract_id": self.contract_id, "state": self.state},
            )

    def after(self, kind: ChangeKind) -> Contract:
        """The contract after the step."""
        self.require_step(kind)
        _, state = STEPS[kind]
        return self if state is None else replace(self, state=state)


@dataclass(frozen=True)
class Due:
    """A delivery that the contract promises: so many units by the end of that day."""

    day: date
    quantity: int


@dataclass(frozen=True)
class Change:
    """A step that ``proposed_by`` proposes and somebody else decides on. ``terms`` are the new values of what
    an amendment changes, as text, or the lot to be reversed; ``terms_before`` are the values it replaces.
    """

    change_id: str
    contract_id: str
    kind: ChangeKind
    terms: dict[str, str]
    reason: str
    state: ChangeState
    proposed_by: str
    propose_time: datetime
    decided_by: str | None = None
    decide_time: datetime | None = None
    terms_before: dict[str, str] = field(default_factory=dict)


def stands(waiting: ChangeKind, taken: ChangeKind, after: Contract) -> bool:
    """Whether a proposed step can still be approved once another step took effect.

    Who approves has seen the contract as it was when the step was proposed. Only the reversal of a lot rests
    on no terms: it stands, and lets others stand, as long as the contract is active.
    """
    if taken is ChangeKind.REVERSE_LOT:
        return True
    return waiting is ChangeKind.REVERSE_LOT and after.state in STEPS[waiting][0]


def overdue(dues: Sequence[Due], delivered: int, today: date) -> int:
    """Units that should have been delivered before ``today`` and were not."""
    return max(0, sum(due.quantity for due in dues if due.day < today) - delivered)


def check_number(contract_id: str) -> None:
    """Raise :class:`InvalidArgument` for a number that reads as a location: both are places of accounts."""
    if is_location(contract_id):
        raise InvalidArgument(
            "CONTRACT_NUMBER_IS_A_LOCATION",
            f"{contract_id} is the code of a location and cannot be the number of a contract.",
            field="contract_id",
            remedy="Enter it with something that only contracts have, such as KTP-32.16.",
        )


def exists(contract_id: str) -> AlreadyExists:
    """The refusal of a second contract under one number."""
    return AlreadyExists(
        "CONTRACT_EXISTS",
        f"Contract {contract_id} is entered already.",
        field="contract_id",
        remedy="Read it with GetContract, or enter the new contract under its own number.",
    )


def unknown(contract_id: str, field: str = "contract_id") -> NotFound:
    """The refusal of a number that no contract has."""
    return NotFound(
        "CONTRACT_UNKNOWN",
        f"There is no contract {contract_id}.",
        field=field,
        remedy="Check the number with ListContracts, or enter the contract first.",
    )
