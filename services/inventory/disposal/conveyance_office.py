"""Sending what is to be destroyed to where it is destroyed, and taking it in there."""

from __future__ import annotations

from services.inventory.desk import Desk, Event
from services.inventory.disposal import conveyance as conveyances
from services.inventory.disposal.conveyance import Conveyance, ConveyanceState
from services.inventory.disposal.scrap import Part, Scrap, move
from services.inventory.disposal.store import DisposalStore
from services.inventory.goods import Goods
from services.inventory.ledger.entries import Account, Condition, Kind
from services.inventory.ledger.serials import SerialRange, common, count, without
from services.inventory.location import Location
from services.inventory.movements.allocation import require_two_places
from services.inventory.movements.store import MovementStore
from services.inventory.people import require_other


class ConveyanceOffice:
    """Books conveyances. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = DisposalStore(desk.store.connection)
        self._sites = MovementStore(desk.store.connection)

    def send(self, goods: Goods, target: Location, reason: str, operator: str) -> Conveyance:
        """Send spoiled stock and withdrawn cards to ``target``.

        Raises :class:`FailedPrecondition` for what is neither, for spoilage that no reviewer accepted, and
        for a site that has closed.
        """
        require_two_places(goods.location, target)
        self._sites.require_open(target, "to_location")
        ranges, quantity = goods.counted(self._desk)
        scrap = Scrap(self._desk.store, goods.location, goods.item)
        self._desk.lock([*scrap.accounts, Account(target, Condition.CONVEYED, goods.item)])
        parts = scrap.parts(quantity, ranges)
        scrap.evidence(parts)
        sent = Conveyance(
            conveyance_id=self._desk.clerk.new_id(),
            source=goods.location,
            target=target,
            item=goods.item,
            quantity=quantity,
            ranges=ranges,
            cards=scrap.cards(parts),
            remaining=ranges,
            under_way=quantity,
            reason=reason,
            state=ConveyanceState.SENT,
            sent_by=self._desk.person(operator).signature,
            send_time=self._desk.clerk.now,
        )
        event = Event(Kind.CONVEYANCE_SENT, sent.conveyance_id, reason)
        move(self._desk, event, parts, sent.account, "serials")
        self._store.conveyances.add(sent)
        return sent

    def receive(
        self,
        conveyance_id: str,
        quantity: int,
        ranges: tuple[SerialRange, ...],
        operator: str,
        *,
        returned: bool = False,
    ) -> Conveyance:
        """Confirm what arrived (all of it where nothing is named), or came back to the sender.

        Raises :class:`PermissionDenied` for the person who sent it, :class:`FailedPrecondition` for what is
        not on its way.
        """
        before = self._store.conveyances.locked(conveyance_id, conveyances.unknown)
        person = self._desk.person(operator)
        require_other(person, before.sent_by)
        serials, units = self._desk.counted(before.item, quantity, ranges, "serials")
        if not units:
            serials, units = before.remaining, before.under_way
        after = before.arrived(units, serials, person, self._desk.clerk.now)
        place = Account(before.source if returned else before.target, Condition.SPOILED, before.item)
        self._sites.require_open(Location(place.place), "conveyance_id")
        there = Scrap(self._desk.store, Location(place.place), place.item)
        self._desk.lock([before.account, *there.accounts])
        event = Event(Kind.CONVEYANCE_RECEIVED, conveyance_id, before.reason)
        for condition, held in (
            (Condition.WITHDRAWN, common(serials, before.cards)),
            (Condition.SPOILED, without(serials, before.cards)),
        ):
            if held:
                part = Part(before.account, count(held), tuple(held))
                move(self._desk, event, [part], place.to(condition), "serials")
        if units and not serials:
            move(self._desk, event, [Part(before.account, units)], place, "quantity")
        self._store.conveyances.save(after)
        return after
