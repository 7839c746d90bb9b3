"""A personalizer with a database of its own, real readers, and neighbours in memory."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from services.cardperso.attempts import Attempts
from services.cardperso.chip.plan import encode
from services.cardperso.chip.profile import find
from services.cardperso.encoder import Encoder
from services.cardperso.face.render import Faces
from services.cardperso.globalplatform import AttemptGuard
from services.cardperso.issuer import Issuer
from services.cardperso.job import Job, State
from services.cardperso.jobs import Jobs
from services.cardperso.journal import Journal
from services.cardperso.metrics import ChipMeter
from services.cardperso.personalizer import Personalizer, Policy
from services.cardperso.printing import CardPrinter
from services.cardperso.store import Store
from services.common import audit
from services.common.clock import FixedClock
from services.common.db import Database
from tests.cardperso.card_neighbours import Neighbours

PATIENCE = 60.0
"""Seconds: long enough for any machine, for a test that waits for something says when to give up."""


@dataclass
class Patience:
    """A policy whose patience can end."""

    card_wait: float = PATIENCE
    resume_wait: float = PATIENCE
    mark: str = "SPESIMEN"
    quality_check: bool = False


class CrashError(BaseException):
    """Stands for kill -9: nothing in the service catches it."""


@dataclass
class Bench:
    """A personalizer with a database of its own and neighbours in memory."""

    database: Database
    store: Store
    jobs: Jobs
    clock: FixedClock
    reader: str
    world: Neighbours
    issuer: Issuer
    journal: Journal
    apdu_seconds: float = 10.0
    printer: CardPrinter | None = None

    def personalizer(self, give_up_at: str = "", waits: Patience | None = None) -> Personalizer:
        """A personalizer that loses its patience when a job waits for a certain reason."""
        patience = waits or Patience()
        save = Jobs.save.__get__(self.jobs)

        def save_and_look(job: Job, faces: Faces | None = None) -> Job:
            saved: Job = save(job, faces)
            if give_up_at and saved.reason.startswith(give_up_at):
                patience.card_wait = patience.resume_wait = 0.0
            return saved

        self.jobs.save = save_and_look  # type: ignore[method-assign]
        policy: Policy = patience  # type: ignore[assignment]
        guard = AttemptGuard(3, Attempts(self.database, self.clock))
        encoder = Encoder(self.issuer, guard, self.journal, self.apdu_seconds)
        profile = find("ktp-el")
        meter = ChipMeter(CollectorRegistry())
        neighbours = (self.world.enroll, self.world.inventory)
        return Personalizer(
            self.jobs,
            encoder,
            lambda holder: encode(profile, holder, self.issuer.signer()),
            *neighbours,
            meter,
            policy,
            self.printer,
        )

    def new_job(self) -> Job:
        now = self.clock.now()
        job = Job(
            job_id=str(uuid.uuid4()),
            state=State.PENDING,
            region="32.16",
            location="32.16",
            station="here",
            reader=self.reader,
            issue_date=dt.date(2026, 3, 2),
            create_time=now,
            update_time=now,
            operator="operator/cli",
        )
        self.database.run(lambda conn: self.store.add(conn, job))
        return job

    def run(self, job: Job | None = None, *, give_up_at: str = "", waits: Patience | None = None) -> Job:
        """Run a job to its end, as a process that was just started would."""
        stored = self.jobs.reload(job or self.new_job())
        return self.personalizer(give_up_at, waits).run(stored, threading.Event())

    def crash(self, job: Job, *, give_up_at: str = "") -> None:
        with pytest.raises(CrashError):
            self.run(job, give_up_at=give_up_at)

    def check_books(self) -> None:
        """No blank is held or lost, no card stands for two records, no consumed blank has no card."""
        world = self.world
        assert not world.held
        assert len(world.free) + len(world.consumed) + len(world.spoiled) == 10
        assert sorted(world.consumed.values()) == sorted(world.printed.values())
        with self.database.read() as conn:
            assert audit.verify(conn) is None
            assert self.journal.verify(conn).broken is None
