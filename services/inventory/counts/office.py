"""Counting stock, and letting the books follow what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.inventory.counts import stock_count as counts
from services.inventory.counts.stock_count import CountState, Sheet, StockCount
from services.inventory.desk import Desk, Event
from services.inventory.fields import named
from services.inventory.ledger.balances import Balances
from services.inventory.ledger.entries import Account, Condition, Kind, Line
from services.inventory.ledger.serials import SerialRange, count, without
from services.inventory.location import Location
from services.inventory.movements.store import MovementStore
from services.inventory.people import require_other


@dataclass(frozen=True)
class Variance:
    """What the count found otherwise than the books: too few, too many."""

    missing: int
    found: int


class CountOffice:
    """Books stock counts. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._now = desk.clerk.now
        self._store = MovementStore(desk.store.connection)
        self._balances = Balances(desk.store.connection)

    def begin(self, location: Location, item: str, operator: str) -> StockCount:
        """Note where the books are; nobody who counts is told."""
        self._desk.item(item)
        self._store.require_open(location, "location")
        account = Account(location, Condition.ON_HAND, item)
        # Locked, so that balance and entry belong together.
        balance = self._desk.books.lock(account)
        begun = StockCount(
            count_id=self._desk.clerk.new_id(),
            location=location,
            item=item,
            entry_seen=self._balances.last_entry(account),
            expected=balance,
            state=CountState.COUNTING,
            begun_by=self._desk.person(operator).signature,
            begin_time=self._now,
        )
        self._store.counts.add(begun)
        return begun

    def submit(
        self, count_id: str, quantity: int, ranges: Sequence[SerialRange], operator: str
    ) -> tuple[StockCount, int]:
        """Hand in what was counted; returns the count and its round. Nobody counts twice.

        The count is agreed when two rounds in a row found the same.
        """
        before = self._count(count_id)
        before.require(CountState.COUNTING)
        sheets = self._store.sheets_of(count_id)
        person = self._desk.person(operator)
        require_other(person, *(sheet.person for sheet in sheets))
        serials, quantity = self._desk.counted(before.item, quantity, ranges, "serials")
        sheet = Sheet(count_id, len(sheets) + 1, quantity, serials, person.signature, self._now)
        self._store.sheets.add(sheet)
        if not counts.settled([*sheets, sheet]):
            return before, sheet.round
        after = replace(before, state=CountState.AGREED)
        self._store.counts.save(after)
        return after, sheet.round

    def approve(self, count_id: str, decision: str, operator: str) -> tuple[StockCount, Variance]:
        """Let the books follow the count.

        Raises :class:`PermissionDenied` for somebody who counted, :class:`FailedPrecondition` when the books
        have moved since the count began.
        """
        before = self._count(count_id)
        before.require(CountState.AGREED)
        sheets = self._store.sheets_of(count_id)
        person = self._desk.person(operator)
        require_other(person, *(sheet.person for sheet in sheets))
        self._store.require_open(before.location, "count_id")
        account = Account(before.location, Condition.ON_HAND, before.item)
        balance = self._desk.books.lock(account)
        if self._balances.last_entry(account) != before.entry_seen or balance != before.expected:
            raise counts.stale(before)
        event = Event(Kind.COUNT_ADJUSTED, count_id, decision)
        if self._desk.serialised(before.item):
            variance = self._adjust_serials(event, account, sheets[-1].ranges)
        else:
            variance = self._adjust_quantity(event, account, sheets[-1].quantity - balance)
        after = replace(
            before,
            state=CountState.APPLIED,
            decided_by=person.signature,
            decide_time=self._now,
            decision=decision,
        )
        self._store.counts.save(after)
        return after, variance

    def reject(self, count_id: str, decision: str, operator: str) -> StockCount:
        """Drop a count; the books stay as they are.

        Raises :class:`PermissionDenied` for somebody who counted: nobody undoes a sheet of their own.
        """
        before = self._count(count_id)
        if before.state is not CountState.COUNTING:
            before.require(CountState.AGREED)
        person = self._desk.person(operator)
        require_other(person, *(sheet.person for sheet in self._store.sheets_of(count_id)))
        after = replace(
            before,
            state=CountState.REJECTED,
            decided_by=person.signature,
            decide_time=self._now,
            decision=decision,
        )
        self._store.counts.save(after)
        return after

    def _adjust_quantity(self, event: Event, stock: Account, difference: int) -> Variance:
        if difference == 0:
            return Variance(0, 0)
        missing, found = stock.to(Condition.MISSING), stock.to(Condition.FOUND)
        source, target = (stock, missing) if difference < 0 else (found, stock)
        self._desk.books.shift(source, target, abs(difference))
        self._desk.record(event, [Line(source, target, abs(difference))])
        return Variance(max(-difference, 0), max(difference, 0))

    def _adjust_serials(self, event: Event, stock: Account, counted: Sequence[SerialRange]) -> Variance:
        held = self._desk.books.free(stock)
        missing, found = without(held, counted), without(counted, held)
        if missing:
            target = stock.to(Condition.MISSING)
            self._desk.move_ranges(event, stock, target, missing, field="count_id")
        # What the books miss somewhere is here; anything else they have elsewhere is refused.
        with named("count_id"):
            for account, part in self._desk.store.whereabouts(found):
                if account.condition is not Condition.MISSING:
                    raise counts.foreign(part, account)
                self._desk.move_ranges(event, account, stock, [part], field="count_id")
        return Variance(count(missing), count(found))

    def _count(self, count_id: str) -> StockCount:
        found = self._store.counts.get(count_id, lock=True)
        if found is None:
            raise counts.unknown(count_id)
        return found
