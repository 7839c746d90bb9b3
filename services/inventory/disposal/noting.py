"""What a booking spoiled is noted for a reviewer, and struck out where the booking is taken back."""

from __future__ import annotations

from dataclasses import replace

from services.inventory.desk import Desk, Event
from services.inventory.disposal import spoilage as spoilages
from services.inventory.disposal import tables
from services.inventory.disposal.spoilage import Spoilage, SpoilageState
from services.inventory.disposal.store import DisposalStore
from services.inventory.ledger.entries import Account
from services.inventory.location import Location


def note(desk: Desk, event: Event, place: Account, quantity: int, person: str) -> Spoilage:
    """Let a second person review what the event spoiled."""
    spoilage = Spoilage(
        spoilage_id=desk.clerk.new_id(),
        location=Location(place.place),
        item=place.item,
        quantity=quantity,
        reason=event.reason,
        state=SpoilageState.BOOKED,
        person=person,
        at=desk.clerk.now,
        subject=event.subject,
    )
    DisposalStore(desk.store.connection).spoilages.add(spoilage)
    return spoilage


def strike(desk: Desk, subject: str, field: str, *, agreed: bool) -> None:
    """What ``subject`` spoiled was not spoiled. Raises :class:`FailedPrecondition` where a reviewer has said
    something of it and two people have not ``agreed``.
    """
    noted = DisposalStore(desk.store.connection).spoilages
    for spoilage in noted.where(tables.spoilage.c.subject == subject, lock=True):
        if spoilage.state is SpoilageState.REVERSED:
            continue
        if not agreed and spoilage.state is not SpoilageState.BOOKED:
            raise spoilages.reviewed(spoilage, field)
        noted.save(replace(spoilage, state=SpoilageState.REVERSED))
