"""The gallery of this replica: everybody's codes in memory, everybody's fingers within reach.

The database is the truth. The gallery follows its change log by sequence number, and is sealed on disk now
and then, so that a start need not encode everybody again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import sqlalchemy as sa

from services.abis.finger import Finger
from services.abis.references import References
from services.abis.search import cascade, path
from services.abis.search.index import SearchIndex, mark_of
from services.abis.search.verification import Found
from services.abis.store import Change, Store
from services.common import logs

_TOGETHER = 64
"""Changes that are encoded side by side."""
_RECENT = 10_000
"""Insertions that are remembered, for decisions that search what came in lately."""

_log = logs.get_logger()


@dataclass(frozen=True)
class SearchResult:
    """Candidates of a search, best first; how many subjects were searched; the sequence number it covers."""

    candidates: tuple[Found, ...]
    compared: int
    sequence: int


class Gallery:
    """All enrolled subjects. Searches run in any thread, also while changes are applied."""

    def __init__(self, index: SearchIndex, references: References) -> None:
        self._index = index
        self._references = references
        self._recent: deque[tuple[int, str]] = deque(maxlen=_RECENT)
        self._lock = threading.Lock()

    def restore(self) -> None:
        """Open what the last run left, as far as it is of use."""
        self._index.restore()
        _log.info(
            "search_index", kernel=path.available()[0], to=self._index.sequence, writes=self._index.writable
        )
        if self._index.discarded:
            _log.warning("search_index_discarded", why=self._index.discarded)

    @property
    def sequence(self) -> int:
        """Number of the last change that searches see."""
        return self._index.sequence

    def counts(self) -> tuple[int, int]:
        """Subjects, and fingers of theirs, that a search can find."""
        return self._index.persons(), self._index.fingers()

    def persons(self) -> int:
        """Subjects that a search can find."""
        return self._index.persons()

    def holds(self, subject_id: str) -> bool:
        """Whether the subject can be found."""
        return self._index.holds(subject_id)

    def agrees_with(self, conn: sa.Connection, store: Store) -> bool:
        """Whether what the index followed is the beginning of the database's history.

        It is not where the database came back from a backup, or is another one.
        """
        sequence = self._index.sequence
        subject = store.subject_changed_at(conn, sequence)
        return not sequence or (subject is not None and mark_of(subject, sequence) == self._index.mark)

    def reset(self) -> None:
        """Forget everybody, to follow from the beginning."""
        self._index.reset()
        with self._lock:
            self._recent.clear()

    @property
    def overdue(self) -> bool:
        """Whether enough has changed to be worth sealing."""
        return self._index.overdue

    def apply(self, changes: Iterable[Change], *, write: bool = False) -> None:
        """Follow changes that were committed, in their order. write: seal on the way what has become much."""
        remaining = iter(changes)
        while batch := list(islice(remaining, _TOGETHER)):
            encoded = self._index.map(lambda one: self._index.encoded(one.fingers or ()), batch)
            for one, codes in zip(batch, encoded, strict=True):
                if one.fingers is None:
                    self._index.delete(one.subject_id, one.sequence)
                    self._references.forget(one.subject_id)
                else:
                    self._index.insert_codes(one.subject_id, codes, one.sequence)
                    self._references.put(one.subject_id, one.fingers)
                    with self._lock:
                        self._recent.append((one.sequence, one.subject_id))
            if write and self._index.overdue:
                self.write()

    def write(self) -> None:
        """Seal on disk what is new. A full disk is no reason to stop."""
        try:
            self._index.checkpoint()
        except OSError as error:
            _log.warning("search_index_not_written", error=str(error))

    def search(self, fingers: Sequence[Finger], most: int) -> SearchResult:
        """The best `most` candidates among all subjects."""
        sequence = self._index.sequence
        found = cascade.search(self._index, fingers, self._references.get)
        return SearchResult(tuple(found[:most]), self._index.persons(), sequence)

    def search_since(
        self, fingers: Sequence[Finger], most: int, after: int, conn: sa.Connection
    ) -> tuple[Found, ...]:
        """The best `most` candidates among the subjects inserted after a sequence number, exactly; where
        they are very many, among all subjects. References are read within the given transaction.
        """
        read = partial(self._references.get, conn=conn)
        with self._lock:
            recent = [name for sequence, name in self._recent if sequence > after]
            complete = len(self._recent) < _RECENT or self._recent[0][0] <= after
        if not complete or len(recent) * len(fingers) > cascade.EXACT:
            return tuple(cascade.search(self._index, fingers, read)[:most])
        # They are few, so a single finger is looked for under all positions at once.
        anywhere = len(fingers) == 1
        found = cascade.confirm(self._index, fingers, recent, read, alone=True, anywhere=anywhere)
        return tuple(found[:most])

    def close(self) -> None:
        """Seal what is new and end the search threads."""
        self.write()
        self._index.close()
