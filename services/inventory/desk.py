"""What every booking is made of: stock moves between two accounts, with its serials where it has some, and a
transfer says so.

Locks. On PostgreSQL several transactions book at a time. Each takes its locks in this order, so that none
waits for another in a circle; what a row stands for is safe from others until the transaction ends.

1. The request's id: a second call with the same one waits for the first.
2. What the request names: a reversal before what it takes back, a step before its contract, a contract before
   those that it follows, the contracts of a file in the order of their numbers; a lot, a requisition, an
   allocation, a reservation, a count, a conveyance, a destruction, a two-phase transfer. Its state allows one
   step once.
3. The loan that an allocation belongs to: what is owed, and what is on its way back.
4. Spoilages, while what spoiled something is taken back.
5. Sites, in the order of their codes: an open one stays open.
6. Chips: a UID is bound once, and no list of a lot grows meanwhile.
7. Accounts, in the order of their codes: their balances and the serials that they have. One movement locks
   its two accounts; who makes several between more accounts locks all of them first (:meth:`Desk.lock`).
   Closing days locks all accounts there are.
8. The head of the audit chain, from there to the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from services.common.clock import Clock
from services.common.errors import FailedPrecondition, InvalidArgument
from services.inventory import items
from services.inventory.blanks import blank as blanks
from services.inventory.items import Item
from services.inventory.ledger.entries import (
    BLANK,
    Account,
    Kind,
    Line,
    NotThereError,
    OverdrawnError,
    Transfer,
)
from services.inventory.ledger.serials import SerialRange, count, ordered
from services.inventory.people import Person, require_own
from services.inventory.store import Store


class Clerk(NamedTuple):
    """Who books, at which moment, where new ids come from, and the clock that told the moment."""

    actor: str
    now: datetime
    new_id: Callable[[], str]
    clock: Clock


class Event(NamedTuple):
    """What is booked: the subject is the id of the contract, lot, allocation, reservation and so on."""

    kind: Kind
    subject: str
    reason: str
    #: When it happened, if that was before it is booked.
    time: datetime | None = None
    #: The transfer that it takes back.
    reverses: str | None = None


class Desk:
    """Moves stock over one open transaction. After an error the caller rolls it back."""

    def __init__(self, store: Store, clerk: Clerk) -> None:
        self.store = store
        self.books = store.books
        self.books.moment = clerk.now
        self.clerk = clerk

    def person(self, operator: str) -> Person:
        """The operator behind this call; raises :class:`PermissionDenied` for somebody else's id."""
        person = Person(self.clerk.actor, operator)
        require_own(person)
        return person

    def item(self, item_id: str) -> Item:
        """The item of the catalogue; raises :class:`NotFound`."""
        return self.store.item(item_id)

    def add_item(self, item: Item) -> Item:
        """Add a kind of stock without serials to the catalogue; raises :class:`AlreadyExists`."""
        if not self.store.add_item(item):
            raise items.exists(item.item_id)
        return item

    def require_happened(self, moment: datetime, field: str) -> None:
        """Raises :class:`InvalidArgument` for an event that ``field`` tells and that has not happened yet."""
        if moment > self.clerk.now:
            raise InvalidArgument(
                "EVENT_IN_FUTURE",
                f"{moment:%Y-%m-%d %H:%M:%S} UTC is in the future.",
                field=field,
                remedy="Send when it happened, or leave it out for now; check the clock of the sender.",
            )

    @staticmethod
    def serialised(item_id: str) -> bool:
        """Whether each unit of the item has a number of its own; only cards have."""
        return item_id == BLANK

    def counted(
        self, item_id: str, quantity: int, ranges: Sequence[SerialRange], field: str
    ) -> tuple[tuple[SerialRange, ...], int]:
        """The serials of ``field`` in order, and how many units they and ``quantity`` tell of.

        Raises :class:`FailedPrecondition` for serials of an item without, and where the two tell different
        counts of an item with serials.
        """
        if not self.serialised(item_id):
            if ranges:
                raise items.serials_unwanted(item_id, field)
            return (), quantity
        serials = ordered(ranges, field)
        if quantity not in (0, count(serials)):
            raise items.miscounted(item_id, quantity, count(serials), field)
        return serials, count(serials)

    def move(
        self,
        event: Event,
        source: Account,
        target: Account,
        quantity: int,
        *,
        field: str,
        holder: str | None = None,
    ) -> Transfer:
        """Move ``quantity`` free units, those with the lowest serials; ``holder`` is whom they are held for
        afterwards.

        Raises :class:`FailedPrecondition` when ``source`` has fewer; ``field`` is the request's field at
        fault.
        """
        self.shift(source, target, quantity, field)
        if not self.serialised(source.item):
            return self.record(event, [Line(source, target, quantity)])
        ranges = self.books.take_lowest(source, quantity)
        self.books.put(ranges, target, holder)
        return self.record(event, [Line(source, target, len(serials), serials) for serials in ranges])

    def move_ranges(
        self, event: Event, source: Account, target: Account, ranges: Sequence[SerialRange], *, field: str
    ) -> Transfer:
        """Move these free serials, which stay free in the sense of the books: held for nobody.

        Raises :class:`FailedPrecondition` when one of them is not free in ``source``.
        """
        quantity = sum(len(serials) for serials in ranges)
        self.shift(source, target, quantity, field)
        try:
            self.books.take_free(ranges, source)
        except NotThereError as elsewhere:
            raise not_there(elsewhere, field) from elsewhere
        self.books.put(ranges, target)
        return self.record(event, [Line(source, target, len(serials), serials) for serials in ranges])

    def move_held(
        self,
        event: Event,
        source: Account,
        target: Account,
        quantity: int,
        ranges: Sequence[SerialRange],
        *,
        held_for: str,
        holder: str | None = None,
    ) -> Transfer:
        """Move what is held for ``held_for``: all its ``ranges``, or ``quantity`` of an item without
        serials.
        """
        self.books.shift(source, target, quantity)
        if not ranges:
            return self.record(event, [Line(source, target, quantity)])
        self.books.take(ranges, source, held_for)
        self.books.put(ranges, target, holder)
        return self.record(event, [Line(source, target, len(serials), serials) for serials in ranges])

    def lock(self, accounts: Iterable[Account]) -> None:
        """Lock the accounts of several movements before the first of them, in the order of all such locks.

        What follows is booked as of when all are locked: of several accounts one would be booked on by others
        while the next is waited for, and this begin again and again.
        """
        if self.store.connection.dialect.name == "postgresql":
            self.books.moment = None
            for account in sorted(set(accounts), key=lambda each: each.code):
                self.books.lock(account)
            self.clerk = self.clerk._replace(now=max(self.clerk.now, self.clerk.clock.now()))
            self.books.moment = self.clerk.now

    def shift(self, source: Account, target: Account, quantity: int, field: str) -> None:
        """Move a balance and lock both accounts; raises :class:`FailedPrecondition` when there is less."""
        try:
            self.books.shift(source, target, quantity)
        except OverdrawnError as short:
            raise blanks.insufficient(short.account, short.balance, short.asked, field) from short

    def record(self, event: Event, lines: Sequence[Line]) -> Transfer:
        """Write the transfer down."""
        transfer = Transfer(
            transfer_id=self.clerk.new_id(),
            kind=event.kind,
            subject=event.subject,
            actor=self.clerk.actor,
            reason=event.reason,
            book_time=self.clerk.now,
            lines=tuple(lines),
            event_time=event.time,
            reverses=event.reverses,
        )
        self.books.record(transfer)
        return transfer


def not_there(elsewhere: NotThereError, field: str) -> FailedPrecondition:
    """The refusal of serials that are not where the request says they are."""
    account, serials = elsewhere.account, elsewhere.serials
    return FailedPrecondition(
        "SERIALS_NOT_THERE",
        f"Serials {serials} are not all {account.condition} at {account.place}.",
        field=field,
        remedy="GetBlank tells where a serial is and who holds it.",
        metadata={"location": account.place, "first": str(serials.first), "last": str(serials.last)},
    )
