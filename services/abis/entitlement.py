"""The gate of licence and maintenance: before each search the inventory is asked what the ABIS may do.

A shut gate is RESOURCE_EXHAUSTED: enroll then holds everybody back in the order of arrival, shows the reason,
and goes on where it stopped once the gate is open. Nothing is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from typing import NamedTuple, Protocol

import grpc
import sqlalchemy as sa
from tunggal.inventory.v1 import contracts_pb2, contracts_pb2_grpc

from services.abis.deduplicate import Deduplication, Verdict
from services.abis.finger import Finger
from services.abis.gallery import SearchResult
from services.abis.identify import Identification
from services.abis.store import Store
from services.abis.thresholds import Policy
from services.common import audit
from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import ResourceExhausted, TunggalError, Unavailable, remote_error
from services.common.logs import get_logger

#: How long an answer of the inventory is taken as it is, before it is asked again.
FRESH = timedelta(seconds=15)
#: How long the last answer counts while the inventory does not answer: a restart must not stop enrolment.
STALE = timedelta(hours=1)
#: How long the inventory is left alone after it did not answer: whoever asks waits for it.
AGAIN = timedelta(seconds=5)
#: Licences end, and searches are counted, by the days of Jakarta, as the inventory has them.
_WIB = timezone(timedelta(hours=7), "WIB")

_log = get_logger()


class Entitlement(NamedTuple):
    """What may be done until the end of ``until``; ceilings of 0 are no ceilings."""

    allowed: bool
    max_people: int
    max_searches_per_day: int
    until: date | None
    reason: str


class Source(Protocol):
    """Says what the ABIS may do now."""

    def entitlement(self) -> Entitlement:
        """The entitlement of this moment; raises a typed error where it cannot be had."""


class InventorySource:
    """Asks the inventory over gRPC."""

    def __init__(self, channel: grpc.Channel, seconds: float = 5.0) -> None:
        self._stub = contracts_pb2_grpc.ContractServiceStub(channel)
        self._seconds = seconds

    def entitlement(self) -> Entitlement:
        """See the protocol."""
        try:
            answer = self._stub.GetEntitlement(
                contracts_pb2.GetEntitlementRequest(), timeout=self._seconds
            ).entitlement
        except grpc.RpcError as error:
            raise remote_error(error) from error
        return Entitlement(
            allowed=answer.allowed,
            max_people=answer.max_people,
            max_searches_per_day=answer.max_searches_per_day,
            until=date.fromisoformat(answer.valid_until) if answer.valid_until else None,
            reason=answer.reason,
        )


class Gate:
    """Lets a search through, or says why not."""

    def __init__(self, source: Source, database: Database, clock: Clock) -> None:
        self._source = source
        self._database = database
        self._clock = clock
        self._asking = threading.Lock()
        self._known: tuple[datetime, Entitlement] | None = None
        self._failed: tuple[datetime, TunggalError] | None = None
        self._counting = threading.Lock()
        # The day whose searches are counted, the last audit entry seen, and the count so far.
        self._counted: tuple[date, int, int] = (date.min, 0, 0)

    def require(self, people: int) -> None:
        """Raises :class:`ResourceExhausted` when no search may be made with ``people`` in the gallery, and
        :class:`Unavailable` when nobody could say for too long.
        """
        now = self._clock.now()
        found = self._entitlement(now)
        today = now.astimezone(_WIB).date()
        if not found.allowed or (found.until is not None and found.until < today):
            raise _shut("ABIS_NOT_ENTITLED", found.reason)
        _require_room(found, people)
        if found.max_searches_per_day and self._searches(today) >= found.max_searches_per_day:
            raise _shut(
                "SEARCH_CEILING_REACHED",
                f"The licence is for {found.max_searches_per_day:,} searches a day; today's are used up.",
            )

    def require_room(self, people: int) -> None:
        """Raises :class:`ResourceExhausted` where ``people`` in the gallery are all that the licence is for;
        by what is known, for a caller that holds a lock and cannot wait.
        """
        if self._known is not None:
            _require_room(self._known[1], people)

    def _entitlement(self, now: datetime) -> Entitlement:
        """What is known, asked again where it is not fresh; by one caller at a time, and while it waits for
        an answer the others go by what is known.
        """
        known = self._known
        if known is not None and now - known[0] < FRESH:
            return known[1]
        usable = known is not None and now - known[0] < STALE
        if not self._asking.acquire(blocking=not usable):
            assert known is not None
            return known[1]
        try:
            return self._asked(self._clock.now())
        finally:
            self._asking.release()

    def _asked(self, now: datetime) -> Entitlement:
        """The inventory's answer, or the last one while it does not answer."""
        if self._known is not None and now - self._known[0] < FRESH:
            return self._known[1]
        if self._failed is None or now - self._failed[0] >= AGAIN:
            try:
                found = self._source.entitlement()
            except TunggalError as error:
                self._failed = (self._clock.now(), error)
            else:
                self._known, self._failed = (now, found), None
                return found
        fault = self._failed[1]
        if self._known is not None and now - self._known[0] < STALE:
            _log.warning("entitlement_stale", since=self._known[0].isoformat(), reason=fault.reason)
            return self._known[1]
        raise Unavailable(
            "ENTITLEMENT_UNKNOWN",
            f"The inventory does not say what the ABIS may do: {fault.message}",
            remedy="Check TUNGGAL_INVENTORY_ENDPOINT and that the inventory runs.",
            retry_after=FRESH.total_seconds(),
        ) from fault

    def _searches(self, today: date) -> int:
        """Deduplications of all replicas today, by the audit log; each entry is looked at once."""
        midnight = datetime(today.year, today.month, today.day, tzinfo=_WIB)
        with self._counting, self._database.read() as connection:
            day, seen, count = self._counted
            last, new = audit.entries_since(connection, seen, "Deduplicate", midnight)
            count = new + (count if day == today else 0)
            self._counted = (today, last, count)
        return count


class LicensedDeduplication(Deduplication):
    """A deduplication that passes the gate before it searches."""

    def __init__(self, identification: Identification, store: Store, policy: Policy, gate: Gate) -> None:
        super().__init__(identification, store, policy)
        self._gate = gate

    def search(self, fingers: Sequence[Finger]) -> SearchResult:
        """See the base class; raises what :meth:`Gate.require` raises."""
        self._gate.require(self._identification.gallery.persons())
        return super().search(fingers)

    def decide(
        self,
        conn: sa.Connection,
        subject_id: str,
        fingers: Sequence[Finger],
        before: SearchResult,
        at: datetime,
    ) -> Verdict:
        """See the base class; raises what :meth:`Gate.require_room` raises, for many may have passed the gate
        together.
        """
        self._identification.follow(conn)
        self._gate.require_room(self._identification.gallery.persons())
        return super().decide(conn, subject_id, fingers, before, at)


def _require_room(found: Entitlement, people: int) -> None:
    if found.max_people and people >= found.max_people:
        raise _shut(
            "PEOPLE_CEILING_REACHED",
            f"The licence is for {found.max_people:,} people; the gallery has {people:,}.",
        )


def _shut(reason: str, message: str) -> ResourceExhausted:
    return ResourceExhausted(
        reason,
        message,
        remedy="See the contracts with 'tunggal contract show'; an extension takes effect once approved.",
        retry_after=FRESH.total_seconds(),
    )
