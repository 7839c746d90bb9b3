"""The enrolled fingers that searches compare in full: read from the store, the last ones kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from services.abis.finger import Finger
from services.abis.store import Store
from services.common.db import Database

_KEPT = 5_000
"""Fingers kept in memory, about 15 kB each: all of a small gallery, the busiest few of a large one."""


class References:
    """Fingers by subject, opened when somebody asks. Any method may be called from any thread."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Finger, ...]] = OrderedDict()
        self._size = 0
        self._forgotten = 0

    def put(self, subject_id: str, fingers: Sequence[Finger], *, unless_after: int | None = None) -> None:
        """Keep the fingers of a subject for searches to come.

        unless_after: number of deletions when they were read; if there were more since, they are not kept.
        """
        with self._lock:
            if unless_after not in (None, self._forgotten):
                return
            self._drop(subject_id)
            self._kept[subject_id] = tuple(fingers)
            self._size += len(fingers)
            while self._size > _KEPT:
                self._drop(next(iter(self._kept)))

    def forget(self, subject_id: str) -> None:
        """A subject was deleted."""
        with self._lock:
            self._drop(subject_id)
            self._forgotten += 1

    def get(
        self,
        subject_ids: Sequence[str],
        positions: Collection[int] | None = None,
        conn: sa.Connection | None = None,
    ) -> list[Sequence[Finger]]:
        """Fingers of each subject, of the given positions (None: of all); none where it is not enrolled.

        conn: a transaction to read in; one of its own if None.
        """
        with self._lock:
            forgotten = self._forgotten
            known = {name: self._kept[name] for name in subject_ids if name in self._kept}
            for name in known:
                self._kept.move_to_end(name)
        missing = [name for name in subject_ids if name not in known]
        found: dict[str, list[Finger]] = {}
        if missing and conn is not None:
            found = self._store.references(conn, missing, positions)
        elif missing:
            with self._database.read() as fresh:
                found = self._store.references(fresh, missing, positions)
        # Fingers of some positions only are no use to the next search.
        if positions is None:
            for name, fingers in found.items():
                self.put(name, fingers, unless_after=forgotten)
        wanted: list[Sequence[Finger]] = [known.get(name, found.get(name, ())) for name in subject_ids]
        if positions is None:
            return wanted
        return [[finger for finger in fingers if finger.position in positions] for fingers in wanted]

    def _drop(self, subject_id: str) -> None:
        self._size -= len(self._kept.pop(subject_id, ()))
