"""1:N and 1:1 over a gallery that first catches up with every committed change, of this and of other
replicas.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import sqlalchemy as sa

from services.abis.finger import Finger
from services.abis.gallery import Gallery, SearchResult
from services.abis.references import References
from services.abis.search import verification
from services.abis.search.verification import Found
from services.abis.store import Store
from services.common import logs
from services.common.db import Database
from services.common.errors import DataLoss

_log = logs.get_logger()
_WRITE_EVERY = 300.0
"""Seconds after which changes are sealed on disk though they are few."""
_LOOK_EVERY = 1.0


class Identification:
    """The gallery of this replica, kept level with the database."""

    def __init__(self, database: Database, store: Store, gallery: Gallery, references: References) -> None:
        self._database = database
        self._store = store
        self._gallery = gallery
        self._references = references
        self._following = threading.Lock()

    @property
    def gallery(self) -> Gallery:
        """The gallery itself, as far as it has followed."""
        return self._gallery

    def persons(self) -> int:
        """How many people there are by everything committed, of this and of other replicas."""
        self.follow()
        return self._gallery.persons()

    def start(self) -> None:
        """Make what the index brought from disk level with the database, or begin anew where it is not of
        this database.
        """
        with self._database.read() as conn:
            if not self._gallery.agrees_with(conn, self._store):
                _log.warning("search_index_of_another_history", sequence=self._gallery.sequence)
                self._gallery.reset()
            self._apply(conn, write=True)
            if self._gallery.persons() != self._store.count(conn):
                _log.warning("search_index_incomplete", subjects=self._gallery.persons())
                self._gallery.reset()
                self._apply(conn, write=True)
        self._gallery.write()

    def follow(self, conn: sa.Connection | None = None) -> None:
        """Bring the gallery up to what is committed; within the given transaction, before it writes."""
        if conn is None:
            with self._database.read() as fresh:
                self.follow(fresh)
            return
        # Not written here: the transaction may hold the lock for which everybody waits.
        self._apply(conn, write=False)

    def _apply(self, conn: sa.Connection, *, write: bool) -> None:
        with self._following:
            self._gallery.apply(self._store.changes(conn, self._gallery.sequence), write=write)

    def keep_written(self, stop: threading.Event) -> None:
        """Seal the index now and then, and whenever much has changed, until told to stop."""
        seconds = 0.0
        while not stop.wait(_LOOK_EVERY):
            seconds += _LOOK_EVERY
            if self._gallery.overdue or seconds >= _WRITE_EVERY:
                self._gallery.write()
                seconds = 0.0

    def identify(self, fingers: Sequence[Finger], most: int) -> SearchResult:
        """The best candidates among all subjects committed when the search began."""
        self.follow()
        return self._gallery.search(fingers, most)

    def verify(self, fingers: Sequence[Finger], subject_id: str) -> Found | None:
        """Compare with one subject, position by position; None where no finger position is shared. NotFound
        where it is not enrolled, DataLoss where what is stored of it is damaged.
        """
        with self._database.read() as conn:
            known = self._store.get(conn, subject_id)
            (enrolled,) = self._references.get([subject_id], None, conn)
        if len(enrolled) < len(known.positions):
            raise DataLoss(
                "REFERENCE_DAMAGED",
                f"Of the {len(known.positions)} fingers of subject {subject_id} {len(enrolled)} can be read.",
                field="subject_id",
                remedy="Restore its rows of finger_reference from a backup, or delete and enrol it again.",
            )
        found = verification.declared(fingers, subject_id, enrolled)
        return found if found.fused.fingers else None
