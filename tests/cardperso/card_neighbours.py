"""Enroll and inventory in memory, for tests that lose calls and crash between them."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from services.cardperso.holder import Holder
from services.cardperso.job import Job
from services.cardperso.people import same
from services.cardperso.ports import ChipStanding, Claim, Reservation
from services.common.errors import AlreadyExists, FailedPrecondition, NotFound

T = TypeVar("T")


class Neighbours:
    """Enroll and inventory in memory, exactly as strict as the contracts; both ports in one object each.

    `before` is called with the name of every call before it is carried out, `after` when it was: what they
    raise is what the caller gets, so a test can lose a request or its answer.
    """

    def __init__(self, holders: list[Holder], blanks: int = 10) -> None:
        self.queue = list(holders)
        self.free = list(range(1001, 1001 + blanks))
        self.answers: dict[str, object] = {}
        self.claims: dict[str, Holder] = {}
        self.ended: dict[str, str] = {}
        self.held: dict[str, int] = {}
        self.consumed: dict[int, str] = {}
        self.spoiled: dict[int, str] = {}
        self.printed: dict[str, str] = {}
        self.issued: dict[str, str] = {}
        self.released: list[str] = []
        self.void: dict[str, str] = {}
        self.spoilage: dict[str, list[object]] = {}
        self.foreign: set[str] = set()
        self.before: Callable[[str], None] = lambda call: None
        self.after: Callable[[str], None] = lambda call: None
        self.lock = threading.Lock()

    @property
    def enroll(self) -> FakeEnroll:
        """The port to enroll."""
        return FakeEnroll(self)

    @property
    def inventory(self) -> FakeInventory:
        """The port to the inventory."""
        return FakeInventory(self)

    def once(self, call: str, request_id: str, work: Callable[[], T]) -> T:
        """Carry out a call once for its request id."""
        self.before(call)
        with self.lock:
            if request_id not in self.answers:
                self.answers[request_id] = work()
            answer = self.answers[request_id]
        self.after(call)
        return answer  # type: ignore[return-value]

    def standing(self, claim_id: str) -> Holder:
        """The holder of a claim that stands."""
        if claim_id in self.ended:
            state = self.ended[claim_id]
            raise FailedPrecondition(
                "CLAIM_ENDED", f"The claim has ended: {state}.", metadata={"state": state}
            )
        return self.claims[claim_id]


class FakeEnroll:
    """Implements the port to enroll."""

    def __init__(self, all_of_it: Neighbours) -> None:
        self.all = all_of_it

    def claim(self, request_id: str, region: str, claimant: str, issue_date: dt.date) -> Claim:
        def lend() -> str:
            if not self.all.queue:
                raise NotFound(
                    "QUEUE_EMPTY",
                    f"No print-ready record waits in {region}.",
                    field="region",
                    remedy="Ask again later.",
                )
            claim_id = str(uuid.uuid4())
            self.all.claims[claim_id] = self.all.queue.pop(0)
            return claim_id

        claim_id = self.all.once("claim", request_id, lend)
        return Claim(claim_id, replace(self.all.standing(claim_id), issue_date=issue_date))

    def renew(self, claim_id: str) -> None:
        self.all.before("renew")
        self.all.standing(claim_id)

    def release(self, request_id: str, claim_id: str, reason: str) -> None:
        def end() -> None:
            self.all.queue.insert(0, self.all.standing(claim_id))
            self.all.ended[claim_id] = "RELEASED"
            self.all.released.append(reason)

        self.all.once("release-claim", request_id, end)

    def report_printed(self, request_id: str, claim_id: str, chip_uid: str) -> None:
        def end() -> None:
            record = self.all.standing(claim_id).record_id
            if record in self.all.printed or chip_uid in self.all.void:
                raise AssertionError("two cards for one record, or one that is void")
            self.all.printed[record] = chip_uid
            self.all.ended[claim_id] = "PRINTED"

        self.all.once("printed", request_id, end)

    def void_card(self, request_id: str, job: Job) -> None:
        def back() -> None:
            if job.record_id in self.all.issued or self.all.printed.get(job.record_id) != job.chip_uid:
                raise FailedPrecondition("NO_CARD_TO_VOID", "There is no card that could be taken back.")
            assert not same(job.rejected_by, job.reviewed_by)
            del self.all.printed[job.record_id]
            holder = next(each for each in self.all.claims.values() if each.record_id == job.record_id)
            self.all.queue.insert(0, holder)
            self.all.void[job.chip_uid] = job.record_id

        self.all.once("void-card", request_id, back)

    def report_issued(self, request_id: str, record_id: str, chip_uid: str) -> None:
        def end() -> None:
            assert self.all.printed[record_id] == chip_uid
            self.all.issued[record_id] = chip_uid

        self.all.once("issued", request_id, end)


class FakeInventory:
    """Implements the port to the inventory."""

    def __init__(self, all_of_it: Neighbours) -> None:
        self.all = all_of_it

    def reserve(self, request_id: str, location: str, purpose: str) -> Reservation:
        def hold() -> Reservation:
            if not self.all.free:
                raise FailedPrecondition(
                    "INSUFFICIENT_STOCK", f"{location} has 0 free blanks.", remedy="Allocate stock to it."
                )
            reservation = Reservation(str(uuid.uuid4()), self.all.free.pop(0))
            self.all.held[reservation.reservation_id] = reservation.serial
            return reservation

        return self.all.once("reserve", request_id, hold)

    def check_chip(self, reservation_id: str, chip_uid: str) -> ChipStanding:
        used = [serial for serial, uid in self.all.consumed.items() if uid == chip_uid]
        return ChipStanding(chip_uid in self.all.foreign, used[0] if used else 0)

    def release(self, request_id: str, reservation_id: str, reason: str) -> None:
        self.all.once("release-blank", request_id, lambda: self.all.free.insert(0, self._end(reservation_id)))

    def consume(self, request_id: str, reservation_id: str, chip_uid: str) -> None:
        def book() -> None:
            self._bind(chip_uid)
            self.all.consumed[self._end(reservation_id)] = chip_uid

        self.all.once("consume", request_id, book)

    def spoil(self, request_id: str, reservation_id: str, reason: str, chip_uid: str, operator: str) -> str:
        def book() -> str:
            self._bind(chip_uid)
            serial = self._end(reservation_id)
            self.all.spoiled[serial] = reason
            return self._note(operator)

        return self.all.once("spoil", request_id, book)

    def void(self, request_id: str, reservation_id: str, reason: str, chip_uid: str, operator: str) -> str:
        def book() -> str:
            (serial,) = (number for number, uid in self.all.consumed.items() if uid == chip_uid)
            del self.all.consumed[serial]
            self.all.spoiled[serial] = reason
            return self._note(operator)

        return self.all.once("void-blank", request_id, book)

    def review(self, request_id: str, spoilage_id: str, note: str, operator: str, *, accepted: bool) -> None:
        def say() -> None:
            assert operator != self.all.spoilage[spoilage_id][0], "one person is not two"
            self.all.spoilage[spoilage_id][1:] = [operator, accepted, note]

        self.all.once("review", request_id, say)

    def _note(self, operator: str) -> str:
        spoilage_id = str(uuid.uuid4())
        self.all.spoilage[spoilage_id] = [operator]
        return spoilage_id

    def _bind(self, chip_uid: str) -> None:
        if chip_uid and chip_uid in self.all.consumed.values():
            raise AlreadyExists("CHIP_UID_BOUND", f"Chip UID {chip_uid} is bound.")

    def _end(self, reservation_id: str) -> int:
        if reservation_id not in self.all.held:
            raise FailedPrecondition("RESERVATION_CONSUMED", "The reservation has ended.")
        return self.all.held.pop(reservation_id)
