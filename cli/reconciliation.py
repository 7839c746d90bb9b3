"""Three services, one number: blanks consumed = chips personalized = records with a card, per site and day.

Each service tells what it knows, and none of them can make the other two agree: inventory has the serial and
the chip UID, cardperso the serial, the chip UID and the record, enroll the record and the chip UID. The chip
UID, which is unique for ever, brings them together: all three list their cards in its order, and one card
after the other is compared and forgotten. What one of them lacks on these days, all are asked for by its chip
before that is called a difference: they book a card one after the other, and midnight may lie between them,
or this very moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tunggal.cardperso.v1.reconciliation_pb2 import CARD_STEP_VOID

from cli.cards_merged import Card, at_rest, by_chip
from cli.cards_told import Consumed, Issued, Personalized, PutAside, Scope, Sources, day_of
from cli.cards_under_way import since, step_of
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


class UnderWay(NamedTuple):
    """A card that is on its way through the books: no difference yet, and soon none or one.

    ``since`` is local to Jakarta.
    """

    location: str
    day: str
    serial: int
    chip_uid: str
    record_id: str
    job_id: str
    since: str
    what: str


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
    #: Cards that are under way, and which therefore not all of them have counted.
    under_way: int = 0


@dataclass
class Reconciliation:
    """Tallies by site and day, every difference with its serial, and what only looks like one."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    differences: list[Difference] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)
    under_way: list[UnderWay] = field(default_factory=list)
    put_aside: list[PutAside] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs anywhere: then the three count the same cards, but for those under way."""
        return not self.differences


def reconcile(said: Sources, scope: Scope) -> Reconciliation:
    """Compare what the services know of the cards of a scope, in memory for the differences alone.

    Blanks that were put aside are no cards: they are listed, and differ where the inventory does not have
    them as spoiled. A job that is not finished counts for none, and explains why its card is missing.
    """
    found = Reconciliation()
    torn: list[str] = []

    def mend() -> None:
        for card, answers in at_rest(said, torn):
            _enter(found, card, scope, step_of(card, answers))
        torn.clear()

    for card in by_chip(said.cards()):
        if card.is_whole:
            _enter(found, card, scope)
            continue
        torn.append(card.chip_uid)
        if len(torn) == AT_ONCE:
            mend()
    if torn:
        mend()
    found.put_aside = sorted(said.put_aside(), key=lambda each: (each.location, each.day, each.serial))
    found.differences += [
        Difference(each.location, each.day, each.serial, "", "", _NOT_SPOILED)
        for each in found.put_aside
        if not (each.booked or each.under_way)
    ]
    found.differences.sort()
    found.crossings.sort()
    found.under_way.sort()
    return found


_NOT_SPOILED = "cardperso has spoiled this blank, inventory has not"


def _enter(found: Reconciliation, card: Card, scope: Scope, step: str = "") -> None:
    """Count a card where and when its blank was consumed, by inventory's word before cardperso's before
    enroll's; ``step`` says what it waits for if it is under way.
    """
    blank = card.blanks[0] if card.blanks else None
    job = max(card.jobs, key=lambda each: each.finished, default=None)
    record = card.records[0] if card.records else None
    if blank is None and record is None and (job is None or not job.time or job.step == CARD_STEP_VOID):
        return  # nothing of it is booked yet, or any more
    places = [each.location for each in (blank, job) if each] or [each.region for each in card.records]
    if not any(map(scope.has_place, places)):
        return
    location = places[0]
    booked = [day_of(each.time) for each in (blank, job, record) if each and each.time]
    day = booked[0] if booked else ""
    serial = next((each.serial for each in (blank, job) if each), 0)
    uid = card.chip_uid
    record_id = next((each.record_id for each in (record, job) if each), "")
    crossed = any(each != day for each in booked)
    if crossed and any(map(scope.has_day, booked)):
        moments = (_moment(each.time if each else 0) for each in (blank, job, record))
        found.crossings.append(Crossing(location, day, serial, uid, record_id, *moments))
    if not scope.has_day(day):
        return
    tally = found.tallies[location, day]
    tally.consumed += blank is not None
    tally.personalized += bool(job and job.finished)
    tally.issued += record is not None
    tally.withdrawn += bool(blank and blank.withdrawn)
    tally.crossed += crossed
    if step:
        tally.under_way += 1
        of_job = (card.jobs[0].job_id, _moment(since(card)), step)
        found.under_way.append(UnderWay(location, day, serial, uid, record_id, *of_job))
        return
    for what in _differences(blank, job, record, len(card.records)):
        found.differences.append(Difference(location, day, serial, uid, record_id, what))


def _differences(
    blank: Consumed | None, job: Personalized | None, record: Issued | None, records: int
) -> Iterator[str]:
    if blank is None:
        yield "inventory knows no blank that was consumed with this chip"
    if job is None:
        yield "cardperso has personalized no such chip"
    elif job.step == CARD_STEP_VOID:
        yield f"cardperso has voided it in job {job.job_id}, and not told everybody"
    elif not job.finished:
        yield f"cardperso has not finished its job {job.job_id}"
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
    if records > 1:
        yield f"enroll has this chip on {records} records"


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, WIB.offset).isoformat() if seconds else ""
