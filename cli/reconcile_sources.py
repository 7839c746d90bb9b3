"""What inventory, cardperso and enroll each say of the cards of a region and some days, for reconciliation.

Jobs and records change long after their blank was consumed (a card is handed over, reviewed), so days are
those of the blank wherever there is one: what changed later is read, too, and left out again where the
inventory tells that it belongs to another day or another place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.cardperso.v1 import cardperso_pb2
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub
from tunggal.enroll.v1 import enroll_pb2, record_pb2
from tunggal.enroll.v1.enroll_pb2_grpc import EnrollServiceStub
from tunggal.inventory.v1 import exchange_pb2, inventory_pb2, stock_pb2
from tunggal.inventory.v1.exchange_pb2_grpc import ExchangeServiceStub
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub

from cli.pages import paged
from cli.reconciliation import Consumed, Issued, Personalized, PutAside
from services.inventory.ledger import days

#: In the order in which a job passes through them: one that moves on meanwhile is seen in the later one.
_MADE = (
    cardperso_pb2.CARD_JOB_STATE_VERIFIED,
    cardperso_pb2.CARD_JOB_STATE_PRINTED,
    cardperso_pb2.CARD_JOB_STATE_HANDED_OVER,
)
_LOST = (cardperso_pb2.CARD_JOB_STATE_SPOILED, cardperso_pb2.CARD_JOB_STATE_VOID)
_SPOILED = (stock_pb2.BLANK_STATE_SPOILED, stock_pb2.BLANK_STATE_DESTROYED)
#: What a blank is that became a card: out, or back again.
_CARDS = (
    stock_pb2.BLANK_STATE_CONSUMED,
    stock_pb2.BLANK_STATE_WITHDRAWN,
    stock_pb2.BLANK_STATE_DESTROYED,
)
_WITH_CARD = (
    record_pb2.RECORD_STATUS_CARD_PRINTED,
    record_pb2.RECORD_STATUS_CARD_SHIPPED,
    record_pb2.RECORD_STATUS_CARD_ISSUED,
)


@dataclass(frozen=True)
class Scope:
    """A region with all below it (empty for the country), from a day to a day (``None`` for open)."""

    region: str = ""
    first: date | None = None
    last: date | None = None

    def has_place(self, place: str) -> bool:
        """Whether ``place`` is the region or below it."""
        region = self.region
        return region in {"", "ID"} or place == region or place.startswith((f"{region}.", f"{region}:"))

    def has_day(self, day: str) -> bool:
        """Whether the ISO ``day`` is one of them."""
        found = date.fromisoformat(day)
        return (self.first is None or found >= self.first) and (self.last is None or found <= self.last)

    def meets(self, created: str, changed: str) -> bool:
        """Whether something that was made and last changed on these days may belong to the scope. From the
        eve on: services book a card one after the other, and midnight may lie between them.
        """
        eve = _eve(self.first)
        return (eve is None or date.fromisoformat(changed) >= eve) and (
            self.last is None or date.fromisoformat(created) <= self.last
        )


@dataclass(frozen=True)
class Found:
    """What the three say of the cards of a scope."""

    consumed: Sequence[Consumed]
    personalized: Sequence[Personalized]
    issued: Sequence[Issued]
    put_aside: Sequence[PutAside]


def ask(stock: grpc.Channel, station: grpc.Channel, people: grpc.Channel, scope: Scope) -> Found:
    """Ask all three. A card is booked in inventory, then enroll, then cardperso, and asked for the other way
    round: what a later one tells, the earlier ones had booked before.
    """
    jobs = _jobs(station)
    records = list(_records(people))
    everything = {each.chip_uid: each for each in _consumed(stock, scope)}
    here = {uid: each for uid, each in everything.items() if scope.has_day(each.day)}
    unclaimed = [job for job in jobs if job.chip_uid not in everything and job.concerns(scope.has_place)]
    for job in unclaimed:
        if not scope.meets(job.created, job.day):
            continue
        blank = _blank(stock, job.serial)
        if blank is None or blank.state not in _CARDS or blank.chip_uid != job.chip_uid:
            continue
        if scope.has_place(blank.location):
            # Consumed before these days; or since, while this was asking.
            everything[job.chip_uid] = Consumed(job.serial, blank.location, job.chip_uid, job.day)
        else:
            here[job.chip_uid] = Consumed(job.serial, blank.location, job.chip_uid, job.day)
    others = everything.keys() - here.keys()

    def belongs(uid: str, place: str, created: str, changed: str) -> bool:
        if uid in here:
            return True
        return uid not in others and scope.has_place(place) and scope.meets(created, changed)

    made = {job.chip_uid for job in jobs}
    written = [job for job in jobs if belongs(job.chip_uid, job.location, job.created, job.day)]
    ours = {job.chip_uid for job in written}
    return Found(
        list(here.values()),
        written,
        [
            each
            for each in records
            # A card of somebody of this region that another place has printed is that place's.
            if each.chip_uid in ours
            or (
                (each.chip_uid not in made or each.chip_uid in here)
                and belongs(each.chip_uid, each.region, each.created, each.day)
            )
        ],
        list(_put_aside(station, stock, scope)),
    )


def _consumed(channel: grpc.Channel, scope: Scope) -> Iterator[Consumed]:
    """Blanks that became cards, from the eve of the first day to now."""
    eve = _eve(scope.first)
    request = exchange_pb2.ListUsedBlanksRequest(
        location=scope.region, first_day=eve.isoformat() if eve else ""
    )
    for each in paged(ExchangeServiceStub(channel).ListUsedBlanks, request, "blanks"):
        if not each.spoiled:
            yield Consumed(each.serial, each.location, each.chip_uid, each.day, each.withdrawn)


def _jobs(channel: grpc.Channel) -> list[Personalized]:
    """Jobs whose chip was written and read back, finished or not."""
    found: dict[str, Personalized] = {}
    for state in _MADE:
        request = cardperso_pb2.ListCardJobsRequest(state=state)
        for job in paged(CardPersoServiceStub(channel).ListCardJobs, request, "jobs"):
            found[job.job_id] = Personalized(
                job.job_id,
                job.blank_serial,
                job.location,
                job.chip_uid,
                job.record_id,
                _day(job.update_time),
                _day(job.create_time),
                state != cardperso_pb2.CARD_JOB_STATE_VERIFIED,
            )
    return list(found.values())


def _records(channel: grpc.Channel) -> Iterator[Issued]:
    for status in _WITH_CARD:
        request = enroll_pb2.ListRecordsRequest(status=status)
        for record in paged(EnrollServiceStub(channel).ListRecords, request, "records"):
            yield Issued(
                record.record_id,
                record.region,
                record.chip_uid,
                _day(record.update_time),
                _day(record.create_time),
            )


def _put_aside(station: grpc.Channel, stock: grpc.Channel, scope: Scope) -> Iterator[PutAside]:
    """Blanks that jobs have spoiled, and what has become of them in the inventory."""
    for state in _LOST:
        request = cardperso_pb2.ListCardJobsRequest(state=state)
        for job in paged(CardPersoServiceStub(station).ListCardJobs, request, "jobs"):
            created, changed = _day(job.create_time), _day(job.update_time)
            if not job.blank_serial or not scope.has_place(job.location):
                continue
            if scope.meets(created, changed) and (scope.has_day(created) or scope.has_day(changed)):
                blank = _blank(stock, job.blank_serial)
                yield PutAside(
                    job.job_id,
                    job.blank_serial,
                    job.location,
                    created,
                    job.review == cardperso_pb2.CARD_REVIEW_ACCEPTED,
                    blank is not None and blank.state in _SPOILED,
                    job.errand,
                )


def _blank(channel: grpc.Channel, serial: int) -> stock_pb2.Blank | None:
    """The blank as the inventory has it; ``None`` where it has none of that serial."""
    if not serial:
        return None
    try:
        return InventoryServiceStub(channel).GetBlank(inventory_pb2.GetBlankRequest(serial=serial)).blank
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return None
        raise


def _day(stamp: Timestamp) -> str:
    """The ledger's day of a moment."""
    return days.day_of(stamp.ToDatetime(UTC)).isoformat()


def _eve(day: date | None) -> date | None:
    return day - timedelta(days=1) if day is not None and day > date.min else day
