"""Two-phase transfers: set aside now, posted or voided later, void by themselves when nobody decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, InvalidArgument, NotFound
from services.inventory.ledger.entries import Account


class PendingState(StrEnum):
    """PENDING → POSTED, VOIDED or EXPIRED; each of the three is final."""

    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Pending:
    """``quantity`` left ``source`` and waits in ``held``; posted it goes to ``target``, else back.

    From ``expire_time`` on it is expired, whether or not that has been booked yet.
    """

    transfer_id: str
    source: Account
    target: Account
    held: Account
    quantity: int
    reason: str
    expire_time: datetime
    state: PendingState
    end_time: datetime | None = None


def ended(pending: Pending, state: PendingState) -> FailedPrecondition:
    """The refusal to post or void what has ended."""
    return FailedPrecondition(
        f"PENDING_{state.upper()}",
        f"Transfer {pending.transfer_id} is {state}; it waited until {pending.expire_time:%Y-%m-%d %H:%M}.",
        field="transfer_id",
        remedy="Open a new one; a repeated call needs the request_id of the first one.",
        metadata={"state": state, "expire_time": pending.expire_time.isoformat()},
    )


def unknown(transfer_id: str) -> NotFound:
    """The refusal of an id that no transfer has."""
    return NotFound(
        "TRANSFER_UNKNOWN",
        f"There is no such transfer {transfer_id}.",
        field="transfer_id",
        remedy="Send the transfer_id that PostTransfers answered.",
    )


def expires_in_past(field: str) -> InvalidArgument:
    """The refusal of a two-phase transfer that would be void at once."""
    return InvalidArgument(
        "EXPIRES_IN_PAST",
        "The transfer would expire before it begins.",
        field=field,
        remedy="Send a moment in the future as pending_until, or none to post at once.",
    )
