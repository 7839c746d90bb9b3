"""Spoiled stock and withdrawn cards on their way to a destruction elsewhere.

SENT → RECEIVED. Another person confirms what arrived, at once or bit by bit; what never does stays on its way
for everybody to see. None of it is ever stock: neither here nor there, nor on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, NotFound
from services.inventory.ledger.entries import Account, Condition
from services.inventory.ledger.serials import SerialRange, common, count, without
from services.inventory.location import Location
from services.inventory.people import Person


class ConveyanceState(StrEnum):
    """SENT while some of it is on its way, then RECEIVED."""

    SENT = "sent"
    RECEIVED = "received"


@dataclass(frozen=True)
class Conveyance:
    """``quantity`` units of ``source`` for ``target``, of which ``under_way`` have not arrived; ``ranges``
    are their serials, ``cards`` those of withdrawn cards, ``remaining`` those on their way.
    """

    conveyance_id: str
    source: Location
    target: Location
    item: str
    quantity: int
    ranges: tuple[SerialRange, ...]
    cards: tuple[SerialRange, ...]
    remaining: tuple[SerialRange, ...]
    under_way: int
    reason: str
    state: ConveyanceState
    sent_by: str
    send_time: datetime
    received_by: str | None = None
    receive_time: datetime | None = None

    @property
    def account(self) -> Account:
        """Where it is until it arrives."""
        return Account(self.target, Condition.CONVEYED, self.item)

    def arrived(
        self, quantity: int, ranges: Sequence[SerialRange], person: Person, now: datetime
    ) -> Conveyance:
        """The conveyance once these units arrived.

        Raises :class:`FailedPrecondition` when they are not all on their way.
        """
        if not 0 < quantity <= self.under_way or count(common(self.remaining, ranges)) != count(ranges):
            raise FailedPrecondition(
                "NOT_ON_ITS_WAY",
                f"Of conveyance {self.conveyance_id} {self.under_way} units are on their way; "
                f"{quantity} were named, and not all of them are.",
                field="serials",
                remedy="Name what arrived of it; ListConveyances tells what is on its way.",
                metadata={"under_way": str(self.under_way)},
            )
        left = self.under_way - quantity
        return replace(
            self,
            remaining=tuple(without(self.remaining, ranges)),
            under_way=left,
            state=ConveyanceState.SENT if left else ConveyanceState.RECEIVED,
            received_by=person.signature,
            receive_time=now,
        )


def unknown(conveyance_id: str) -> NotFound:
    """The refusal of an id that no conveyance has."""
    return NotFound(
        "CONVEYANCE_UNKNOWN",
        f"There is no conveyance {conveyance_id}.",
        field="conveyance_id",
        remedy="Find it with ListConveyances.",
    )
