"""Records and their history in the database: every change of state and its event in one transaction.

Numbers of arrivals and events come from rows that stay locked until the commit (:data:`tables.COUNTERS`),
so both series grow in the order of commits, on SQLite as on PostgreSQL: whoever reads up to number n misses
nothing below it.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from services.common.crypto import KeyRing, Sealed
from services.common.errors import Aborted, NotFound
from services.enroll.record import Event, Record, Status, require_transition
from services.enroll.tables import COUNTERS, EVENTS, NIK_HOLDERS, RECORDS


class Stage(NamedTuple):
    """Records in one status: how many, and since when the one that waits longest stands there."""

    status: Status
    records: int
    oldest_time: datetime


class Store:
    """The records. Every method works in the transaction of the connection that it is given."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def insert(
        self, conn: sa.Connection, *, nik: str, region: str, biodata: bytes, actor: str, at: datetime
    ) -> Record:
        """Makes a record at the end of the order of arrival."""
        record_id = str(uuid.uuid4())
        sealed = self._keys.seal(biodata, _bound_to(record_id))
        row = {
            "record_id": record_id,
            "arrival_number": next_number(conn, "arrival"),
            "nik": nik,
            "region": region,
            "biodata_key": sealed.key_id,
            "biodata": sealed.blob,
            "status": int(Status.BIO_CAPTURED),
            "status_time": at,
            "create_time": at,
            "reason": "",
            "attempts": 0,
            "faults": 0,
            "matching_record_id": "",
            "match_score": 0.0,
        }
        conn.execute(sa.insert(RECORDS).values(row))
        record = self.get(conn, record_id)
        append_event(conn, record, actor, at)
        return record

    def get(self, conn: sa.Connection, record_id: str) -> Record:
        """Reads a record.

        Raises:
            NotFound: ``RECORD_UNKNOWN``.
        """
        return self._one(conn, sa.select(RECORDS).where(RECORDS.c.record_id == record_id), record_id)

    def lock(self, conn: sa.Connection, record_id: str) -> Record:
        """Reads a record and keeps others from changing it until the end of the transaction.

        Raises:
            NotFound: ``RECORD_UNKNOWN``.
        """
        query = sa.select(RECORDS).where(RECORDS.c.record_id == record_id).with_for_update()
        return self._one(conn, query, record_id)

    def page(
        self,
        conn: sa.Connection,
        *,
        nik: str = "",
        status: Status | None = None,
        region: str = "",
        after: int = 0,
        limit: int,
    ) -> list[Record]:
        """Reads records in order of arrival, from the one after arrival number ``after`` on."""
        query = sa.select(RECORDS).where(RECORDS.c.arrival_number > after)
        if nik:
            query = query.where(RECORDS.c.nik == nik)
        if status is not None:
            query = query.where(RECORDS.c.status == int(status))
        if region:
            query = query.where(RECORDS.c.region == region)
        return self._all(conn, query.order_by(RECORDS.c.arrival_number).limit(limit))

    def move(
        self,
        conn: sa.Connection,
        record: Record,
        following: Status,
        *,
        actor: str,
        at: datetime,
        reason: str = "",
        keep_lease: bool = False,
        **changes: Any,
    ) -> Record:
        """Takes one step of the status table and books it.

        Args:
            conn: Transaction.
            record: State as read in this transaction.
            following: Status after the step.
            actor: Who takes it.
            at: When.
            reason: Why, ``CODE: sentence``; empty where nothing needs saying.
            keep_lease: Whether the pipeline's worker goes on with the record.
            changes: Further fields of the record (``chip_uid``, ``matching_record_id``, ``match_score``,
                ``attempts`` and ``next_attempt_time`` where it has to wait).

        Raises:
            FailedPrecondition: The step is not in the table.
            Aborted: ``RECORD_CHANGED``: somebody else took a step since ``record`` was read.
        """
        require_transition(record.status, following)
        after: dict[str, Any] = {
            "status": following,
            "status_time": at,
            "reason": reason,
            "attempts": 0,
            "faults": 0,
            "next_attempt_time": None,
            **changes,
        }
        values = {**after, "status": int(following)}
        if not keep_lease:
            values |= {"lease_owner": None, "lease_until": None}
        moved = conn.execute(
            sa.update(RECORDS)
            .where(RECORDS.c.record_id == record.record_id, RECORDS.c.status == int(record.status))
            .values(values)
        )
        if moved.rowcount != 1:
            raise Aborted(
                "RECORD_CHANGED",
                "The record changed at the same moment.",
                remedy="Read it again, then decide.",
            )
        record = replace(record, **after)
        append_event(conn, record, actor, at)
        return record

    def history(self, conn: sa.Connection, record_id: str) -> list[Event]:
        """Reads the events of one record, oldest first."""
        query = sa.select(EVENTS).where(EVENTS.c.record_id == record_id).order_by(EVENTS.c.sequence)
        return [_event(row) for row in conn.execute(query)]

    def events_after(self, conn: sa.Connection, sequence: int, region: str, limit: int) -> list[Event]:
        """Reads the next events of a region (all regions where empty), oldest first."""
        query = sa.select(EVENTS).where(EVENTS.c.sequence > sequence)
        if region:
            query = query.where(EVENTS.c.region == region)
        return [_event(row) for row in conn.execute(query.order_by(EVENTS.c.sequence).limit(limit))]

    def funnel(self, conn: sa.Connection, region: str) -> list[Stage]:
        """Counts records by status, in a region or (where empty) the whole country."""
        query = sa.select(RECORDS.c.status, sa.func.count(), sa.func.min(RECORDS.c.status_time))
        if region:
            query = query.where(RECORDS.c.region == region)
        rows = conn.execute(query.group_by(RECORDS.c.status).order_by(RECORDS.c.status))
        return [Stage(Status(status), count, oldest) for status, count, oldest in rows]

    def hold_nik(self, conn: sa.Connection, record: Record) -> str:
        """Gives the record its NIK unless another live record has it.

        Returns:
            The record that holds the NIK now: this one, or the one that was first.
        """
        holder = {"nik": record.nik, "record_id": record.record_id}
        try:
            # A savepoint, because a refused insert would otherwise end the whole transaction on PostgreSQL.
            # Of two records that come at once the second waits here for the first one's commit.
            with conn.begin_nested():
                conn.execute(sa.insert(NIK_HOLDERS).values(holder))
        except IntegrityError:
            query = sa.select(NIK_HOLDERS.c.record_id).where(NIK_HOLDERS.c.nik == record.nik)
            return str(conn.execute(query).scalar_one())
        return record.record_id

    def biodata(self, record: Record) -> bytes:
        """Decrypts what is known of the person, the serialised message of the contract.

        Raises:
            DataLoss: The key is missing, or the row was changed.
        """
        return self._keys.open(*record.biodata, _bound_to(record.record_id))

    def nik_of(self, conn: sa.Connection, record_id: str) -> str | None:
        """Reads the NIK of a record; None where there is no such record here."""
        query = sa.select(RECORDS.c.nik).where(RECORDS.c.record_id == record_id)
        return conn.execute(query).scalar_one_or_none()

    def _one(self, conn: sa.Connection, query: sa.Select[Any], record_id: str) -> Record:
        records = self._all(conn, query)
        if not records:
            raise NotFound(
                "RECORD_UNKNOWN",
                f"There is no record {record_id}.",
                field="record_id",
                remedy="Use the record_id that SubmitRecord or ListRecords returned.",
            )
        return records[0]

    def _all(self, conn: sa.Connection, query: sa.Select[Any]) -> list[Record]:
        return [record_of(row) for row in conn.execute(query)]


