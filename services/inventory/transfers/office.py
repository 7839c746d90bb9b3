"""Transfers as such: linked ones, two-phase ones, reversals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from services.common.errors import FailedPrecondition
from services.inventory import items, tables
from services.inventory.contracts import delivery
from services.inventory.contracts.contract import ContractState
from services.inventory.contracts.store import ContractStore
from services.inventory.desk import Desk, Event
from services.inventory.disposal import noting, scrap
from services.inventory.fields import named
from services.inventory.ledger.entries import Account, Condition, Kind, Line, Transfer
from services.inventory.location import Location
from services.inventory.movements.allocation import require_two_places
from services.inventory.movements.store import MovementStore
from services.inventory.records import Column, Records
from services.inventory.reversals.reversal import of_what_is_there, require_alone
from services.inventory.transfers import pending as pendings
from services.inventory.transfers import stranded
from services.inventory.transfers.pending import Pending, PendingState

_ACCOUNT = Column(lambda account: account.code, Account.parse)
#: Kinds whose stock is held for nobody after the transfer: taking it back contradicts nothing else.
REVERSIBLE = (
    Kind.STOCK_MOVED,
    Kind.STOCK_USED,
    Kind.PENDING_POSTED,
    Kind.SUPPLY_RECEIVED,
    Kind.STOCK_SPOILED,
    Kind.CARD_WITHDRAWN,
)


@dataclass(frozen=True)
class Order:
    """A transfer to be booked: to another location, or used up where it is (``target`` is ``None``).

    With ``pending_until`` it waits for its second phase. ``event_time`` is when it happened, if not now.
    """

    item: str
    quantity: int
    source: Location
    target: Location | None
    reason: str
    pending_until: datetime | None = None
    event_time: datetime | None = None


class TransferOffice:
    """Books transfers. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._now = desk.clerk.now
        self._pending: Records[Pending] = Records(
            desk.store.connection,
            tables.pending,
            Pending,
            "transfer_id",
            {"state": PendingState, "source": _ACCOUNT, "target": _ACCOUNT, "held": _ACCOUNT},
        )

    def post(self, orders: Sequence[Order]) -> tuple[str, list[Transfer]]:
        """Book all the transfers or none, in their order; the id of the batch, and the transfers."""
        batch = self._desk.clerk.new_id()
        self._desk.books.batch = batch
        if len(orders) > 1:
            self._lock(orders)
        return batch, [self._post(order, f"transfers[{n}]") for n, order in enumerate(orders)]

    def _lock(self, orders: Sequence[Order]) -> None:
        """Lock what the orders have to do with, before the first of them, in the order of all such locks."""
        sites = {order.target for order in orders if order.target is not None}
        MovementStore(self._desk.store.connection).lock_sites(sites)
        self._lock_all(account for order in orders for account in _accounts(order))

    def _lock_all(self, accounts: Iterable[Account]) -> None:
        self._desk.lock(accounts)
        self._now = self._desk.clerk.now

    def _post(self, order: Order, field: str) -> Transfer:
        self._check(order, field)
        kind = Kind.STOCK_USED if order.target is None else Kind.STOCK_MOVED
        event = Event(kind, self._desk.clerk.new_id(), order.reason, order.event_time)
        if order.pending_until is not None:
            return self._open(order, event, order.pending_until, f"{field}.quantity")
        source, target = _ends(order)
        return self._desk.move(event, source, target, order.quantity, field=f"{field}.quantity")

    def _check(self, order: Order, field: str) -> None:
        """Raises what is wrong with the order by itself; the site that it goes to stays open."""
        with named(f"{field}.item"):
            self._desk.item(order.item)
            if order.target is None and self._desk.serialised(order.item):
                raise items.serials_needed(order.item)
        if order.event_time is not None:
            self._desk.require_happened(order.event_time, f"{field}.event_time")
        if order.target is not None:
            require_two_places(order.source, order.target, f"{field}.to_location")
            MovementStore(self._desk.store.connection).require_open(order.target, f"{field}.to_location")
        if order.pending_until is not None and order.pending_until <= self._now:
            raise pendings.expires_in_past(f"{field}.pending_until")

    def _open(self, order: Order, event: Event, until: datetime, field: str) -> Transfer:
        """Book the first phase of a two-phase transfer."""
        source, target = _ends(order)
        held = source.to(Condition.PENDING)
        opened = event._replace(kind=Kind.PENDING_OPENED)
        transfer = self._desk.move(opened, source, held, order.quantity, field=field, holder=opened.subject)
        self._pending.add(
            Pending(
                transfer_id=transfer.transfer_id,
                source=source,
                target=target,
                held=held,
                quantity=order.quantity,
                reason=order.reason,
                expire_time=until,
                state=PendingState.PENDING,
            )
        )
        return transfer

    def decide(self, transfer_id: str, posted: bool, reason: str) -> Pending:
        """Post a two-phase transfer to its target, or void it.

        Raises :class:`FailedPrecondition` when it has ended; past its time it has, whether that was booked
        yet or not.
        """
        found = self._pending.locked(transfer_id, pendings.unknown)
        if found.state is not PendingState.PENDING:
            raise pendings.ended(found, found.state)
        if found.expire_time <= self._now:
            raise pendings.ended(found, PendingState.EXPIRED)
        if posted:
            self._require_open(found.target)
        state = PendingState.POSTED if posted else PendingState.VOIDED
        return self._end(found, state, reason or found.reason, None)

    def expire(self) -> list[Pending]:
        """Void what nobody decided on in time, in the order in which it expired.

        What comes of it depends on the moments of expiry alone, not on when this runs: each is booked as
        having happened then.
        """
        query = sa.select(tables.pending.c.transfer_id).where(_due(self._now))
        ordered = query.order_by(tables.pending.c.expire_time, tables.pending.c.entry)
        due = self._desk.store.connection.scalars(ordered).all()
        # All of them before the first account: whoever decides on one holds it and waits for its accounts.
        locked = [self._pending.get(transfer_id, lock=True) for transfer_id in due]
        over = [found for found in locked if found is not None and found.state is PendingState.PENDING]
        self._lock_all(account for found in over for account in (found.held, found.source))
        return [
            self._end(found, PendingState.EXPIRED, "nobody decided in time", found.expire_time)
            for found in over
        ]

    @staticmethod
    def overdue(connection: sa.Connection, now: datetime) -> bool:
        """Whether :meth:`expire` has something to do."""
        query = sa.select(tables.pending.c.entry).where(_due(now)).limit(1)
        return connection.execute(query).first() is not None

    def reversible(self, transfer_id: str) -> Transfer:
        """The transfer, locked, if it is one that is taken back by itself.

        Raises :class:`FailedPrecondition` for a transfer that is part of something else or was reversed
        before.
        """
        found = self._desk.books.transfer(transfer_id, lock=True)
        if found is None:
            raise pendings.unknown(transfer_id)
        if found.kind not in REVERSIBLE and not stranded.is_stranded(found):
            raise _irreversible(found)
        if self._desk.books.reversal_of(transfer_id) is not None:
            raise FailedPrecondition(
                "REVERSED_BEFORE",
                f"Transfer {transfer_id} was reversed before.",
                field="transfer_id",
                remedy="Nothing is left to do; a repeated call needs the request_id of the first one.",
            )
        return found

    def reverse(self, transfer_id: str, reason: str, *, agreed: bool = False) -> Transfer:
        """Take a transfer back by its opposite; both stay in the books.

        Raises what :meth:`reversible` raises, and :class:`FailedPrecondition` when its stock has moved on, or
        when it takes two people who have not ``agreed``.
        """
        found = self.reversible(transfer_id)
        if stranded.is_stranded(found):
            return self._free(found, reason, agreed=agreed)
        if not agreed:
            require_alone(found, self._desk.clerk, "transfer_id")
        noting.strike(self._desk, found.subject, "transfer_id", agreed=agreed)
        source, target = found.lines[0].target, found.lines[0].source
        if target.condition is Condition.PENDING:
            # Its two phases have ended: nobody could post or void it any more.
            target = target.to(Condition.ON_HAND)
        if target.condition is Condition.OUTSTANDING:
            self._require_owing(target)
        return self._take_back(found, source, target, reason)

    def _free(self, found: Transfer, reason: str, *, agreed: bool) -> Transfer:
        """Take what a reversal stranded on to the free stock that it once came from."""
        if not agreed:
            raise stranded.alone(found)
        held = found.lines[0].target
        freed = self._take_back(found, held, held.to(Condition.ON_HAND), reason)
        stranded.require_left(self._desk.store.connection, held, self._desk.books.balance(held))
        return freed

    def _take_back(self, found: Transfer, source: Account, target: Account, reason: str) -> Transfer:
        if target.condition is Condition.ON_HAND:
            self._require_open(target)
        event = Event(Kind.STOCK_REVERSED, found.subject, reason, reverses=found.transfer_id)
        quantity = sum(line.quantity for line in found.lines)
        with of_what_is_there():
            if found.serials:
                return self._desk.move_ranges(event, source, target, found.serials, field="transfer_id")
            self._desk.shift(source, target, quantity, "transfer_id")
        scrap.require_left(self._desk.store, source, "transfer_id")
        return self._desk.record(event, [Line(source, target, quantity)])

    def _require_owing(self, owed: Account) -> None:
        """Nobody owes anything any more under a contract that has ended."""
        contract = ContractStore(self._desk.store.connection).locked(owed.place, "transfer_id")
        if contract.state is not ContractState.ACTIVE:
            raise delivery.not_owing(contract)

    def _require_open(self, account: Account) -> None:
        MovementStore(self._desk.store.connection).require_open(Location(account.place), "transfer_id")

    def _end(self, pending: Pending, state: PendingState, reason: str, at: datetime | None) -> Pending:
        kinds = {
            PendingState.POSTED: Kind.PENDING_POSTED,
            PendingState.VOIDED: Kind.PENDING_VOIDED,
            PendingState.EXPIRED: Kind.PENDING_EXPIRED,
        }
        opened = self._desk.books.transfer(pending.transfer_id)
        assert opened is not None
        event = Event(kinds[state], opened.subject, reason, at)
        target = pending.target if state is PendingState.POSTED else pending.source
        self._desk.move_held(
            event, pending.held, target, pending.quantity, opened.serials, held_for=opened.subject
        )
        after = replace(pending, state=state, end_time=at or self._now)
        self._pending.save(after)
        return after


def _ends(order: Order) -> tuple[Account, Account]:
    """Where the order takes stock from, and where it ends."""
    source = Account(order.source, Condition.ON_HAND, order.item)
    if order.target is None:
        return source, source.to(Condition.CONSUMED)
    return source, Account(order.target, Condition.ON_HAND, order.item)


def _accounts(order: Order) -> tuple[Account, Account]:
    """What the order books on at once."""
    source, target = _ends(order)
    return source, target if order.pending_until is None else source.to(Condition.PENDING)


def _due(now: datetime) -> sa.ColumnElement[bool]:
    pending = tables.pending.c
    return sa.and_(pending.state == PendingState.PENDING, pending.expire_time <= now)


def _irreversible(transfer: Transfer) -> FailedPrecondition:
    return FailedPrecondition(
        "NOT_REVERSIBLE",
        f"A transfer of the kind {transfer.kind} is part of something else and cannot be reversed alone.",
        field="transfer_id",
        remedy="Undo it where it was done: ReverseShipment for a receipt or a dispatch, the step REVERSE_LOT "
        "of its contract for a lot; cancel the allocation, release the reservation, count the stock.",
        metadata={"kind": transfer.kind},
    )
