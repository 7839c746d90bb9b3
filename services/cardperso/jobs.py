"""Jobs as the workers see them: each change is one transaction, and everybody who waits hears of it."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from services.cardperso.face.render import Faces
from services.cardperso.job import Job
from services.cardperso.production.floor import settle
from services.cardperso.store import Store
from services.common import audit
from services.common.bell import Bell
from services.common.clock import Clock
from services.common.db import Database

ACTOR = "service/cardperso"


class Jobs:
    """Stores what a worker did; a job that ended is audited in the same transaction."""

    def __init__(self, database: Database, store: Store, clock: Clock, bell: Bell) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._bell = bell

    def save(self, job: Job, faces: Faces | None = None) -> Job:
        """Store a changed job, and its faces; the job as stored."""

        def work(conn: sa.Connection) -> Job:
            now = self._clock.now()
            saved = self._store.save(conn, job, now)
            if faces is not None:
                self._store.add_faces(conn, job.job_id, faces)
            if not saved.is_open:
                settle(conn, saved)
                audit.append(
                    conn,
                    actor=ACTOR,
                    action=f"CardJob.{saved.state}",
                    resource=f"jobs/{saved.job_id}",
                    reason=saved.reason,
                    digest=saved.digest(),
                    at=now,
                )
            return saved

        saved = self._database.run(work)
        self._bell.ring()
        return saved

    def keep(self, job: Job) -> Job:
        """Store what the neighbours were told of a job that has ended; the job as stored."""
        saved = self._database.run(lambda conn: self._store.save(conn, job, self._clock.now()))
        self._bell.ring()
        return saved

    def change(self, job_id: str, step: Callable[[Job], Job]) -> Job:
        """Take a step that says nothing of how the job ends; the job as stored.

        Raises:
            NotFound: there is no such job.
            FailedPrecondition: the job cannot take the step.
        """

        def work(conn: sa.Connection) -> Job:
            return self._store.save(conn, step(self._store.job(conn, job_id, lock=True)), self._clock.now())

        saved = self._database.run(work)
        self._bell.ring()
        return saved

    def errands(self, limit: int) -> list[Job]:
        """Jobs of which a neighbour has yet to be told something, oldest first."""
        with self._database.read() as conn:
            return self._store.errands(conn, limit)

    def note(self, job: Job, reason: str) -> Job:
        """Store why a job waits, unless that is known. Why it ends is kept: the neighbours are told it."""
        if job.outcome is not None:
            return job if job.errand_note == reason[:500] else self.save(job.delayed(reason))
        return job if job.reason == reason[:500] else self.save(job.waiting(reason))

    def reload(self, job: Job) -> Job:
        """The job as it is stored."""
        with self._database.read() as conn:
            return self._store.job(conn, job.job_id)

    def is_over(self, job_id: str) -> bool:
        """Whether the card of a job is with its holder, or will never be.

        Raises:
            NotFound: there is no such job.
        """
        with self._database.read() as conn:
            return self._store.job(conn, job_id).is_over

    def faces(self, job: Job) -> Faces:
        """The faces of a card that was made.

        Raises:
            NotFound: it has none.
        """
        with self._database.read() as conn:
            front, back = (self._store.face(conn, job.job_id, side) for side in ("front", "back"))
        return Faces(front, back)

    def job_of_chip(self, chip_uid: str, but: str) -> Job | None:
        """A job other than `but` that wrote this chip."""
        with self._database.read() as conn:
            return self._store.job_of_chip(conn, chip_uid, but)

    def open_jobs(self, station: str) -> list[Job]:
        """Jobs of a station that have something to do, oldest first."""
        with self._database.read() as conn:
            return self._store.open_jobs(conn, station)
