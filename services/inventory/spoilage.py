"""Spoilage and its end: a reason, a reviewer, and destruction before a witness with a signed protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, NotFound
from services.inventory.location import Location
from services.inventory.serials import SerialRange


class SpoilageState(StrEnum):
    """BOOKED → ACCEPTED or QUESTIONED by a reviewer, who may change their word later; REVERSED with the
    receipt that booked it.
    """

    BOOKED = "booked"
    ACCEPTED = "accepted"
    QUESTIONED = "questioned"
    REVERSED = "reversed"


@dataclass(frozen=True)
class Spoilage:
    """What ``person`` booked as spoiled, and what ``reviewed_by`` says of it; ``subject`` is the reservation,
    allocation or transfer that spoiled it.
    """

    spoilage_id: str
    location: Location
    item: str
    quantity: int
    reason: str
    state: SpoilageState
    person: str
    at: datetime
    reviewed_by: str | None = None
    review_time: datetime | None = None
    review: str = ""
    subject: str = ""


class DestructionState(StrEnum):
    """PREPARED → WITNESSED."""

    PREPARED = "prepared"
    WITNESSED = "witnessed"


@dataclass(frozen=True)
class Destruction:
    """Spoiled units and withdrawn cards that ``prepared_by`` wants destroyed; ``witnessed_by`` saw it done.

    ``protocol`` is the text that the service signed with Ed25519 once both had.
    """

    destruction_id: str
    location: Location
    item: str
    quantity: int
    ranges: tuple[SerialRange, ...]
    method: str
    state: DestructionState
    prepared_by: str
    prepare_time: datetime
    witnessed_by: str | None = None
    witness_time: datetime | None = None
    protocol: str = ""
    signature: bytes | None = None
    key_id: str = ""

    def written(self, cards: Sequence[SerialRange]) -> str:
        """The protocol (berita acara) as canonical JSON: sorted keys, no spaces, UTF-8. ``cards`` are
        those of the serials that came back from holders.
        """
        assert self.witness_time is not None
        content = {
            "type": "tunggal.inventory.destruction/1",
            "destruction_id": self.destruction_id,
            "location": self.location,
            "item": self.item,
            "quantity": self.quantity,
            "serials": [[serials.first, serials.last] for serials in self.ranges],
            "withdrawn_cards": [[serials.first, serials.last] for serials in cards],
            "method": self.method,
            "prepared_by": self.prepared_by,
            "prepare_time": self.prepare_time.isoformat(),
            "witnessed_by": self.witnessed_by,
            "witness_time": self.witness_time.isoformat(),
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def unknown(spoilage_id: str) -> NotFound:
    """The refusal of an id that no spoilage has."""
    return NotFound(
        "SPOILAGE_UNKNOWN",
        f"There is no spoilage {spoilage_id}.",
        field="spoilage_id",
        remedy="Find it with ListSpoilage.",
    )


def unknown_destruction(destruction_id: str) -> NotFound:
    """The refusal of an id that no destruction has."""
    return NotFound(
        "DESTRUCTION_UNKNOWN",
        f"There is no destruction {destruction_id}.",
        field="destruction_id",
        remedy="Send the destruction_id that PrepareDestruction answered.",
    )


def done(destruction_id: str) -> FailedPrecondition:
    """The refusal to witness a destruction twice."""
    return FailedPrecondition(
        "DESTRUCTION_WITNESSED",
        f"Destruction {destruction_id} was witnessed before.",
        field="destruction_id",
        remedy="Nothing is left to do; GetDestruction has the signed protocol.",
    )


def unreviewed(location: Location, item: str, quantity: int) -> FailedPrecondition:
    """The refusal to destroy evidence that nobody has reviewed."""
    return FailedPrecondition(
        "SPOILAGE_NOT_ACCEPTED",
        f"{quantity} spoiled {item} at {location} are not accepted by a reviewer.",
        field="location",
        remedy="Let somebody else review them with ReviewSpoilage first.",
        metadata={"location": location, "quantity": str(quantity)},
    )


def not_to_destroy(serials: SerialRange, account: str, location: str) -> FailedPrecondition:
    """The refusal to destroy what is neither spoiled nor withdrawn there."""
    return FailedPrecondition(
        "SERIALS_NOT_THERE",
        f"Serials {serials} are neither spoiled nor withdrawn at {location}: they are in {account}.",
        field="serials",
        remedy="Destroy what is spoiled or withdrawn there; GetBlank tells where a serial is.",
        metadata={"first": str(serials.first), "last": str(serials.last), "account": account},
    )


def taken_back(spoilage_id: str) -> FailedPrecondition:
    """The refusal to review what was taken back."""
    return FailedPrecondition(
        "SPOILAGE_REVERSED",
        f"Spoilage {spoilage_id} was taken back with the receipt that booked it.",
        field="spoilage_id",
        remedy="Nothing is left to review.",
    )
