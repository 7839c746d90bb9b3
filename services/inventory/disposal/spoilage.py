"""Spoilage and its end: a reason, a reviewer, and destruction before a witness with a signed protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.canonical import canonical
from services.common.errors import FailedPrecondition, NotFound
from services.inventory.ledger.entries import BLANK, Account
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import Location
from services.inventory.reversals.needs_two import needs_two


class SpoilageState(StrEnum):
    """BOOKED → ACCEPTED or QUESTIONED by a reviewer, who may change their word later; REVERSED with the
    receipt or the transfer that booked it.
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


@dataclass(frozen=True)
class Review:
    """What ``person`` said of a spoilage. Written once: who changes their word leaves the one before."""

    spoilage_id: str
    state: SpoilageState
    person: str
    at: datetime
    review: str


class DestructionState(StrEnum):
    """PREPARED → WITNESSED or WITHDRAWN."""

    PREPARED = "prepared"
    WITNESSED = "witnessed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Destruction:
    """Spoiled units and withdrawn cards that ``prepared_by`` wants destroyed; ``witnessed_by`` saw it done,
    or ``withdrawn_by`` said why it will not be done as it was prepared.

    ``prepared`` is the text that the witness vouches for, word for word; ``protocol`` is the text that the
    service signed with Ed25519 once both had.
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
    prepared: str = ""
    withdrawn_by: str | None = None
    withdraw_time: datetime | None = None
    withdraw_reason: str = ""

    def require_prepared(self) -> None:
        """Raises :class:`FailedPrecondition` when it was witnessed or withdrawn before."""
        if self.state is DestructionState.WITNESSED:
            raise done(self.destruction_id)
        if self.state is DestructionState.WITHDRAWN:
            raise withdrawn(self)

    @property
    def prepared_sha256(self) -> str:
        """The digest by which the witness names what was prepared."""
        return hashlib.sha256(self.prepared.encode()).hexdigest()

    def preparation(self, cards: Sequence[SerialRange], evidence: Sequence[Spoilage]) -> str:
        """What is to be destroyed as canonical JSON. ``cards`` are those of the serials that came back from
        holders, ``evidence`` is what spoiled the others; every word of it and of reviews is in the digest.
        """
        said = [
            [each.spoilage_id, each.reason, each.person, each.state, each.reviewed_by, each.review]
            for each in evidence
        ]
        content = {
            "type": "tunggal.inventory.destruction-prepared/1",
            "destruction_id": self.destruction_id,
            "location": self.location,
            "item": self.item,
            "quantity": self.quantity,
            "serials": [[serials.first, serials.last] for serials in self.ranges],
            "withdrawn_cards": [[serials.first, serials.last] for serials in cards],
            "method": self.method,
            "prepared_by": self.prepared_by,
            "prepare_time": self.prepare_time.isoformat(),
            "spoilage": [each.spoilage_id for each in evidence],
            "spoilage_sha256": hashlib.sha256(canonical(said).encode()).hexdigest(),
        }
        return canonical(content)

    def written(self) -> str:
        """The protocol (berita acara) as canonical JSON: what was prepared, who witnessed it, and when."""
        assert self.witness_time is not None
        content = json.loads(self.prepared) | {
            "type": "tunggal.inventory.destruction/1",
            "prepared_sha256": self.prepared_sha256,
            "witnessed_by": self.witnessed_by,
            "witness_time": self.witness_time.isoformat(),
        }
        return canonical(content)


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


def withdrawn(destruction: Destruction) -> FailedPrecondition:
    """The refusal to go on with what was withdrawn."""
    return FailedPrecondition(
        "DESTRUCTION_WITHDRAWN",
        f"Destruction {destruction.destruction_id} was withdrawn: {destruction.withdraw_reason}",
        field="destruction_id",
        remedy="Prepare the destruction anew if it is still wanted.",
    )


def not_prepared(destruction: Destruction) -> FailedPrecondition:
    """The refusal of a witness who saw something else than what was prepared."""
    return FailedPrecondition(
        "NOT_WHAT_WAS_PREPARED",
        f"The digest is not that of what was prepared as destruction {destruction.destruction_id}.",
        field="prepared_sha256",
        remedy="Read what was prepared with GetDestruction, look at what burns, send that digest.",
        metadata={"destruction_id": destruction.destruction_id},
    )


def changed(destruction: Destruction) -> FailedPrecondition:
    """The refusal to sign for what is no longer so: a reviewer changed their word, a card came or went."""
    return FailedPrecondition(
        "DESTRUCTION_CHANGED",
        f"What destruction {destruction.destruction_id} says is no longer so: a review or a card changed.",
        field="destruction_id",
        remedy="Withdraw it and prepare the destruction anew; the witness then reads what is so now.",
        metadata={"destruction_id": destruction.destruction_id},
    )


def unreviewed(location: Location, item: str, quantity: int) -> FailedPrecondition:
    """The refusal to destroy evidence that nobody has reviewed."""
    return FailedPrecondition(
        "SPOILAGE_NOT_ACCEPTED",
        f"{quantity} spoiled {item} at {location} are not accepted by a reviewer.",
        field="serials" if item == BLANK else "quantity",
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


def reviewed(spoilage: Spoilage, field: str) -> FailedPrecondition:
    """The refusal to take back alone what somebody else has reviewed."""
    return needs_two(
        f"Spoilage {spoilage.spoilage_id} was {spoilage.state} by {spoilage.reviewed_by}.",
        field,
        {"spoilage_id": spoilage.spoilage_id},
    )


def taken_back(spoilage_id: str) -> FailedPrecondition:
    """The refusal to review what was taken back."""
    return FailedPrecondition(
        "SPOILAGE_REVERSED",
        f"Spoilage {spoilage_id} was taken back with what booked it.",
        field="spoilage_id",
        remedy="Nothing is left to review.",
    )


def left(account: Account, quantity: int, field: str) -> FailedPrecondition:
    """The refusal to take spoilage back whose rolls were destroyed, or sent to that."""
    return FailedPrecondition(
        "SPOILED_MOVED_ON",
        f"{quantity} of that {account.item} have left {account.place}; what is there is of other spoilage.",
        field=field,
        remedy="Bring them back first (ListConveyances tells where); what was destroyed stays spoiled.",
        metadata={"location": account.place, "item": account.item, "quantity": str(quantity)},
    )
