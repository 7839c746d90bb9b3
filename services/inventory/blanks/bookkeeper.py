"""Blanks from the contract to the card: each method books one event, whole or not at all."""

from __future__ import annotations

from services.inventory.blanks import blank as blanks
from services.inventory.blanks import chips
from services.inventory.blanks import reservation as reservations
from services.inventory.blanks.blank import Blank
from services.inventory.blanks.reservation import Reservation, ReservationState
from services.inventory.contracts import delivery
from services.inventory.contracts.contract import Contract
from services.inventory.contracts.delivery import Lot
from services.inventory.contracts.store import ContractStore
from services.inventory.desk import Desk, Event
from services.inventory.disposal import noting
from services.inventory.disposal.spoilage import Spoilage
from services.inventory.ledger.entries import Account, Condition, Kind, Line, OverdrawnError
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import CENTRE, Location


class Bookkeeper:
    """Books events of the inventory. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.store
        self._books = desk.books
        self._clerk = desk.clerk

    def receive_lot(self, contract_id: str, delivery_note: str, serials: SerialRange) -> Lot:
        """Take a delivered lot into stock at the centre.

        Raises :class:`NotFound` for an unknown contract, :class:`FailedPrecondition` for more than is
        outstanding, :class:`AlreadyExists` for a serial that came before.
        """
        return self.receive(self.delivering(contract_id), delivery_note, serials)

    def delivering(self, contract_id: str) -> Contract:
        """The contract, locked, whose supplier delivers lots. Raises :class:`NotFound` for an unknown one,
        :class:`FailedPrecondition` for one that delivers none.
        """
        contract = ContractStore(self._store.connection).locked(contract_id)
        delivery.require_lots(contract)
        return contract

    def receive(self, contract: Contract, delivery_note: str, serials: SerialRange) -> Lot:
        """Take a lot of a ``delivering`` contract into stock; many of them in one transaction. Raises as
        :meth:`receive_lot` does.
        """
        owed, stock = contract.owed, Account(CENTRE, Condition.ON_HAND, contract.owed.item)
        try:
            self._books.shift(owed, stock, len(serials))
        except OverdrawnError as short:
            raise delivery.exceeded(owed, short.balance, short.asked) from short
        # Every lot goes into the centre's account, which is locked now: no other lot can come in between.
        known = self._store.lot_overlapping(serials)
        if known is not None:
            raise delivery.overlapping(serials, known)
        lot = Lot(self._clerk.new_id(), contract.contract_id, delivery_note, serials, self._clerk.now)
        self._store.add_lot(lot)
        self._books.put([serials], stock)
        event = Event(Kind.LOT_RECEIVED, lot.lot_id, f"delivery note {delivery_note}")
        self._desk.record(event, [Line(owed, stock, len(serials), serials)])
        return lot

    def reserve(self, location: Location, purpose: str) -> Blank:
        """Hold the lowest free serial of ``location``; :class:`FailedPrecondition` when there is none."""
        event = Event(Kind.BLANK_RESERVED, self._clerk.new_id(), purpose)
        free, held = Account(location, Condition.ON_HAND), Account(location, Condition.RESERVED)
        transfer = self._desk.move(event, free, held, 1, field="location", holder=event.subject)
        reservation = Reservation(
            reservation_id=event.subject,
            serial=transfer.serials[0].first,
            location=location,
            purpose=purpose,
            state=ReservationState.HELD,
            reserve_time=self._clerk.now,
        )
        self._store.add_reservation(reservation)
        return self._blank(reservation, Condition.RESERVED)

    def release(self, reservation_id: str, reason: str) -> Blank:
        """Give an unused blank back to the stock that it came from."""
        ended = self._end(reservation_id, ReservationState.RELEASED, reason)
        return self._settle(Kind.BLANK_RELEASED, ended, Condition.ON_HAND)

    def consume(self, reservation_id: str, chip_uid: str) -> Blank:
        """Turn a held blank into a card. Raises :class:`AlreadyExists` for a chip UID that was ever bound
        before, :class:`FailedPrecondition` for one that did not come with the blank's lot.
        """
        ended = self._end(reservation_id, ReservationState.CONSUMED, "")
        self._bind(chip_uid, ended)
        # After it is bound, which waits for any list that is being entered.
        chips.refuse_foreign(self._store, ended.serial, chip_uid)
        return self._settle(Kind.BLANK_CONSUMED, ended, Condition.CONSUMED, chip_uid)

    def spoil(
        self, reservation_id: str, reason: str, chip_uid: str, operator: str = ""
    ) -> tuple[Blank, Spoilage]:
        """Book a held blank as spoiled, with its chip UID where that could be read (else empty), by the
        operator who had it in hand. The spoilage waits for a reviewer.
        """
        ended = self._end(reservation_id, ReservationState.SPOILED, reason)
        if chip_uid:
            self._bind(chip_uid, ended)
        blank = self._settle(Kind.BLANK_SPOILED, ended, Condition.SPOILED, chip_uid)
        return blank, self._note(Kind.BLANK_SPOILED, ended, operator)

    def void(self, reservation_id: str, chip_uid: str, reason: str, operator: str) -> tuple[Blank, Spoilage]:
        """Take a card back that was rejected after it was booked: its blank is spoiled and stays bound to its
        chip. Raises :class:`FailedPrecondition` where it did not become a card, or one with another chip.
        """
        found = self._locked(reservation_id)
        ended = found.voided(self._clerk.now, reason)
        chips.refuse_other(self._store.connection, ended.serial, chip_uid)
        self._store.save_reservation(ended)
        event = Event(Kind.CARD_VOIDED, ended.reservation_id, reason)
        card, spoiled = (
            Account(ended.location, condition) for condition in (Condition.CONSUMED, Condition.SPOILED)
        )
        self._desk.move_ranges(event, card, spoiled, [ended.serials], field="reservation_id")
        return self._blank(ended, Condition.SPOILED, chip_uid), self._note(Kind.CARD_VOIDED, ended, operator)

    def _end(self, reservation_id: str, state: ReservationState, reason: str) -> Reservation:
        ended = self._locked(reservation_id).ended(state, self._clerk.now, reason)
        self._store.save_reservation(ended)
        return ended

    def _locked(self, reservation_id: str) -> Reservation:
        found = self._store.lock_reservation(reservation_id)
        if found is None:
            raise reservations.unknown(reservation_id)
        return found

    def _note(self, kind: Kind, ended: Reservation, operator: str) -> Spoilage:
        event = Event(kind, ended.reservation_id, ended.end_reason)
        person = self._desk.person(operator).signature if operator else self._clerk.actor
        return noting.note(self._desk, event, Account(ended.location, Condition.SPOILED), 1, person)

    def _bind(self, chip_uid: str, reservation: Reservation) -> None:
        bound_to = self._store.bind_chip(chip_uid, reservation)
        if bound_to is not None:
            raise blanks.uid_bound(chip_uid, bound_to)

    def _settle(self, kind: Kind, ended: Reservation, condition: Condition, chip_uid: str = "") -> Blank:
        event = Event(kind, ended.reservation_id, ended.end_reason or ended.purpose)
        held, target = Account(ended.location, Condition.RESERVED), Account(ended.location, condition)
        self._desk.move_held(event, held, target, 1, [ended.serials], held_for=event.subject)
        return self._blank(ended, condition, chip_uid)

    def _blank(self, reservation: Reservation, condition: Condition, chip_uid: str = "") -> Blank:
        lot = self._store.lot_overlapping(reservation.serials)
        assert lot is not None
        account = Account(reservation.location, condition)
        return Blank(reservation.serial, lot.lot_id, account, reservation, chip_uid)
