"""Jobs and faces in the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from services.cardperso.face.render import Faces
from services.cardperso.job import OPEN, Errand, Job, Review, State
from services.cardperso.tables import ERRANDS, FACES, JOBS, UNREVIEWED
from services.common.crypto import KeyRing
from services.common.errors import Aborted, NotFound

JOB_CHANGED = "JOB_CHANGED"
"""Reason of the refusal to store a job that somebody else changed since it was read."""

_USED = (State.VERIFIED, State.PRINTED, State.HANDED_OVER, State.SPOILED, State.VOID)


class Store:
    """Reads and writes within the connection that it is given. Faces are sealed: they show a person."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def add(self, conn: sa.Connection, job: Job) -> None:
        """Store a new job."""
        conn.execute(sa.insert(JOBS).values(_row(job)))

    def save(self, conn: sa.Connection, job: Job, now: dt.datetime) -> Job:
        """Store a changed job; the job as stored.

        Raises:
            Aborted: somebody else changed it since it was read.
        """
        changed = job.stored(now)
        statement = (
            sa.update(JOBS)
            .where(JOBS.c.job_id == job.job_id, JOBS.c.version == job.version)
            .values(_row(changed))
        )
        if conn.execute(statement).rowcount != 1:
            raise Aborted(JOB_CHANGED, f"Job {job.job_id} was changed meanwhile.", remedy="Read it again.")
        return changed

    def job(self, conn: sa.Connection, job_id: str, *, lock: bool = False) -> Job:
        """Read a job; with `lock` nobody else changes it before the transaction ends.

        Raises:
            NotFound: there is none with this id.
        """
        query = sa.select(JOBS).where(JOBS.c.job_id == job_id.lower())
        row = conn.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFound(
                "JOB_UNKNOWN",
                f"There is no card job {job_id}.",
                field="job_id",
                remedy="Send the job_id that CreateCardJob answered.",
            )
        return _job(row)

    def jobs(
        self, conn: sa.Connection, *, state: State | None, record_id: str, after: int, limit: int
    ) -> list[Job]:
        """Jobs in order of creation, behind entry `after`."""
        query = sa.select(JOBS).where(JOBS.c.entry > after).order_by(JOBS.c.entry).limit(limit)
        if state is not None:
            query = query.where(JOBS.c.state == state.value)
        if record_id:
            query = query.where(JOBS.c.record_id == record_id.lower())
        return [_job(row) for row in conn.execute(query)]

    def unreviewed(self, conn: sa.Connection, *, after: int, limit: int) -> list[Job]:
        """Jobs whose rejected, spoiled or void card no second person has accepted yet, oldest first."""
        query = sa.select(JOBS).where(JOBS.c.entry > after, UNREVIEWED).order_by(JOBS.c.entry).limit(limit)
        return [_job(row) for row in conn.execute(query)]

    def open_jobs(self, conn: sa.Connection, station: str) -> list[Job]:
        """Jobs of a station that have something to do, oldest first."""
        query = (
            sa.select(JOBS)
            .where(JOBS.c.station == station, JOBS.c.state.in_([state.value for state in OPEN]))
            .order_by(JOBS.c.entry)
        )
        return [_job(row) for row in conn.execute(query)]

    def errands(self, conn: sa.Connection, limit: int) -> list[Job]:
        """Jobs of which a neighbour has yet to be told something, oldest first; hand-overs are their
        callers' own business.
        """
        query = (
            sa.select(JOBS)
            .where(ERRANDS, JOBS.c.errand != Errand.HAND_OVER.value)
            .order_by(JOBS.c.entry)
            .limit(limit)
        )
        return [_job(row) for row in conn.execute(query)]

    def job_of_chip(self, conn: sa.Connection, chip_uid: str, but: str) -> Job | None:
        """A job other than `but` that wrote this chip."""
        query = sa.select(JOBS).where(
            JOBS.c.chip_uid == chip_uid,
            JOBS.c.job_id != but,
            JOBS.c.state.in_([state.value for state in (*_USED, State.WRITING)]),
        )
        row = conn.execute(query.limit(1)).first()
        return None if row is None else _job(row)

    def add_faces(self, conn: sa.Connection, job_id: str, faces: Faces) -> None:
        """Seal and store both faces of a job."""
        conn.execute(sa.delete(FACES).where(FACES.c.job_id == job_id))
        rows = []
        for side, png in (("front", faces.front), ("back", faces.back)):
            sealed = self._keys.seal(png, _bound_to(job_id, side))
            rows.append({"job_id": job_id, "side": side, "key_id": sealed.key_id, "blob": sealed.blob})
        conn.execute(sa.insert(FACES), rows)

    def face(self, conn: sa.Connection, job_id: str, side: str) -> bytes:
        """A face as PNG file.

        Raises:
            NotFound: the job has no faces (yet).
        """
        row = conn.execute(sa.select(FACES).where(FACES.c.job_id == job_id, FACES.c.side == side)).first()
        if row is None:
            raise NotFound(
                "FACE_MISSING",
                f"Job {job_id} has no card faces.",
                field="job_id",
                remedy="Ask again when the job is VERIFIED.",
            )
        return self._keys.open(row.key_id, bytes(row.blob), _bound_to(job_id, side))


def counts(conn: sa.Connection) -> Sequence[tuple[State, int]]:
    """Jobs by state."""
    query = sa.select(JOBS.c.state, sa.func.count()).group_by(JOBS.c.state)
    return [(State(state), int(count)) for state, count in conn.execute(query)]


def untold(conn: sa.Connection) -> Sequence[tuple[Errand, int]]:
    """Jobs of which a neighbour has yet to be told something, by what."""
    query = sa.select(JOBS.c.errand, sa.func.count()).where(ERRANDS).group_by(JOBS.c.errand)
    return [(Errand(errand), int(count)) for errand, count in conn.execute(query)]


def _bound_to(job_id: str, side: str) -> bytes:
    return f"card_face/{job_id}/{side}".encode()


def _row(job: Job) -> dict[str, Any]:
    row = asdict(job)
    del row["entry"]
    row["state"] = job.state.value
    row["outcome"] = None if job.outcome is None else job.outcome.value
    row["review"] = job.review.value
    row["errand"] = job.errand.value
    return row


def _job(row: sa.Row[Any]) -> Job:
    values = {field.name: getattr(row, field.name) for field in fields(Job)}
    values["state"] = State(row.state)
    values["outcome"] = None if row.outcome is None else State(row.outcome)
    values["review"] = Review(row.review)
    values["errand"] = Errand(row.errand)
    return Job(**values)
