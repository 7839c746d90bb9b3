"""Spoiling stock without a card job, reviewing spoilage, destroying before a witness."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.inventory.desk import Desk, Event
from services.inventory.disposal import noting
from services.inventory.disposal import spoilage as spoilages
from services.inventory.disposal.scrap import Scrap, as_prepared, move
from services.inventory.disposal.spoilage import (
    Destruction,
    DestructionState,
    Review,
    Spoilage,
    SpoilageState,
)
from services.inventory.disposal.store import DisposalStore
from services.inventory.fields import named
from services.inventory.goods import Goods
from services.inventory.ledger.entries import Account, Condition, Kind
from services.inventory.people import require_other
from services.inventory.statement.keys import SigningKeys
from services.inventory.statement.signing import Signer


class SpoilageOffice:
    """Books what cannot be used any more. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk, signer: Signer) -> None:
        self._desk = desk
        self._signer = signer
        self._store = DisposalStore(desk.store.connection)

    def spoil(self, goods: Goods, reason: str, event_time: datetime | None, operator: str) -> Spoilage:
        """Book free units as spoiled: a box that got wet, a roll that tore."""
        if event_time is not None:
            self._desk.require_happened(event_time, "event_time")
        event = Event(Kind.STOCK_SPOILED, self._desk.clerk.new_id(), reason, event_time)
        free = Account(goods.location, Condition.ON_HAND, goods.item)
        quantity = self._move(event, goods, free, free.to(Condition.SPOILED))
        person = self._desk.person(operator).signature
        return noting.note(self._desk, event, free, quantity, person)

    def review(self, spoilage_id: str, accepted: bool, review: str, operator: str) -> Spoilage:
        """Say as a second person whether the reason holds."""
        before = self._store.spoilages.locked(spoilage_id, spoilages.unknown)
        if before.state is SpoilageState.REVERSED:
            raise spoilages.taken_back(spoilage_id)
        person = self._desk.person(operator)
        require_other(person, before.person)
        after = replace(
            before,
            state=SpoilageState.ACCEPTED if accepted else SpoilageState.QUESTIONED,
            reviewed_by=person.signature,
            review_time=self._desk.clerk.now,
            review=review,
        )
        self._store.spoilages.save(after)
        self._store.reviews.add(
            Review(spoilage_id, after.state, person.signature, self._desk.clerk.now, review)
        )
        return after

    def prepare(self, goods: Goods, method: str, operator: str) -> Destruction:
        """Write down what is to be destroyed, of what is spoiled or withdrawn there; nothing moves before it
        was witnessed.

        Raises :class:`FailedPrecondition` for what is not there, and for spoilage that no reviewer accepted.
        """
        serials, quantity = goods.counted(self._desk)
        scrap = Scrap(self._desk.store, goods.location, goods.item)
        self._desk.lock(scrap.accounts)
        parts = scrap.parts(quantity, serials)
        evidence = scrap.evidence(parts)
        made = Destruction(
            destruction_id=self._desk.clerk.new_id(),
            location=goods.location,
            item=goods.item,
            quantity=quantity,
            ranges=serials,
            method=method,
            state=DestructionState.PREPARED,
            prepared_by=self._desk.person(operator).signature,
            prepare_time=self._desk.clerk.now,
        )
        made = replace(made, prepared=made.preparation(scrap.cards(parts), evidence))
        self._store.destructions.add(made)
        return made

    def witness(self, destruction_id: str, seen_sha256: str, operator: str) -> Destruction:
        """Book as destroyed what the witness saw destroyed, and sign the protocol.

        Raises :class:`FailedPrecondition` unless ``seen_sha256`` is of what was prepared and all that was
        prepared is still so: the serials, which of them are cards, and the word of every reviewer.
        """
        before = self._prepared(destruction_id)
        person = self._desk.person(operator)
        require_other(person, before.prepared_by)
        if seen_sha256 != before.prepared_sha256:
            raise spoilages.not_prepared(before)
        scrap = Scrap(self._desk.store, before.location, before.item)
        destroyed = Account(before.location, Condition.DESTROYED, before.item)
        self._desk.lock([*scrap.accounts, destroyed])
        with named("destruction_id"):
            parts = as_prepared(scrap, before)
        event = Event(Kind.STOCK_DESTROYED, destruction_id, before.method)
        move(self._desk, event, parts, destroyed, "destruction_id")
        after = replace(
            before,
            state=DestructionState.WITNESSED,
            witnessed_by=person.signature,
            witness_time=self._desk.clerk.now,
        )
        protocol = after.written()
        SigningKeys(self._desk.store.connection).remember(self._signer, self._desk.clerk.now)
        after = replace(
            after,
            protocol=protocol,
            signature=self._signer.sign(protocol),
            key_id=self._signer.key_id,
        )
        self._store.destructions.save(after)
        return after

    def withdraw(self, destruction_id: str, reason: str, operator: str) -> Destruction:
        """Let a prepared destruction go: it will not be done as it was prepared, or cannot be any more."""
        after = replace(
            self._prepared(destruction_id),
            state=DestructionState.WITHDRAWN,
            withdrawn_by=self._desk.person(operator).signature,
            withdraw_time=self._desk.clerk.now,
            withdraw_reason=reason,
        )
        self._store.destructions.save(after)
        return after

    def _prepared(self, destruction_id: str) -> Destruction:
        found = self._store.destructions.locked(destruction_id, spoilages.unknown_destruction)
        found.require_prepared()
        return found

    def _move(self, event: Event, goods: Goods, source: Account, target: Account) -> int:
        serials, quantity = goods.counted(self._desk)
        if serials:
            self._desk.move_ranges(event, source, target, serials, field="serials")
        else:
            self._desk.move(event, source, target, quantity, field="quantity")
        return quantity
