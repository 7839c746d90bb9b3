"""Stations and batches in the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from services.cardperso.job import OPEN, State
from services.cardperso.production.batch import Batch, BatchState, Tally
from services.cardperso.production.batch import unknown as unknown_batch
from services.cardperso.production.station import Printer, Station
from services.cardperso.production.station import unknown as unknown_station
from services.cardperso.tables import BATCHES, JOBS, STATIONS

_LOST = (State.SPOILED, State.FAILED, State.VOID)
_OPEN = [state.value for state in OPEN]


def save_station(conn: sa.Connection, station: Station) -> None:
    """Store a station, in place of the one of its name."""
    conn.execute(sa.delete(STATIONS).where(STATIONS.c.name == station.name))
    conn.execute(sa.insert(STATIONS).values(asdict(station)))


def move_station(conn: sa.Connection, station: Station) -> None:
    """Store a station, and free its reader from any other one."""
    at = (STATIONS.c.host == station.host, STATIONS.c.reader == station.reader)
    conn.execute(sa.delete(STATIONS).where(*at))
    save_station(conn, station)


def station(conn: sa.Connection, name: str) -> Station:
    """Read a station.

    Raises:
        NotFound: there is none of this name.
    """
    row = conn.execute(sa.select(STATIONS).where(STATIONS.c.name == name)).first()
    if row is None:
        raise unknown_station(name)
    return _station(row)


def stations(conn: sa.Connection, *, host: str = "", location: str = "") -> list[Station]:
    """Stations by name, of one host or location."""
    query = sa.select(STATIONS).order_by(STATIONS.c.name)
    if host:
        query = query.where(STATIONS.c.host == host)
    if location:
        query = query.where(STATIONS.c.location == location)
    return [_station(row) for row in conn.execute(query)]


def prolong(conn: sa.Connection, host: str, until: dt.datetime) -> None:
    """Prolong the leases of a host."""
    conn.execute(sa.update(STATIONS).where(STATIONS.c.host == host).values(lease_time=until))


def add_batch(conn: sa.Connection, batch: Batch) -> None:
    """Store a new batch."""
    row = asdict(batch)
    del row["entry"]
    conn.execute(sa.insert(BATCHES).values(row))


def save_batch(conn: sa.Connection, batch: Batch) -> None:
    """Store a changed batch."""
    conn.execute(
        sa.update(BATCHES)
        .where(BATCHES.c.batch_id == batch.batch_id)
        .values(state=batch.state.value, reason=batch.reason)
    )


def batch(conn: sa.Connection, batch_id: str) -> Batch:
    """Read a batch.

    Raises:
        NotFound: there is none with this id.
    """
    row = conn.execute(sa.select(BATCHES).where(BATCHES.c.batch_id == batch_id.lower())).first()
    if row is None:
        raise unknown_batch(batch_id)
    return _batch(row)


def batches(
    conn: sa.Connection, *, state: BatchState | None = None, location: str = "", after: int = 0, limit: int
) -> list[Batch]:
    """Batches in order of creation, behind entry `after`."""
    query = sa.select(BATCHES).where(BATCHES.c.entry > after).order_by(BATCHES.c.entry).limit(limit)
    if state is not None:
        query = query.where(BATCHES.c.state == state.value)
    if location:
        query = query.where(BATCHES.c.location == location)
    return [_batch(row) for row in conn.execute(query)]


def tally(conn: sa.Connection, batch_id: str) -> Tally:
    """Count the cards of a batch."""
    query = sa.select(JOBS.c.state, sa.func.count()).where(JOBS.c.batch_id == batch_id).group_by(JOBS.c.state)
    made = under_way = spoiled = 0
    for state, count in conn.execute(query):
        if state in _OPEN:
            under_way += count
        elif state not in _LOST:
            made += count
        elif state != State.FAILED:
            spoiled += count
    return Tally(made, under_way, spoiled)


def last_states(conn: sa.Connection, station_name: str, count: int) -> Sequence[str]:
    """States of the latest jobs of a station, the latest first."""
    query = (
        sa.select(JOBS.c.state)
        .where(JOBS.c.station_name == station_name)
        .order_by(JOBS.c.entry.desc())
        .limit(count)
    )
    return list(conn.scalars(query))


def job_at(conn: sa.Connection, host: str, reader: str) -> str:
    """The oldest open job of a reader; empty where it is free. A printed card that waits for people has left
    the reader.
    """
    gone = sa.and_(
        JOBS.c.state == State.VERIFIED.value, JOBS.c.sent, sa.not_(JOBS.c.consumed), JOBS.c.outcome.is_(None)
    )
    query = (
        sa.select(JOBS.c.job_id)
        .where(JOBS.c.station == host, JOBS.c.reader == reader, JOBS.c.state.in_(_OPEN), sa.not_(gone))
        .order_by(JOBS.c.entry)
        .limit(1)
    )
    return conn.scalar(query) or ""


def orphan(conn: sa.Connection, location: str, now: dt.datetime) -> str:
    """The oldest open job at a location whose station's lease has lapsed; empty where there is none."""
    query = (
        sa.select(JOBS.c.job_id)
        .join(STATIONS, STATIONS.c.name == JOBS.c.station_name)
        .where(
            STATIONS.c.lease_time <= now,
            JOBS.c.location == location,
            JOBS.c.station == STATIONS.c.host,
            JOBS.c.state.in_(_OPEN),
        )
        .order_by(JOBS.c.entry)
        .limit(1)
    )
    return conn.scalar(query) or ""


def _station(row: sa.Row[Any]) -> Station:
    values = {field.name: getattr(row, field.name) for field in fields(Station)}
    return Station(**values | {"printer_state": Printer(row.printer_state)})


def _batch(row: sa.Row[Any]) -> Batch:
    values = {field.name: getattr(row, field.name) for field in fields(Batch)}
    return Batch(**values | {"state": BatchState(row.state)})
