"""Taking cards back from their holders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from services.inventory import tables
from services.inventory.blanks.blank import unknown as unknown_serial
from services.inventory.desk import Desk, Event
from services.inventory.disposal import withdrawal as withdrawals
from services.inventory.disposal.store import DisposalStore
from services.inventory.disposal.withdrawal import Cause, Withdrawal
from services.inventory.ledger import custody
from services.inventory.ledger.books import Books
from services.inventory.ledger.entries import Account, Condition, Kind
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import Location
from services.inventory.movements.store import MovementStore

_chip = tables.chip


class WithdrawalOffice:
    """Books cards that come back. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = DisposalStore(desk.store.connection)
        self._sites = MovementStore(desk.store.connection)

    def withdraw(
        self,
        chip_uid: str,
        serial: int,
        location: Location,
        cause: Cause,
        note: str,
        event_time: datetime | None,
        operator: str,
    ) -> Withdrawal:
        """Hold a card at ``location``; it is named by its chip, by its serial number (else 0), or by both.

        Raises :class:`NotFound` for a card that was never made, :class:`FailedPrecondition` for one that
        nobody has, or whose chip and serial number are of different cards.
        """
        now = self._desk.clerk.now
        if event_time is not None:
            self._desk.require_happened(event_time, "event_time")
        self._sites.require_open(location, "location")
        serial, chip_uid = self._card(chip_uid, serial)
        card = self._out(serial, event_time)
        event = Event(
            Kind.CARD_WITHDRAWN,
            self._desk.clerk.new_id(),
            f"{cause}: {note}" if note else cause.value,
            event_time,
        )
        target = Account(location, Condition.WITHDRAWN)
        transfer = self._desk.move_ranges(event, card, target, [SerialRange(serial, serial)], field="serial")
        taken = Withdrawal(
            withdrawal_id=event.subject,
            serial=serial,
            chip_uid=chip_uid,
            made_at=Location(card.place),
            location=location,
            cause=cause,
            note=note,
            taken_by=self._desk.person(operator).signature,
            event_time=event_time or now,
            book_time=now,
            transfer_id=transfer.transfer_id,
        )
        self._store.withdrawals.add(taken)
        return taken

    def _out(self, serial: int, came_back: datetime | None) -> Account:
        """The account that says that somebody has the card, and had it when it ``came_back`` if that was
        told.
        """
        card = self._desk.books.account_of(serial)
        if card is None:
            raise unknown_serial(serial)
        if card.condition is not Condition.CONSUMED:
            raise withdrawals.not_out(serial, card)
        out_since = custody.steps(self._desk.store.connection, serial)[-1].book_time
        if came_back is not None and came_back < out_since:
            raise withdrawals.before_it_was_out(serial, out_since)
        return card

    def _card(self, chip_uid: str, serial: int) -> tuple[int, str]:
        """Serial number and chip of the card."""
        connection = self._desk.store.connection
        if not chip_uid and not serial:
            raise withdrawals.unnamed()
        if not serial:
            found = connection.scalar(sa.select(_chip.c.serial).where(_chip.c.chip_uid == chip_uid))
            if found is None:
                raise withdrawals.unknown(chip_uid)
            return int(found), chip_uid
        bound = connection.scalar(sa.select(_chip.c.chip_uid).where(_chip.c.serial == serial)) or ""
        if chip_uid and chip_uid != bound:
            raise withdrawals.disagrees(chip_uid, serial, bound)
        return serial, bound


def whereabouts(books: Books, taken: Sequence[Withdrawal]) -> list[Account]:
    """Where each card is that was taken, and what became of it. One that was given back is out, whatever
    happened to it later.
    """
    given_back = books.reversals_of([each.transfer_id for each in taken])
    held = books.accounts_of([each.serial for each in taken])
    return [
        Account(each.made_at, Condition.CONSUMED) if each.transfer_id in given_back else held[each.serial]
        for each in taken
    ]
