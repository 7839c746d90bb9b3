"""What the ABIS keeps: subjects, sealed references, and the order in which the gallery changed.

Every change is made under one lock (`LOCK`), so sequence numbers have the order of the commits: who has seen
number n has missed nothing before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.abis.finger import Finger
from services.abis.fingerprint.template import Template
from services.abis.tables import change, reference, subject
from services.common import db, logs
from services.common.crypto import KeyRing
from services.common.errors import AlreadyExists, DataLoss, NotFound

LOCK = "abis-gallery"
_BATCH = 500

_log = logs.get_logger()


@dataclass(frozen=True)
class Subject:
    """An enrolled subject. positions: of its fingers, in order of submission; sequence: of its insertion."""

    subject_id: str
    positions: tuple[int, ...]
    create_time: datetime
    sequence: int


@dataclass(frozen=True)
class Change:
    """One change of the gallery; fingers is None for a deletion (or an insertion that was deleted since)."""

    sequence: int
    subject_id: str
    fingers: tuple[Finger, ...] | None


class Store:
    """The tables of the ABIS behind one connection at a time."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._damaged: set[tuple[str, int]] = set()

    @property
    def damaged(self) -> int:
        """Fingers found so far that cannot be opened any more: nobody can be found by them."""
        return len(self._damaged)

    def lock(self, conn: sa.Connection) -> None:
        """Wait for the right to change the gallery, until the end of the transaction."""
        db.lock(conn, LOCK)

    def require_new(self, conn: sa.Connection, subject_id: str) -> None:
        """AlreadyExists where a subject of that id is enrolled."""
        if conn.execute(sa.select(subject.c.sequence).where(subject.c.subject_id == subject_id)).first():
            raise AlreadyExists(
                "SUBJECT_EXISTS",
                f"The subject {subject_id} is enrolled already.",
                field="subject_id",
                remedy="Choose a new id for a new subject; delete the old one before enrolling it again.",
            )

    def insert(
        self, conn: sa.Connection, subject_id: str, fingers: Sequence[Finger], at: datetime
    ) -> Subject:
        """Add a subject; AlreadyExists where its id is taken. Needs the lock."""
        self.require_new(conn, subject_id)
        sequence = self._append(conn, subject_id, inserted=True)
        conn.execute(sa.insert(subject).values(subject_id=subject_id, create_time=at, sequence=sequence))
        rows = []
        for ordinal, finger in enumerate(fingers):
            sealed = self._keys.seal(finger.template.to_bytes(), _row_name(subject_id, ordinal))
            rows.append(
                {
                    "subject_id": subject_id,
                    "ordinal": ordinal,
                    "position": finger.position,
                    "key_id": sealed.key_id,
                    "template": sealed.blob,
                }
            )
        conn.execute(sa.insert(reference), rows)
        return Subject(subject_id, tuple(finger.position for finger in fingers), at, sequence)

    def delete(self, conn: sa.Connection, subject_id: str) -> None:
        """Remove a subject and its references; NotFound where there is none. Needs the lock."""
        self.get(conn, subject_id)
        conn.execute(sa.delete(reference).where(reference.c.subject_id == subject_id))
        conn.execute(sa.delete(subject).where(subject.c.subject_id == subject_id))
        self._append(conn, subject_id, inserted=False)
        self._damaged -= {row for row in self._damaged if row[0] == subject_id}

    def get(self, conn: sa.Connection, subject_id: str) -> Subject:
        """One subject; NotFound where there is none."""
        row = conn.execute(sa.select(subject).where(subject.c.subject_id == subject_id)).first()
        if row is None:
            raise NotFound(
                "SUBJECT_NOT_FOUND",
                f"No subject {subject_id} is enrolled.",
                field="subject_id",
                remedy="Check the id; a duplicate was never enrolled.",
            )
        return self._with_positions(conn, [row])[0]

    def page(self, conn: sa.Connection, after: int, size: int) -> list[Subject]:
        """Subjects in order of insertion, after a sequence number."""
        query = sa.select(subject).where(subject.c.sequence > after).order_by(subject.c.sequence).limit(size)
        return self._with_positions(conn, list(conn.execute(query)))

    def changes(self, conn: sa.Connection, after: int) -> Iterator[Change]:
        """Changes after a sequence number, in order, with the fingers of subjects that are still there.

        A finger that cannot be opened any more is left out and told of in the log: one damaged row must not
        stop the searches for everybody else.
        """
        while True:
            query = (
                sa.select(change).where(change.c.sequence > after).order_by(change.c.sequence).limit(_BATCH)
            )
            rows = list(conn.execute(query))
            if not rows:
                return
            fingers = self._fingers(conn, after, rows[-1].sequence)
            for row in rows:
                known = fingers.get(row.sequence) if row.inserted else None
                yield Change(row.sequence, row.subject_id, known)
            after = rows[-1].sequence

    def subject_changed_at(self, conn: sa.Connection, sequence: int) -> str | None:
        """Whose insertion or deletion a sequence number is; None where there is no such change."""
        return conn.execute(
            sa.select(change.c.subject_id).where(change.c.sequence == sequence)
        ).scalar_one_or_none()

    def count(self, conn: sa.Connection) -> int:
        """How many subjects are enrolled."""
        return int(conn.execute(sa.select(sa.func.count()).select_from(subject)).scalar_one())

    def references(
        self, conn: sa.Connection, subject_ids: Sequence[str], positions: Collection[int] | None
    ) -> dict[str, list[Finger]]:
        """Fingers of some subjects, of the given positions (None: of all), in order of submission; without
        those that cannot be opened any more.
        """
        out: dict[str, list[Finger]] = {}
        for start in range(0, len(subject_ids), _BATCH):
            query = (
                sa.select(reference)
                .where(reference.c.subject_id.in_(subject_ids[start : start + _BATCH]))
                .order_by(reference.c.subject_id, reference.c.ordinal)
            )
            if positions is not None:
                query = query.where(reference.c.position.in_(sorted(positions)))
            for row in conn.execute(query):
                out.setdefault(row.subject_id, []).extend(self._opened(row))
        return out

    def _append(self, conn: sa.Connection, subject_id: str, *, inserted: bool) -> int:
        last = conn.execute(sa.select(sa.func.max(change.c.sequence))).scalar() or 0
        conn.execute(sa.insert(change).values(sequence=last + 1, subject_id=subject_id, inserted=inserted))
        return int(last) + 1

    def _fingers(self, conn: sa.Connection, after: int, until: int) -> dict[int, tuple[Finger, ...]]:
        """Fingers of the subjects inserted within (after, until], by sequence number."""
        query = (
            sa.select(subject.c.sequence, reference)
            .join(reference, reference.c.subject_id == subject.c.subject_id)
            .where(subject.c.sequence > after, subject.c.sequence <= until)
            .order_by(subject.c.sequence, reference.c.ordinal)
        )
        out: dict[int, list[Finger]] = {}
        for row in conn.execute(query):
            out.setdefault(row.sequence, []).extend(self._opened(row))
        return {sequence: tuple(fingers) for sequence, fingers in out.items()}

    def _opened(self, row: sa.Row[Any]) -> list[Finger]:
        """The finger of a row; none where it is damaged. DataLoss where its key is missing: then all rows are
        unreadable, and the keyring is at fault.
        """
        try:
            plain = self._keys.open(row.key_id, bytes(row.template), _row_name(row.subject_id, row.ordinal))
            return [Finger(row.position, Template.from_bytes(plain))]
        except DataLoss as error:
            if error.reason == "KEY_MISSING":
                raise
            if (row.subject_id, row.ordinal) not in self._damaged:
                self._damaged.add((row.subject_id, row.ordinal))
                _log.error("reference_damaged", subject=row.subject_id, ordinal=row.ordinal, why=error.reason)
            return []

    def _with_positions(
        self, conn: sa.Connection, rows: Sequence[sa.Row[tuple[object, ...]]]
    ) -> list[Subject]:
        ids = [row.subject_id for row in rows]
        query = (
            sa.select(reference.c.subject_id, reference.c.position)
            .where(reference.c.subject_id.in_(ids))
            .order_by(reference.c.subject_id, reference.c.ordinal)
        )
        positions: dict[str, list[int]] = {}
        for found in conn.execute(query):
            positions.setdefault(found.subject_id, []).append(found.position)
        return [
            Subject(row.subject_id, tuple(positions.get(row.subject_id, ())), row.create_time, row.sequence)
            for row in rows
        ]


def _row_name(subject_id: str, ordinal: int) -> bytes:
    """What a sealed template is bound to, so that rows cannot be exchanged unnoticed."""
    return f"finger_reference/{subject_id}/{ordinal}".encode()
