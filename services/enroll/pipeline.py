"""The pipeline: takes records in order of arrival through deduplication, by itself.

Every step is a lease, the work outside of any transaction, and one transaction that books the outcome. So a
process may die anywhere: the lease lapses, the next worker repeats the work, and the ABIS answers a
repeated request id with its first answer.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy as sa

from services.common import errors
from services.common.bell import Bell
from services.common.clock import Clock
from services.common.db import Database
from services.common.logs import get_logger
from services.enroll import worklist
from services.enroll.chip_fingers import CHIP_MINUTIAE, best_fingers
from services.enroll.deduplication import Abis, FingerImage, Outcome
from services.enroll.packet import ImageKind
from services.enroll.record import Record, Status
from services.enroll.store import Store
from services.enroll.vault import ChipFinger, Vault
from services.enroll.verdict import judge
from services.enroll.worklist import UNAVAILABLE, Gate, Work

ACTOR = "pipeline"
#: A fault of the ABIS that is not the record's own is tried so often before people must look.
MAX_FAULTS = 10
FIRST_BACKOFF = timedelta(seconds=0.5)
MAX_BACKOFF = timedelta(seconds=60)

_MAX_REASON = 400
_NAMESPACE = uuid.UUID("5b0c1f0e-6f43-4c53-9d0a-3f5f7d8f2a11")

#: The whole ABIS is out of reach, or does not want us: nobody's record can do anything about it.
_GATE_SHUT = (
    errors.Unavailable,
    errors.ResourceExhausted,
    errors.Unauthenticated,
    errors.PermissionDenied,
    errors.Unimplemented,
)
#: May go better next time, however often it did not.
_PASSING = (errors.DeadlineExceeded, errors.Aborted, errors.Cancelled)
#: The ABIS looked at the biometrics and will not have them.
_REFUSED = (errors.InvalidArgument, errors.FailedPrecondition)

_log = get_logger()


class Pipeline:
    """The workers of one process."""

    def __init__(
        self,
        db: Database,
        store: Store,
        vault: Vault,
        abis: Abis,
        clock: Clock,
        bell: Bell,
        *,
        lease: timedelta,
        poll_seconds: float,
    ) -> None:
        self._db = db
        self._store = store
        self._vault = vault
        self._abis = abis
        self._clock = clock
        self._bell = bell
        self._lease = lease
        self._poll_seconds = poll_seconds
        self._owner = str(uuid.uuid4())
        self._working: set[str] = set()
        self._working_lock = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Works until told to stop; returns after the record in hand."""
        while not stop.is_set():
            seen = self._bell.rings
            try:
                worked = self.step()
            except (
                errors.TunggalError
            ) as error:  # the database; what was in hand goes on when its lease lapses
                _log.warning("pipeline_waits", reason=error.reason, detail=error.message)
                worked = False
            if not worked and not stop.is_set():
                self._bell.wait(seen, self._poll_seconds)

    def keep_leases(self, stop: threading.Event) -> None:
        """Renews the leases of this process until told to stop, so that a short lease outlasts a long
        search.
        """
        while not stop.wait(self._lease.total_seconds() / 3):
            try:
                self.renew_leases()
            except errors.TunggalError as error:
                _log.warning("leases_not_renewed", reason=error.reason, detail=error.message)

    def renew_leases(self) -> None:
        """Renews the lease of every record that a worker of this process has in hand."""
        with self._working_lock:
            working = sorted(self._working)
        if working:
            until = self._clock.now() + self._lease
            self._db.run(lambda conn: worklist.renew(conn, self._owner, working, until))

    def step(self) -> bool:
        """Takes the record whose turn it is one status further; False where none can go on now."""
        work = self._db.run(self._take)
        if work is None:
            return False
        with self._in_hand(work.record):
            if work.record.status is Status.PROCESSING:
                self._check_packet(work.record)
            else:
                self._deduplicate(work)
        self._bell.ring()
        return True

    def _take(self, conn: sa.Connection) -> Work | None:
        now = self._clock.now()
        work = worklist.take(conn, self._owner, now, now + self._lease)
        if work is None or work.record.status is not Status.BIO_CAPTURED:
            return work
        record = self._store.move(conn, work.record, Status.PROCESSING, actor=ACTOR, at=now, keep_lease=True)
        return Work(record, work.gate_shut)

    def _check_packet(self, record: Record) -> None:
        """Proves that the packet can be read back from where it is stored."""
        try:
            with self._db.read() as conn:
                self._vault.images(conn, record.record_id, *ImageKind)
        except errors.DataLoss as error:
            if error.reason == "CIPHERTEXT_DAMAGED":
                self._finish(record, Status.ENROLL_FAILURE_AT_REGIONAL, _said(error))
            else:  # a missing key is the keyring's fault, which an operator can mend
                self._postpone(record, error, fault=False)
            return
        self._finish(record, Status.SENT_FOR_ENROLLMENT)

    def _deduplicate(self, work: Work) -> None:
        record = work.record
        try:
            fingers = self._fingers(record)
        except errors.DataLoss as error:
            self._count_fault(record, error)
            return
        try:
            # Before the decision: whoever's fingers cannot go on a chip must not get into the gallery either.
            chip = best_fingers(self._abis.extract(fingers, CHIP_MINUTIAE))
            request_id = str(uuid.uuid5(_NAMESPACE, f"{record.record_id}/deduplicate"))
            outcome = self._abis.deduplicate(request_id, record.record_id, fingers)
        except _GATE_SHUT as error:
            self._shut_gate(record, error)
            return
        except _PASSING as error:
            self._postpone(record, error, fault=False)
            return
        except _REFUSED as error:
            self._refuse(record, Status.ENROLL_FAILURE_AT_CENTRAL, error)
        except Exception as error:
            _log.warning("deduplication_failed", record=record.record_id, exc_info=error)
            self._count_fault(record, error)
        else:
            self._settle(record, lambda conn, current, now: self._judge(conn, current, outcome, chip, now))
        if work.gate_shut:  # whatever the ABIS answered, it answered
            self._db.run(worklist.open_gate)

    def _fingers(self, record: Record) -> list[FingerImage]:
        with self._db.read() as conn:
            images = self._vault.images(conn, record.record_id, ImageKind.FINGER)
        return [FingerImage(image.announced.position, image.announced.dpi, image.content) for image in images]

    def _judge(
        self,
        conn: sa.Connection,
        record: Record,
        outcome: Outcome,
        chip: Sequence[ChipFinger],
        now: datetime,
    ) -> None:
        verdict = judge(conn, self._store, record, outcome)
        if verdict.status is Status.PRINT_READY_RECORD:
            self._vault.put_chip_fingers(conn, record.record_id, chip)
        received = self._store.move(conn, record, Status.RECEIVED_AT_CENTRAL, actor=ACTOR, at=now)
        self._store.move(
            conn,
            received,
            verdict.status,
            actor=ACTOR,
            at=now,
            reason=verdict.reason,
            matching_record_id=verdict.matching_record_id,
            match_score=verdict.match_score,
        )

    def _refuse(self, record: Record, status: Status, error: Exception) -> None:
        def book(conn: sa.Connection, current: Record, now: datetime) -> None:
            received = self._store.move(conn, current, Status.RECEIVED_AT_CENTRAL, actor=ACTOR, at=now)
            self._store.move(conn, received, status, actor=ACTOR, at=now, reason=_said(error))

        self._settle(record, book)

    def _finish(self, record: Record, status: Status, reason: str = "") -> None:
        self._settle(
            record,
            lambda conn, current, now: self._store.move(
                conn, current, status, actor=ACTOR, at=now, reason=reason
            ),
        )

    def _count_fault(self, record: Record, error: Exception) -> None:
        if record.faults + 1 < MAX_FAULTS:
            self._postpone(record, error, fault=True)
        else:
            self._refuse(record, Status.SEARCH_FAILURE_AT_CENTRAL, error)

    def _postpone(self, record: Record, error: Exception, *, fault: bool) -> None:
        def book(conn: sa.Connection, current: Record, now: datetime) -> None:
            until = now + backoff(current.attempts + 1)
            worklist.postpone(conn, current, _said(error), until, fault=fault, actor=ACTOR, at=now)

        self._settle(record, book)

    def _shut_gate(self, record: Record, error: errors.TunggalError) -> None:
        reason = f"{UNAVAILABLE}: {_said(error)}"

        def book(conn: sa.Connection, current: Record, now: datetime) -> None:
            before = worklist.gate(conn)
            attempts = 1 if before is None else before.attempts + 1
            next_try = now + backoff(attempts) / 2
            worklist.shut_gate(conn, Gate(reason, attempts, next_try))
            # The record itself waits twice as long: so the next try is another record's, and one that brings
            # the ABIS down cannot keep everybody out.
            until = now + backoff(current.attempts + 1)
            worklist.postpone(conn, current, reason, until, fault=False, actor=ACTOR, at=now)
            if _not_entitled(error):
                # No record is to blame: whoever arrived first tries again, and nobody overtakes.
                worklist.call_back(conn, next_try)

        self._settle(record, book)

    def _settle(self, record: Record, book: Callable[[sa.Connection, Record, datetime], object]) -> None:
        """Books what became of a record, unless its lease lapsed and it is somebody else's by now."""

        def work(conn: sa.Connection) -> bool:
            current = worklist.still_leased(conn, record, self._owner)
            if current is not None:
                book(conn, current, self._clock.now())
            return current is not None

        if not self._db.run(work):
            _log.warning("lease_lost", record=record.record_id)

    @contextmanager
    def _in_hand(self, record: Record) -> Iterator[None]:
        with self._working_lock:
            self._working.add(record.record_id)
        try:
            yield
        finally:
            with self._working_lock:
                self._working.discard(record.record_id)


def backoff(attempts: int) -> timedelta:
    """Returns how long to wait after so many failed attempts: half a second, doubling up to a minute."""
    doublings = min(attempts - 1, 30)
    return min(FIRST_BACKOFF * (1 << doublings), MAX_BACKOFF)


def _not_entitled(error: errors.TunggalError) -> bool:
    """Whether the ABIS itself says that it may not search now, and not gRPC that a message is too large."""
    return isinstance(error, errors.ResourceExhausted) and error.domain == "tunggal.abis"


def _said(error: Exception) -> str:
    if isinstance(error, errors.TunggalError):
        return f"{error.reason}: {error.message}"[:_MAX_REASON]
    return f"UNEXPECTED: {type(error).__name__}; the log has the details."
