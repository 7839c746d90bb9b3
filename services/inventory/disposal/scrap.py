"""What cannot be used any more: spoiled stock and withdrawn cards, and the reviews that let it go.

Evidence leaves a place, or ends in the fire, only once somebody else has accepted why it was spoiled. Blanks
have serial numbers, so it is the spoilage of these very blanks that must be accepted; of rolls, which are all
alike, no more may go than what was accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.common.errors import FailedPrecondition, NotFound
from services.inventory import tables
from services.inventory.blanks.blank import insufficient
from services.inventory.desk import Desk, Event
from services.inventory.disposal import spoilage as spoilages
from services.inventory.disposal import tables as disposal_tables
from services.inventory.disposal.spoilage import Destruction, DestructionState, Spoilage, SpoilageState
from services.inventory.disposal.store import DisposalStore
from services.inventory.ledger.entries import BLANK, Account, Condition, Kind
from services.inventory.ledger.serials import SerialRange, common
from services.inventory.location import Location
from services.inventory.store import Store

_line, _transfer, _spoilage = tables.line, tables.transfer, disposal_tables.spoilage
#: So many ids at once are no burden for a statement.
_FEW = 500


@dataclass(frozen=True)
class Part:
    """Units that one account has; their serials where they have some."""

    account: Account
    quantity: int
    serials: tuple[SerialRange, ...] = ()


class Scrap:
    """What may go, of one place, over one open transaction."""

    def __init__(self, store: Store, location: Location, item: str) -> None:
        self._store = store
        self._known = DisposalStore(store.connection)
        self._spoiled = Account(location, Condition.SPOILED, item)
        self._withdrawn = self._spoiled.to(Condition.WITHDRAWN)

    @property
    def accounts(self) -> list[Account]:
        """What has it; locked, it stays as it is looked at. Only cards are withdrawn."""
        return [self._spoiled, self._withdrawn] if self._spoiled.item == BLANK else [self._spoiled]

    def parts(self, quantity: int, ranges: Sequence[SerialRange]) -> list[Part]:
        """What is to go, by the account that has it: spoiled, or withdrawn cards.

        Raises :class:`FailedPrecondition` for what is in neither.
        """
        if not ranges:
            has = self._store.books.balance(self._spoiled)
            if has < quantity:
                raise insufficient(self._spoiled, has, quantity, "quantity")
            return [Part(self._spoiled, quantity)]
        found: dict[Account, list[SerialRange]] = {}
        for account, serials in self._store.whereabouts(ranges):
            if account not in (self._spoiled, self._withdrawn):
                raise spoilages.not_to_destroy(serials, account.code, self._spoiled.place)
            found.setdefault(account, []).append(serials)
        return [Part(account, sum(map(len, serials)), tuple(serials)) for account, serials in found.items()]

    def evidence(self, parts: Sequence[Part]) -> list[Spoilage]:
        """The spoilages of what is to go, each accepted; of rolls none, for they cannot be told apart.

        Raises :class:`FailedPrecondition` for what no reviewer has accepted.
        """
        spoiled = [part for part in parts if part.account == self._spoiled]
        known = [each for part in spoiled if part.serials for each in self._explain(part)]
        waiting = sum(each.quantity for each in known if each.state is not SpoilageState.ACCEPTED)
        for part in spoiled:
            if not part.serials:
                unaccepted = self._known.unaccepted(Location(part.account.place), part.account.item)
                accepted = self._store.books.balance(part.account) - unaccepted
                waiting += max(part.quantity - accepted, 0)
        if waiting:
            raise spoilages.unreviewed(Location(self._spoiled.place), self._spoiled.item, waiting)
        return known

    def cards(self, parts: Sequence[Part]) -> tuple[SerialRange, ...]:
        """The serials among them that are cards which came back."""
        return tuple(serials for part in parts if part.account == self._withdrawn for serials in part.serials)

    def _explain(self, part: Part) -> list[Spoilage]:
        """What spoiled these serials, here or where they were sent from, in order of entry."""
        found: set[str] = set()
        places, seen = [part.account], {part.account}
        while places:
            account = places.pop()
            for subject, kind in self._subjects(account, part.serials):
                if kind != Kind.CONVEYANCE_RECEIVED:
                    found.add(subject)
                elif (origin := self._origin(subject)) not in seen:
                    seen.add(origin)
                    places.append(origin)
        subjects = sorted(found)
        known = [
            spoilage
            for start in range(0, len(subjects), _FEW)
            for spoilage in self._known.spoilages.where(
                _spoilage.c.subject.in_(subjects[start : start + _FEW]),
                _spoilage.c.state != SpoilageState.REVERSED,
            )
        ]
        # What was booked before spoilages knew what they belong to may be any of the place.
        known += self._known.spoilages.where(
            _spoilage.c.location == part.account.place,
            _spoilage.c.item == part.account.item,
            _spoilage.c.subject == "",
            _spoilage.c.state.not_in((SpoilageState.ACCEPTED, SpoilageState.REVERSED)),
        )
        return sorted(known, key=lambda spoilage: (spoilage.at, spoilage.spoilage_id))

    def _origin(self, conveyance_id: str) -> Account:
        sent = self._known.conveyances.get(conveyance_id)
        assert sent is not None
        return Account(sent.source, Condition.SPOILED, sent.item)

    def _subjects(self, account: Account, ranges: Sequence[SerialRange]) -> set[tuple[str, str]]:
        """What the transfers were about that brought some of ``ranges`` into the account, and their kinds."""
        query = (
            sa.select(_transfer.c.subject, _transfer.c.kind, _line.c.first, _line.c.last)
            .join_from(_line, _transfer, _line.c.entry == _transfer.c.entry)
            .where(
                _line.c.target == account.code,
                _line.c.first <= ranges[-1].last,
                _line.c.last >= ranges[0].first,
            )
        )
        rows = self._store.connection.execute(query)
        return {(row.subject, row.kind) for row in rows if common([SerialRange(row.first, row.last)], ranges)}


def move(desk: Desk, event: Event, parts: Sequence[Part], target: Account, field: str) -> None:
    """Book all parts to ``target``."""
    for part in parts:
        if part.serials:
            desk.move_ranges(event, part.account, target, part.serials, field=field)
        else:
            desk.move(event, part.account, target, part.quantity, field=field)


def require_left(store: Store, account: Account, field: str) -> None:
    """What no reviewer accepted is all still there, once something else was taken out of ``account``.

    Rolls are all alike: spoilage that was accepted, and left, is not taken back with the rolls of others.
    Raises :class:`FailedPrecondition`. Of blanks it says nothing: they are told apart by their serials.
    """
    if account.condition is not Condition.SPOILED or account.item == BLANK:
        return
    waiting = DisposalStore(store.connection).unaccepted(Location(account.place), account.item)
    left = store.books.balance(account)
    if left < waiting:
        raise spoilages.left(account, waiting - left, field)


def as_prepared(scrap: Scrap, destruction: Destruction) -> list[Part]:
    """What a prepared destruction is to destroy, all of it still as its text says: the serials, which of them
    are cards, and the word of every reviewer.

    Raises :class:`FailedPrecondition` that tells what is no longer so.
    """
    parts = scrap.parts(destruction.quantity, destruction.ranges)
    text = destruction.preparation(scrap.cards(parts), scrap.evidence(parts))
    if text != destruction.prepared:
        raise spoilages.changed(destruction)
    return parts


def stale(store: Store, destruction: Destruction) -> str:
    """Why a destruction that waits for its witness cannot be witnessed; empty while it can."""
    if destruction.state is not DestructionState.PREPARED:
        return ""
    try:
        as_prepared(Scrap(store, destruction.location, destruction.item), destruction)
    except (FailedPrecondition, NotFound) as refusal:
        return refusal.message
    return ""
