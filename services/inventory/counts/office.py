"""Counting stock, and letting the books follow what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from services.inventory.counts import stock_count as counts
from services.inventory.counts.stock_count import CountState, Sheet, StockCount
from services.inventory.counts.store import CountStore
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


class Correction(NamedTuple):
    """So many units, those with these serials where the item has some, are not in one account but another."""

    source: Account
    target: Account
    quantity: int
    serials: tuple[SerialRange, ...] = ()


class CountOffice:
    """Books stock counts. After an error the caller rolls the transaction back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = CountStore(desk.store.connection)
        self._sites = MovementStore(desk.store.connection)
        self._balances = Balances(desk.store.connection)

    def begin(self, location: Location, item: str, operator: str) -> StockCount:
        """Note where the books are; nobody who counts is told."""
        self._desk.item(item)
        self._sites.require_open(location, "location")
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
            begin_time=self._desk.clerk.now,
        )
        self._store.counts.add(begun)
        return begun

    def submit(
        self, count_id: str, quantity: int, ranges: Sequence[SerialRange], operator: str
    ) -> StockCount:
        """Hand in what was counted. Nobody counts twice.

        The count is agreed when two rounds in a row found the same.
        """
        before = self._store.counts.locked(count_id, counts.unknown)
        before.require(CountState.COUNTING)
        sheets = self._store.sheets_of(count_id)
        person = self._desk.person(operator)
        require_other(person, *(sheet.person for sheet in sheets))
        serials, quantity = self._desk.counted(before.item, quantity, ranges, "serials")
        sheet = Sheet(count_id, len(sheets) + 1, quantity, serials, person.signature, self._desk.clerk.now)
        self._store.sheets.add(sheet)
        if not counts.settled([*sheets, sheet]):
            return before
        after = replace(before, state=CountState.AGREED)
        self._store.counts.save(after)
        return after

    def approve(self, count_id: str, decision: str, operator: str) -> tuple[StockCount, Variance]:
        """Let the books follow the count.

        Raises :class:`PermissionDenied` for somebody who counted, :class:`FailedPrecondition` when the books
        have moved since the count began.
        """
        before = self._store.counts.locked(count_id, counts.unknown)
        before.require(CountState.AGREED)
        sheets = self._store.sheets_of(count_id)
        person = self._desk.person(operator)
        require_other(person, *(sheet.person for sheet in sheets))
        self._sites.require_open(before.location, "count_id")
        stock = Account(before.location, Condition.ON_HAND, before.item)
        self._require_unmoved(before, stock)
        with named("count_id"):
            corrections = self._corrections(before, stock, sheets[-1])
        self._desk.lock([stock, *(side for each in corrections for side in (each.source, each.target))])
        # Again, now that nobody else books on it: only then are the corrections still the right ones.
        self._require_unmoved(before, stock)
        event = Event(Kind.COUNT_ADJUSTED, count_id, decision)
        for correction in corrections:
            self._correct(event, correction)
        missing = sum(each.quantity for each in corrections if each.source == stock)
        found = sum(each.quantity for each in corrections if each.target == stock)
        after = replace(
            before,
            state=CountState.APPLIED,
            decided_by=person.signature,
            decide_time=self._desk.clerk.now,
            decision=decision,
        )
        self._store.counts.save(after)
        return after, Variance(missing, found)

    def reject(self, count_id: str, decision: str, operator: str) -> StockCount:
        """Drop a count; the books stay as they are.

        Raises :class:`PermissionDenied` for somebody who counted: nobody undoes a sheet of their own.
        """
        before = self._store.counts.locked(count_id, counts.unknown)
        if before.state is not CountState.COUNTING:
            before.require(CountState.AGREED)
        person = self._desk.person(operator)
        require_other(person, *(sheet.person for sheet in self._store.sheets_of(count_id)))
        after = replace(
            before,
            state=CountState.REJECTED,
            decided_by=person.signature,
            decide_time=self._desk.clerk.now,
            decision=decision,
        )
        self._store.counts.save(after)
        return after

    def _require_unmoved(self, begun: StockCount, stock: Account) -> None:
        """Raises :class:`FailedPrecondition` when the books have moved since the count began."""
        last, balance = self._balances.last_entry(stock), self._desk.books.balance(stock)
        if (last, balance) != (begun.entry_seen, begun.expected):
            raise counts.stale(begun)

    def _corrections(self, begun: StockCount, stock: Account, sheet: Sheet) -> list[Correction]:
        """What lets the books say what was counted.

        Raises :class:`FailedPrecondition` for serials that the books have elsewhere: only what they miss
        somewhere can be here without more ado.
        """
        lost = stock.to(Condition.MISSING)
        if not self._desk.serialised(stock.item):
            more = sheet.quantity - begun.expected
            sides = (stock.to(Condition.FOUND), stock) if more > 0 else (stock, lost)
            return [Correction(*sides, abs(more))] if more else []
        held = self._desk.books.free(stock)
        missing = tuple(without(held, sheet.ranges))
        corrections = [Correction(stock, lost, count(missing), missing)] if missing else []
        for account, part in self._desk.store.whereabouts(without(sheet.ranges, held)):
            if account.condition is not Condition.MISSING:
                raise counts.foreign(part, account)
            corrections.append(Correction(account, stock, len(part), (part,)))
        return corrections

    def _correct(self, event: Event, wrong: Correction) -> None:
        if wrong.serials:
            self._desk.move_ranges(event, wrong.source, wrong.target, wrong.serials, field="count_id")
        else:
            self._desk.shift(wrong.source, wrong.target, wrong.quantity, "count_id")
            self._desk.record(event, [Line(wrong.source, wrong.target, wrong.quantity)])