def record_of(row: sa.Row[Any]) -> Record:
    """Makes a record of a row of the table."""
    return Record(
        record_id=row.record_id,
        nik=row.nik,
        region=row.region,
        biodata=Sealed(row.biodata_key, bytes(row.biodata)),
        arrival_number=row.arrival_number,
        status=Status(row.status),
        reason=row.reason,
        attempts=row.attempts,
        faults=row.faults,
        next_attempt_time=row.next_attempt_time,
        matching_record_id=row.matching_record_id,
        match_score=row.match_score,
        chip_uid=row.chip_uid or "",
        create_time=row.create_time,
        status_time=row.status_time,
    )


def next_number(conn: sa.Connection, series: str) -> int:
    """Takes the next number of a series; nobody else gets one before this transaction ends."""
    return int(
        conn.execute(
            sa.update(COUNTERS)
            .where(COUNTERS.c.name == series)
            .values(value=COUNTERS.c.value + 1)
            .returning(COUNTERS.c.value)
        ).scalar_one()
    )


def append_event(conn: sa.Connection, record: Record, actor: str, at: datetime) -> None:
    """Books the state of a record as the newest event of all records."""
    conn.execute(
        sa.insert(EVENTS).values(
            sequence=next_number(conn, "event"),
            record_id=record.record_id,
            region=record.region,
            status=int(record.status),
            reason=record.reason,
            actor=actor,
            event_time=at,
        )
    )


def _event(row: sa.Row[Any]) -> Event:
    return Event(
        sequence=row.sequence,
        record_id=row.record_id,
        status=Status(row.status),
        reason=row.reason,
        actor=row.actor,
        event_time=row.event_time,
    )


def _bound_to(record_id: str) -> bytes:
    return f"{record_id}/biodata".encode()
