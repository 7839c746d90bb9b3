"""Search and insert as one decision.

The long search runs before the transaction, against everything committed so far. Inside the transaction,
under the gallery's lock, only what was inserted meanwhile is searched; then the decision falls and, unless
the person is there already, the subject is inserted. So of two simultaneous submissions of one person, at
whichever replicas, the second to get the lock meets the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from services.abis.finger import Finger
from services.abis.fusion import Decision
from services.abis.gallery import SearchResult
from services.abis.identify import Identification
from services.abis.search.verification import Found
from services.abis.store import Store, Subject
from services.abis.thresholds import Policy

CANDIDATES = 10
"""How many candidates a decision carries."""
_NEAR = 0.0
"""Candidates below this score speak against the same person and are left out."""


@dataclass(frozen=True)
class Verdict:
    """A decision with the candidates that came near, best first, and how many subjects were compared."""

    decision: Decision
    candidates: tuple[Found, ...]
    compared: int


class Deduplication:
    """Decides whether a subject is in the gallery, and inserts it unless it is."""

    def __init__(self, identification: Identification, store: Store, policy: Policy) -> None:
        self._identification = identification
        self._store = store
        self.policy = policy

    def search(self, fingers: Sequence[Finger]) -> SearchResult:
        """The long search, outside of any transaction; its result goes to `decide`."""
        return self._identification.identify(fingers, CANDIDATES)

    def identify(self, fingers: Sequence[Finger], most: int) -> SearchResult:
        """A search for its own sake; nothing is decided, nobody inserted."""
        return self._identification.identify(fingers, most)

    def identified(self, conn: sa.Connection) -> None:
        """Called before the answer of such a search is given, under the gallery's lock."""

    def before_enrolling(self) -> None:
        """Called before somebody is inserted without a search, outside of any transaction."""

    def enrol(self, conn: sa.Connection, subject_id: str, fingers: Sequence[Finger], at: datetime) -> Subject:
        """Insert without a search; AlreadyExists where the id is taken. Needs the gallery's lock."""
        return self._store.insert(conn, subject_id, fingers, at)

    def decide(
        self,
        conn: sa.Connection,
        subject_id: str,
        fingers: Sequence[Finger],
        before: SearchResult,
        at: datetime,
    ) -> Verdict:
        """Search what came in after `before`, decide, insert unless it is a duplicate; AlreadyExists where
        the id is taken. Needs the gallery's lock.
        """
        # Before anything else: whoever is there already would be found as a duplicate of itself.
        self._store.require_new(conn, subject_id)
        self._identification.follow(conn)
        gallery = self._identification.gallery
        since = gallery.search_since(fingers, CANDIDATES, before.sequence, conn)
        known = {one.subject_id: one for one in (*before.candidates, *since)}
        candidates = [one for one in known.values() if gallery.holds(one.subject_id)]
        candidates.sort(key=lambda candidate: -candidate.fused.score)
        best = candidates[0].fused.score if candidates else None
        compared = gallery.persons()
        decision = self.policy.at(compared, len(fingers)).decide(best)
        if decision is not Decision.DUPLICATE:
            self._store.insert(conn, subject_id, fingers, at)
        near = tuple(c for c in candidates if c.fused.score > _NEAR)[:CANDIDATES]
        return Verdict(decision, near, compared)
