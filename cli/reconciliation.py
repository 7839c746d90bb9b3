"""Three services, one number: blanks consumed = chips personalized = records with a card, per site and day.

Each service tells what it knows, and none of them can make the other two agree: inventory has the serial and
the chip UID, cardperso the serial, the chip UID and the record, enroll the record and the chip UID. The chip
UID, which is unique for ever, brings them together: all three list their cards in its order, and one card
after the other is compared and forgotten. What one of them lacks on these days, all are asked for by its chip
before that is called a difference: they book a card one after the other, and midnight may lie between them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import NamedTuple, TypeAlias

from cli.cards_told import Consumed, Issued, Personalized, PutAside, Scope, Sources, Told, day_of
from services.common.errors import DataLoss
from services.common.zones import WIB

#: Cards that are asked for by their chips at once.
AT_ONCE = 500


class Difference(NamedTuple):
    """One card on which the services do not agree."""

    location: str
    day: str
    serial: int
    chip_uid: str
    record_id: str
    what: str


class Crossing(NamedTuple):
    """A card that the services booked on different days: no loss, and counted on the day of its blank.

    Moments are local to Jakarta, whose days these are; empty where a service does not have the card.
    """

    location: str
    day: str
    serial: int
    chip_uid: str
    record_id: str
    consumed: str
    personalized: str
    issued: str


@dataclass
class Tally:
    """What each service counts at one site on one day."""

    consumed: int = 0
    personalized: int = 0
    issued: int = 0
    #: Of those consumed, cards that came back.
    withdrawn: int = 0
    #: Of those consumed, cards that another service booked on another day.
    crossed: int = 0

    @property
    def agrees(self) -> bool:
        """Whether the three numbers are one."""
        return self.consumed == self.personalized == self.issued


@dataclass
class Reconciliation:
    """Tallies by site and day, every difference with its serial, and what only looks like one."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    differences: list[Difference] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)
    put_aside: list[PutAside] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs anywhere."""
        return not self.differences and all(tally.agrees for tally in self.tallies.values())


class _Card(NamedTuple):
    """What the three have of one chip."""

    blanks: list[Consumed]
    jobs: list[Personalized]
    records: list[Issued]

    @property
    def is_whole(self) -> bool:
        return len(self.blanks) == len(self.jobs) == len(self.records) == 1 and self.jobs[0].finished


def reconcile(said: Sources, scope: Scope) -> Reconciliation:
    """Compare what the services know of the cards of a scope, in memory for the differences alone.

    Blanks that were put aside are no cards: they are listed, and differ where the inventory does not have
    them as spoiled. A job that is not finished counts for none, and explains why its card is missing.
    """
    found = Reconciliation()
    torn: list[str] = []

    def mend() -> None:
        for _, card in _cards(said.find(torn)):
            _enter(found, card, scope)
        torn.clear()

    for uid, card in _cards(said.cards()):
        if card.is_whole:
            _enter(found, card, scope)
            continue
        torn.append(uid)
        if len(torn) == AT_ONCE:
            mend()
    if torn:
        mend()
    found.put_aside = sorted(said.put_aside(), key=lambda each: (each.location, each.day, each.serial))
    found.differences += [
        Difference(each.location, each.day, each.serial, "", "", _NOT_SPOILED)
        for each in found.put_aside
        if not each.booked
    ]
    found.differences.sort()
    found.crossings.sort()
    return found


_NOT_SPOILED = "cardperso has spoiled this blank, inventory has not"
_Each: TypeAlias = Consumed | Personalized | Issued


def _cards(told: Told) -> Iterator[tuple[str, _Card]]:
    """One chip after the other with what each of them says of it."""
    streams: tuple[Iterator[_Each], ...] = (
        _in_order(told.personalized, "cardperso"),
        _in_order(told.issued, "enroll"),
        _in_order(told.consumed, "inventory"),
    )
    for uid, same in groupby(merge(*streams, key=_uid), key=_uid):
        card = _Card([], [], [])
        for each in same:
            if isinstance(each, Consumed):
                card.blanks.append(each)
            elif isinstance(each, Personalized):
                card.jobs.append(each)
            else:
                card.records.append(each)
        yield uid, card


def _uid(said: _Each) -> str:
    return said.chip_uid


def _in_order(stream: Iterable[_Each], service: str) -> Iterator[_Each]:
    """The stream; raises :class:`DataLoss` where it is not in order: cards would seem to be missing."""
    last = ""
    for each in stream:
        if each.chip_uid < last:
            raise DataLoss(
                "CHIPS_OUT_OF_ORDER",
                f"{service} lists chip {each.chip_uid} behind {last}.",
                remedy="Its database sorts texts in an order of its own; use the collation C.",
            )
        last = each.chip_uid
        yield each


def _enter(found: Reconciliation, card: _Card, scope: Scope) -> None:
    """Count a card where and when its blank was consumed, by inventory's word before cardperso's before
    enroll's.
    """
    blank = card.blanks[0] if card.blanks else None
    job = next((each for each in card.jobs if each.finished), None)
    waiting = None if job else next(iter(card.jobs), None)
    record = card.records[0] if card.records else None
    made = blank or job or waiting
    location = made.location if made else card.records[0].region
    places = [each.location for each in (blank, job or waiting) if each] or [location]
    if not any(map(scope.has_place, places)):
        return
    booked = [day_of(each.time) for each in (blank, job or waiting, record) if each and each.time]
    day = booked[0] if booked else ""
    serial = made.serial if made else 0
    uid = card.records[0].chip_uid if made is None else made.chip_uid
    record_id = record.record_id if record else made.record_id if isinstance(made, Personalized) else ""
    crossed = any(each != day for each in booked)
    if crossed and any(map(scope.has_day, booked)):
        moments = (_moment(each) for each in (blank, job or waiting, record))
        found.crossings.append(Crossing(location, day, serial, uid, record_id, *moments))
    if not scope.has_day(day):
        return
    tally = found.tallies[location, day]
    tally.consumed += blank is not None
    tally.personalized += job is not None
    tally.issued += record is not None
    tally.withdrawn += bool(blank and blank.withdrawn)
    tally.crossed += crossed
    for what in _differences(blank, job, record, waiting):
        found.differences.append(Difference(location, day, serial, uid, record_id, what))
    if len(card.records) > 1:
        what = f"enroll has this chip on {len(card.records)} records"
        found.differences.append(Difference(location, day, serial, uid, record_id, what))


def _differences(
    blank: Consumed | None, job: Personalized | None, record: Issued | None, waiting: Personalized | None
) -> Iterator[str]:
    if blank is None:
        yield "inventory knows no blank that was consumed with this chip"
    if job is None and waiting is not None:
        yield f"cardperso has not finished its job {waiting.job_id}"
    elif job is None:
        yield "cardperso has personalized no such chip"
    if record is None:
        yield "enroll has no record with this card"
    if blank and job and blank.serial != job.serial:
        yield f"inventory has it on blank {blank.serial}, cardperso on blank {job.serial}"
    if blank and job and blank.location != job.location:
        yield f"consumed at {blank.location}, personalized at {job.location}"
    if job and record and job.record_id != record.record_id:
        yield f"cardperso wrote it for record {job.record_id}, enroll has it on {record.record_id}"
    if job and job.jobs > 1:
        yield f"cardperso has this chip {job.jobs} times"


def _moment(said: _Each | None) -> str:
    if said is None or not said.time:
        return ""
    return datetime.fromtimestamp(said.time, WIB.offset).isoformat()
