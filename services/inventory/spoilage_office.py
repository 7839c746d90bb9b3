"""Spoiling stock without a card job, reviewing spoilage, destroying before a witness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.common.errors import InvalidArgument
from services.inventory import items
from services.inventory import spoilage as spoilages
from services.inventory.blank import insufficient
from services.inventory.blank import unknown as unknown_serial
from services.inventory.desk import Desk, Event
from services.inventory.ledger import Account, Condition, Kind
from services.inventory.location import Location
from services.inventory.movement_store import MovementStore
from services.inventory.people import require_other
from services.inventory.refusal import in_future
from services.inventory.serials import SerialRange, count, ordered
from services.inventory.spoilage import Destruction, DestructionState, Spoilage, SpoilageState
from services.inventory.statement.signing import Signer


@dataclass(frozen=True)
class Goods:
    """Units of an item at a location; their serials where it has them."""

    location: Location
    item: str
    quantity: int
    serials: Sequence[SerialRange]


class SpoilageOffice:
    """Books what cannot be used any more. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk, signer: Signer) -> None:
        self._desk = desk
        self._now = desk.clerk.now
        self._signer = signer
        self._store = MovementStore(desk.store.connection)

    def spoil(self, goods: Goods, reason: str, event_time: datetime | None, operator: str) -> Spoilage:
        """Book free units as spoiled: a box that got wet, a roll that tore."""
        if event_time is not None and event_time > self._now:
            raise in_future("event_time", event_time)
        event = Event(Kind.STOCK_SPOILED, self._desk.clerk.new_id(), reason, event_time)
        free = Account(goods.location, Condition.ON_HAND, goods.item)
        quantity = self._move(event, goods, free, free.to(Condition.SPOILED))
        person = self._desk.person(operator).signature
        return self._desk.note_spoilage(event, free, quantity, person)

    def review(self, spoilage_id: str, accepted: bool, review: str, operator: str) -> Spoilage:
        """Say as a second person whether the reason holds."""
        before = self._desk.store.spoilages.get(spoilage_id, lock=True)
        if before is None:
            raise spoilages.unknown(spoilage_id)
        if before.state is SpoilageState.REVERSED:
            raise spoilages.taken_back(spoilage_id)
        person = self._desk.person(operator)
        require_other(person, before.person)
        after = replace(
            before,
            state=SpoilageState.ACCEPTED if accepted else SpoilageState.QUESTIONED,
            reviewed_by=person.signature,
            review_time=self._now,
            review=review,
        )
        self._desk.store.spoilages.save(after)
        return after

    def prepare(self, goods: Goods, method: str, operator: str) -> Destruction:
        """Write down what is to be destroyed, of what is spoiled or withdrawn there; nothing moves before it
        was witnessed.

        Raises :class:`FailedPrecondition` for what is not there, and while spoilage of the location waits for
        its reviewer.
        """
        serials, quantity = self._counted(goods)
        spoiled = Account(goods.location, Condition.SPOILED, goods.item)
        parts = self._parts(spoiled, quantity, serials)
        waiting = self._store.unaccepted(goods.location, goods.item) if spoiled in parts else 0
        if waiting:
            raise spoilages.unreviewed(goods.location, goods.item, waiting)
        made = Destruction(
            destruction_id=self._desk.clerk.new_id(),
            location=goods.location,
            item=goods.item,
            quantity=quantity,
            ranges=serials,
            method=method,
            state=DestructionState.PREPARED,
            prepared_by=self._desk.person(operator).signature,
            prepare_time=self._now,
        )
        self._store.destructions.add(made)
        return made

    def witness(self, destruction_id: str, operator: str) -> Destruction:
        """Book as destroyed what the witness saw destroyed, and sign the protocol."""
        before = self._store.destructions.get(destruction_id, lock=True)
        if before is None:
            raise spoilages.unknown_destruction(destruction_id)
        if before.state is not DestructionState.PREPARED:
            raise spoilages.done(destruction_id)
        person = self._desk.person(operator)
        require_other(person, before.prepared_by)
        event = Event(Kind.STOCK_DESTROYED, destruction_id, before.method)
        spoiled = Account(before.location, Condition.SPOILED, before.item)
        parts = self._parts(spoiled, before.quantity, before.ranges)
        for source, (quantity, serials) in parts.items():
            if serials:
                self._desk.move_ranges(
                    event, source, spoiled.to(Condition.DESTROYED), serials, field="destruction_id"
                )
            else:
                self._desk.move(
                    event, source, spoiled.to(Condition.DESTROYED), quantity, field="destruction_id"
                )
        _, cards = parts.get(spoiled.to(Condition.WITHDRAWN), (0, []))
        after = replace(
            before,
            state=DestructionState.WITNESSED,
            witnessed_by=person.signature,
            witness_time=self._now,
        )
        protocol = after.written(cards)
        after = replace(
            after,
            protocol=protocol,
            signature=self._signer.sign(protocol),
            key_id=self._signer.key_id,
        )
        self._store.destructions.save(after)
        return after

    def _parts(
        self, spoiled: Account, quantity: int, ranges: Sequence[SerialRange]
    ) -> dict[Account, tuple[int, list[SerialRange]]]:
        """What is to be destroyed, by the account that has it: spoiled, or withdrawn cards.

        Raises :class:`FailedPrecondition` for what is in neither.
        """
        if not ranges:
            has = self._desk.books.lock(spoiled)
            if has < quantity:
                raise insufficient(spoiled, has, quantity, "quantity")
            return {spoiled: (quantity, [])}
        found: dict[Account, tuple[int, list[SerialRange]]] = {}
        for serials in ranges:
            first = serials.first
            while first <= serials.last:
                held = self._desk.books.holding_of(first)
                if held is None:
                    raise unknown_serial(first)
                account, last = held
                part = SerialRange(first, min(last, serials.last))
                if account not in (spoiled, spoiled.to(Condition.WITHDRAWN)):
                    raise spoilages.not_to_destroy(part, account.code, spoiled.place)
                count_before, before = found.get(account, (0, []))
                found[account] = (count_before + len(part), [*before, part])
                first = part.last + 1
        return found

    def _move(self, event: Event, goods: Goods, source: Account, target: Account) -> int:
        serials, quantity = self._counted(goods)
        if serials:
            self._desk.move_ranges(event, source, target, serials, field="serials")
        else:
            self._desk.move(event, source, target, quantity, field="quantity")
        return quantity

    def _counted(self, goods: Goods) -> tuple[tuple[SerialRange, ...], int]:
        """The serials in order and how many units there are."""
        self._desk.item(goods.item)
        serials = ordered(goods.serials, "serials")
        if self._desk.serialised(goods.item):
            if not serials:
                raise items.serials_needed(goods.item)
            return serials, count(serials)
        if serials:
            raise items.serials_unwanted(goods.item, "serials")
        if goods.quantity < 1:
            raise InvalidArgument(
                "QUANTITY_MISSING",
                f"How many units of {goods.item}?",
                field="quantity",
                remedy="Send the quantity.",
            )
        return (), goods.quantity
