"""Who makes which card: stations take work in the order in which it came, and keep their promise to be there.

A host renews the leases of its stations. What a station has begun when its lease lapses is taken over by
another one of the same location: a card that was not touched is made there, one that was touched is
finished if it is laid on the reader there, and spoiled otherwise. By the version of a job the old station,
should it live on, changes nothing any more.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace

import sqlalchemy as sa

from services.cardperso.job import TAKEN_OVER, Job, State
from services.cardperso.localtime import local_day
from services.cardperso.production import store as shelves
from services.cardperso.production.batch import Batch, BatchState
from services.cardperso.production.station import Station
from services.cardperso.store import Store
from services.common.clock import Clock
from services.common.db import Database, lock

_SPOILED_IN_A_ROW = 3
"""Spoiled blanks one after the other at which a station stops: it is not the blanks."""
_AT_THE_STATION = (
    "CARD_",
    "CHIP_",
    "WRONG_",
    "PROTOCOL_",
    "AUTHENTICATION_",
    "KEYS_LOCKED",
    "READER_",
    "PCSC_",
)
"""Reasons that lie at the reader and its hopper; others lie with the batch."""


class Floor:
    """The stations of one host.

    Args:
        database: database.
        store: jobs.
        host: this host.
        clock: clock.
        lease: how long the host promises to be there.
        readers: names of the readers that are there now.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        host: str,
        clock: Clock,
        lease: dt.timedelta,
        readers: Callable[[], list[str]],
    ) -> None:
        self._database = database
        self._store = store
        self.host = host
        self._clock = clock
        self._lease = lease
        self._readers = readers

    def lease_time(self) -> dt.datetime:
        """Until when the host promises to be there, as of now."""
        return self._clock.now() + self._lease

    def beat(self) -> list[Station]:
        """Renew the leases of this host in time; its stations."""
        now = self._clock.now()
        with self._database.read() as conn:
            ours = shelves.stations(conn, host=self.host)
        if any(station.lease_time - now < self._lease * 2 / 3 for station in ours):
            self._database.run(lambda conn: shelves.prolong(conn, self.host, now + self._lease))
        return ours

    def take(self) -> bool:
        """Give each free station of this host its next card; whether there was one."""
        idle = [station for station in self.beat() if not station.obstacle]
        if not idle or not self._has_work():
            return False
        present = self._readers()
        taken = [
            self._database.run(lambda conn, station=station: self._next(conn, station))  # type: ignore[misc]
            for station in idle
            if station.reader in present
        ]
        return any(taken)

    def _has_work(self) -> bool:
        """Whether it is worth to lock the floor."""
        with self._database.read() as conn:
            if shelves.batches(conn, state=BatchState.OPEN, limit=1):
                return True
            return any(not each.is_alive(self._clock.now()) for each in shelves.stations(conn))

    def _next(self, conn: sa.Connection, station: Station) -> bool:
        # One after the other over all replicas: nobody takes what somebody else is about to take.
        lock(conn, "cardperso-floor")
        now = self._clock.now()
        current = shelves.station(conn, station.name)
        busy = shelves.job_at(conn, self.host, station.reader)
        if busy or current.host != self.host or current.obstacle or not current.is_alive(now):
            return False
        orphan = shelves.orphan(conn, station.location, now)
        if orphan:
            job = self._store.job(conn, orphan)
            moved = replace(job, station=self.host, station_name=station.name, reader=station.reader)
            if job.chip_uid and job.state is State.WRITING:
                begun = f"chip {job.chip_uid} was begun at {job.station_name}"
                moved = moved.waiting(f"{TAKEN_OVER}: {begun}; lay it on {moved.reader}.")
            self._store.save(conn, moved, now)
            return True
        for batch in shelves.batches(conn, state=BatchState.OPEN, location=station.location, limit=100):
            tally = shelves.tally(conn, batch.batch_id)
            if tally.made + tally.under_way < batch.quantity:
                self._store.add(conn, self._job(batch, station, now))
                return True
        return False

    def _job(self, batch: Batch, station: Station, now: dt.datetime) -> Job:
        return Job(
            job_id=str(uuid.uuid4()),
            state=State.PENDING,
            region=batch.region,
            location=batch.location,
            station=self.host,
            reader=station.reader,
            issue_date=local_day(now, batch.region),
            create_time=now,
            update_time=now,
            operator=batch.operator,
            batch_id=batch.batch_id,
            station_name=station.name,
        )


def settle(conn: sa.Connection, job: Job) -> None:
    """What a job that has just ended means for its batch and its station, in the same transaction."""
    if not job.batch_id:
        return
    lock(conn, "cardperso-floor")
    batch = shelves.batch(conn, job.batch_id)
    reason = f"{job.reason} (job {job.job_id})"
    if job.state is State.FAILED and batch.state in (BatchState.OPEN, BatchState.PAUSED):
        if job.reason.startswith("QUEUE_EMPTY"):
            shelves.save_batch(conn, batch.to(BatchState.DONE, job.reason))
        elif job.reason.startswith(_AT_THE_STATION):
            _pause(conn, job.station_name, reason)
        else:
            shelves.save_batch(conn, batch.to(BatchState.PAUSED, reason))
    elif job.state is State.SPOILED:
        latest = shelves.last_states(conn, job.station_name, _SPOILED_IN_A_ROW)
        if list(latest) == [State.SPOILED] * _SPOILED_IN_A_ROW:
            told = f"SPOILED_IN_A_ROW: {_SPOILED_IN_A_ROW} blanks, the last one with {reason}"
            _pause(conn, job.station_name, told)
    elif batch.state is BatchState.OPEN:
        tally = shelves.tally(conn, batch.batch_id)
        if tally.made >= batch.quantity:
            shelves.save_batch(conn, batch.to(BatchState.DONE))


def _pause(conn: sa.Connection, name: str, reason: str) -> None:
    """Let a station take no more cards, unless it has been given another name meanwhile."""
    found = [station for station in shelves.stations(conn) if station.name == name]
    for station in found:
        shelves.save_station(conn, station.with_pause(reason))
