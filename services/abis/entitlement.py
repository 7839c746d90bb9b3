"""The gate of licence and maintenance: before each search or insertion the inventory says what may be done.

A shut gate is RESOURCE_EXHAUSTED: enroll then holds everybody back in the order of arrival, shows the reason,
and goes on where it stopped once the gate is open. Nothing is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import NamedTuple, Protocol

import grpc
import sqlalchemy as sa
from tunggal.inventory.v1 import contracts_pb2, contracts_pb2_grpc

from services.abis.deduplicate import Deduplication, Verdict
from services.abis.finger import Finger
from services.abis.gallery import SearchResult
from services.abis.identify import Identification
from services.abis.store import Store, Subject
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

#: What counts as a search, by its name in the audit log.
_SEARCHES = ("Deduplicate", "Identify")

_log = get_logger()


class _Count(NamedTuple):
    """How many searches of a kind there were on ``day`` up to the audit entry ``last_entry``."""

    day: date
    last_entry: int
    number: int


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
        self._counted = dict.fromkeys(_SEARCHES, _Count(date.min, 0, 0))

    def require(self, people: int | None) -> None:
        """Raises :class:`ResourceExhausted` when no search may be made now with ``people`` in the gallery,
        ``None`` where nobody is to be inserted; :class:`Unavailable` when nobody could say for too long.
        """
        found = self.require_entitled()
        if people is not None:
            _require_room(found, people)
        if found.max_searches_per_day:
            with self._counting, self._database.read() as connection:
                self._counted = self._searches(connection)
            _require_search(found, self._counted)

    def require_entitled(self) -> Entitlement:
        """What may be done now; raises what :meth:`require` raises where it is nothing at all."""
        now = self._clock.now()
        found = self._entitlement(now)
        if not found.allowed:
            raise _shut("ABIS_NOT_ENTITLED", found.reason)
        if found.until is not None and found.until < now.astimezone(_WIB).date():
            raise _shut("ABIS_NOT_ENTITLED", f"Licence or maintenance ended on {found.until}.")
        return found

    def require_room(self, people: int) -> None:
        """Raises :class:`ResourceExhausted` where ``people`` in the gallery are all that the licence is for;
        by what is known, for a caller that holds a lock and cannot wait.
        """
        if self._known is not None:
            _require_room(self._known[1], people)

    def require_search(self, conn: sa.Connection) -> None:
        """Raises :class:`ResourceExhausted` where today's searches are used up; by what is known, and exact
        for a caller that holds the gallery's lock in ``conn``, for many may have passed the gate together.
        """
        if self._known is not None and self._known[1].max_searches_per_day:
            # Not kept: what the transaction sees may be rolled back.
            _require_search(self._known[1], self._searches(conn))

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

    def _searches(self, conn: sa.Connection) -> dict[str, _Count]:
        """Searches of all replicas today by kind, by the audit log; each entry is looked at once."""
        today = self._clock.now().astimezone(_WIB).date()
        midnight = datetime(today.year, today.month, today.day, tzinfo=_WIB)
        found = {}
        for action, before in self._counted.items():
            last, new = audit.entries_since(conn, before.last_entry, action, midnight)
            found[action] = _Count(today, last, new + (before.number if before.day == today else 0))
        return found


class LicensedDeduplication(Deduplication):
    """A deduplication that passes the gate before it searches."""

    def __init__(self, identification: Identification, store: Store, policy: Policy, gate: Gate) -> None:
        super().__init__(identification, store, policy)
        self._gate = gate

    def search(self, fingers: Sequence[Finger]) -> SearchResult:
        """See the base class; raises what :meth:`Gate.require` raises."""
        self._gate.require(self._identification.persons())
        return super().search(fingers)

    def identify(self, fingers: Sequence[Finger], most: int) -> SearchResult:
        """See the base class; raises what :meth:`Gate.require` raises."""
        self._gate.require(None)
        return super().identify(fingers, most)

    def identified(self, conn: sa.Connection) -> None:
        """See the base class; raises what :meth:`Gate.require_search` raises."""
        self._gate.require_search(conn)

    def before_enrolling(self) -> None:
        """See the base class; raises what :meth:`Gate.require_entitled` raises."""
        self._gate.require_entitled()

    def enrol(self, conn: sa.Connection, subject_id: str, fingers: Sequence[Finger], at: datetime) -> Subject:
        """See the base class; raises what :meth:`Gate.require_room` raises."""
        self._identification.follow(conn)
        self._gate.require_room(self._identification.gallery.persons())
        return super().enrol(conn, subject_id, fingers, at)

    def decide(
        self,
        conn: sa.Connection,
        subject_id: str,
        fingers: Sequence[Finger],
        before: SearchResult,
        at: datetime,
    ) -> Verdict:
        """See the base class; raises what :meth:`Gate.require_room` and :meth:`Gate.require_search` raise:
        many may have passed the gate together.
        """
        self._identification.follow(conn)
        self._gate.require_room(self._identification.gallery.persons())
        self._gate.require_search(conn)
        return super().decide(conn, subject_id, fingers, before, at)


def _require_room(found: Entitlement, people: int) -> None:
    if found.max_people and people >= found.max_people:
        raise _shut(
            "PEOPLE_CEILING_REACHED",
            f"The licence is for {found.max_people:,} people; the gallery has {people:,}.",
        )


def _require_search(found: Entitlement, counted: Mapping[str, _Count]) -> None:
    if sum(count.number for count in counted.values()) >= found.max_searches_per_day:
        raise _shut(
            "SEARCH_CEILING_REACHED",
            f"The licence is for {found.max_searches_per_day:,} searches a day; today's are used up.",
        )


def _shut(reason: str, message: str) -> ResourceExhausted:
    return ResourceExhausted(
        reason,
        message,
        remedy="See the contracts with 'tunggal contract show'; an extension takes effect once approved.",
        retry_after=FRESH.total_seconds(),
    )
