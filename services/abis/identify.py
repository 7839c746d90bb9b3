"""1:N and 1:1 over a gallery that first catches up with every committed change, of this and of other
replicas.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import sqlalchemy as sa

from services.abis.finger import Finger
from services.abis.gallery import Candidate, Gallery, SearchResult
from services.abis.store import Store
from services.common.db import Database
from services.common.errors import NotFound


class Identification:
    """The gallery of this replica, kept level with the database."""

    def __init__(self, database: Database, store: Store, gallery: Gallery) -> None:
        self._database = database
        self._store = store
        self._gallery = gallery
        self._following = threading.Lock()

    @property
    def gallery(self) -> Gallery:
        """The gallery itself, as far as it has followed."""
        return self._gallery

    def follow(self, conn: sa.Connection | None = None) -> None:
        """Bring the gallery up to what is committed; within the given transaction, before it writes."""
        if conn is None:
            with self._database.read() as fresh:
                self.follow(fresh)
            return
        with self._following:
            for change in self._store.changes(conn, self._gallery.sequence):
                if change.fingers is None:
                    self._gallery.delete(change.subject_id, change.sequence)
                else:
                    self._gallery.insert(change.subject_id, change.fingers, change.sequence)

    def identify(self, fingers: Sequence[Finger], most: int) -> SearchResult:
        """The best candidates among all subjects committed when the search began."""
        self.follow()
        return self._gallery.search(fingers, most)

    def verify(self, fingers: Sequence[Finger], subject_id: str) -> Candidate | None:
        """Compare with one subject; None where no finger position is shared. NotFound where it is not
        enrolled.
        """
        self.follow()
        if not self._gallery.holds(subject_id):
            with self._database.read() as conn:
                self._store.get(conn, subject_id)
            # Enrolled between the two looks: the next attempt sees it.
            raise NotFound(
                "SUBJECT_NOT_FOUND",
                f"No subject {subject_id} is enrolled.",
                field="subject_id",
                remedy="Try again.",
            )
        return self._gallery.compare(fingers, subject_id)
