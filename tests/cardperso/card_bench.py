"""A personalizer with a database of its own, real readers, and neighbours in memory."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from services.cardperso import journal
from services.cardperso.attempts import Attempts
from services.cardperso.chip.plan import encode
from services.cardperso.chip.profile import find
from services.cardperso.encoder import Encoder
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

POLICY = Policy(card_wait=1.5, resume_wait=0.8, mark="SPESIMEN")


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
    policy: Policy = POLICY
    printer: CardPrinter | None = None

    def personalizer(self) -> Personalizer:
        guard = AttemptGuard(3, Attempts(self.database, self.clock))
        encoder = Encoder(self.issuer, guard, self.journal, apdu_seconds=1.0)
        profile = find("ktp-el")
        meter = ChipMeter(CollectorRegistry())
        neighbours = (self.world.enroll, self.world.inventory)
        return Personalizer(
            self.jobs,
            encoder,
            lambda holder: encode(profile, holder, self.issuer.signer()),
            *neighbours,
            meter,
            self.policy,
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

    def run(self, job: Job | None = None) -> Job:
        """Run a job to its end, as a process that was just started would."""
        stored = self.jobs.reload(job or self.new_job())
        return self.personalizer().run(stored, threading.Event())

    def crash(self, job: Job) -> None:
        with pytest.raises(CrashError):
            self.run(job)

    def check_books(self) -> None:
        """No blank is held or lost, no card stands for two records, no consumed blank has no card."""
        world = self.world
        assert not world.held
        assert len(world.free) + len(world.consumed) + len(world.spoiled) == 10
        assert sorted(world.consumed.values()) == sorted(world.printed.values())
        with self.database.read() as conn:
            assert audit.verify(conn) is None
            assert journal.verify(conn).broken is None
