"""Enrolment without its server, and an ABIS in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from services.common.bell import Bell
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.errors import TunggalError
from services.enroll.deduplication import Decision, FingerImage, Outcome
from services.enroll.pipeline import Pipeline
from services.enroll.queue import CardQueue
from services.enroll.record import Record, Status
from services.enroll.store import Store
from services.enroll.vault import ChipFinger, Vault
from tests.enroll.enroll_people import NIK, packet

TO_CENTRAL = [
    Status.BIO_CAPTURED,
    Status.PROCESSING,
    Status.SENT_FOR_ENROLLMENT,
    Status.RECEIVED_AT_CENTRAL,
]
"""What every record goes through that reaches the search."""


@dataclass
class MemoryAbis:
    """An ABIS that knows a finger again when its file is the same. Says of people it is told to what it is
    told."""

    errors: list[Exception] = field(default_factory=list)
    unclear: set[bytes] = field(default_factory=set)
    quality: Callable[[FingerImage], int] = lambda finger: finger.position
    calls: list[str] = field(default_factory=list)
    down: TunggalError | None = None

    def __post_init__(self) -> None:
        self._gallery: dict[bytes, str] = {}
        self._answers: dict[str, Outcome] = {}
        self._lock = threading.Lock()

    @property
    def subjects(self) -> set[str]:
        return set(self._gallery.values())

    def deduplicate(self, request_id: str, subject_id: str, fingers: Sequence[FingerImage]) -> Outcome:
        with self._lock:
            self._fail()
            self.calls.append(subject_id)
            if request_id not in self._answers:
                self._answers[request_id] = self._decide(subject_id, fingers)
            return self._answers[request_id]

    def extract(self, fingers: Sequence[FingerImage], max_minutiae: int) -> list[ChipFinger]:
        with self._lock:
            if self.down is not None:
                raise self.down
        return [
            ChipFinger(finger.position, b"FMR\0" + bytes(26 + 6 * max_minutiae), self.quality(finger))
            for finger in fingers
        ]

    def _decide(self, subject_id: str, fingers: Sequence[FingerImage]) -> Outcome:
        known = [self._gallery[finger.content] for finger in fingers if finger.content in self._gallery]
        unclear = any(finger.content in self.unclear for finger in fingers)
        if known and not unclear:
            return Outcome(Decision.DUPLICATE, known[0], 42.0)
        for finger in fingers:
            self._gallery.setdefault(finger.content, subject_id)
        return (
            Outcome(Decision.ADJUDICATE, known[0] if known else "", 3.0)
            if unclear
            else Outcome(Decision.UNIQUE)
        )

    def _fail(self) -> None:
        if self.down is not None:
            raise self.down
        if self.errors:
            raise self.errors.pop(0)


class Office:
    """Everything behind the adapter, and the shortest way to use it."""

    def __init__(self, database_url: str, keys: KeyRing, clock: FixedClock) -> None:
        self.db = Database(database_url)
        self.db.migrate("services.enroll")
        self.clock = clock
        self.store = Store(keys)
        self.vault = Vault(keys)
        self.abis = MemoryAbis()
        self.pipeline = self.worker()
        self.queue = CardQueue(
            self.db, self.store, clock, Bell(), claim_time=timedelta(seconds=120), poll_seconds=0.05
        )

    def worker(self) -> Pipeline:
        """A process of its own on the same database."""
        return Pipeline(
            self.db,
            self.store,
            self.vault,
            self.abis,
            self.clock,
            Bell(),
            lease=timedelta(seconds=10),
            poll_seconds=0.05,
        )

    def submit(self, person: str, nik: str = NIK, region: str = "32.16") -> Record:
        """Stores a record of a person, unchecked."""

        def work(conn: Connection) -> Record:
            record = self.store.insert(
                conn, nik=nik, region=region, biodata=b"biodata", actor="kit/1", at=self.clock.now()
            )
            self.vault.put_images(conn, record.record_id, packet(person))
            return record

        return self.db.run(work)

    def run(self, steps: int = 1000) -> None:
        """Lets the pipeline work until nothing can go on."""
        for _ in range(steps):
            if not self.pipeline.step():
                return
        raise AssertionError("the pipeline does not come to rest")

    def read(self, record: Record) -> Record:
        with self.db.read() as conn:
            return self.store.get(conn, record.record_id)

    def statuses(self, record: Record) -> list[Status]:
        """The record's history as statuses."""
        with self.db.read() as conn:
            return [event.status for event in self.store.history(conn, record.record_id)]
