"""Reservations: one blank held for one card job, which then is consumed, spoiled or released.

HELD → CONSUMED, SPOILED or RELEASED. The last two are final; a card that was consumed for and then rejected
is SPOILED after all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, NotFound
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import Location


class ReservationState(StrEnum):
    """What became of a reservation."""

    HELD = "held"
    RELEASED = "released"
    CONSUMED = "consumed"
    SPOILED = "spoiled"


@dataclass(frozen=True)
class Reservation:
    """The blank ``serial`` of ``location``, held for ``purpose``; ``end_reason`` says why it was spoiled or
    released.
    """

    reservation_id: str
    serial: int
    location: Location
    purpose: str
    state: ReservationState
    reserve_time: datetime
    end_time: datetime | None = None
    end_reason: str = ""

    @property
    def serials(self) -> SerialRange:
        """The blank as a range."""
        return SerialRange(self.serial, self.serial)

    def ended(self, state: ReservationState, now: datetime, reason: str = "") -> Reservation:
        """The reservation after its end. Raises :class:`FailedPrecondition` when it had ended before."""
        if self.state is not ReservationState.HELD:
            raise FailedPrecondition(
                f"RESERVATION_{self.state.upper()}",
                f"Reservation {self.reservation_id} of blank {self.serial} was {self.state} before.",
                field="reservation_id",
                remedy="Reserve another blank; a repeated call needs the request_id of the first one.",
                metadata={"serial": str(self.serial), "state": self.state.upper()},
            )
        return replace(self, state=state, end_time=now, end_reason=reason)

    def voided(self, now: datetime, reason: str) -> Reservation:
        """The reservation after its card was rejected. Raises :class:`FailedPrecondition` when its blank did
        not become a card, or that card was rejected before.
        """
        if self.state is not ReservationState.CONSUMED:
            raise FailedPrecondition(
                f"RESERVATION_{self.state.upper()}",
                f"Blank {self.serial} of reservation {self.reservation_id} is no card: it is {self.state}.",
                field="reservation_id",
                remedy="A blank that is held is spoiled with SpoilBlank.",
                metadata={"serial": str(self.serial), "state": self.state.upper()},
            )
        return replace(self, state=ReservationState.SPOILED, end_time=now, end_reason=reason)


def unknown(reservation_id: str) -> NotFound:
    """The refusal of an id that no reservation has."""
    return NotFound(
        "RESERVATION_UNKNOWN",
        f"There is no reservation {reservation_id}.",
        field="reservation_id",
        remedy="Send the reservation_id that ReserveBlank answered.",
    )
