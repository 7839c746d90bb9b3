"""Followers of the history: each gets every event in order, from where it left off, until it hangs up.

A follower keeps a thread of the server for as long as it listens, so their number is bounded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.common.bell import Bell
from services.common.db import Database
from services.common.errors import ResourceExhausted, Unavailable
from services.enroll.record import Event
from services.enroll.store import Store

_BATCH = 500


class Feed:
    """The events of all records, as they are committed by this process or any other."""

    def __init__(
        self, db: Database, store: Store, bell: Bell, *, max_followers: int, poll_seconds: float
    ) -> None:
        self._db = db
        self._store = store
        self._bell = bell
        self._poll_seconds = poll_seconds
        self._max_followers = max_followers
        self._places = threading.BoundedSemaphore(max_followers)
        self._closed = threading.Event()

    def follow(self, after: int, region: str, is_active: Callable[[], bool]) -> Iterator[Event]:
        """Yields the events after a sequence number, then those that come.

        Args:
            after: Sequence number that the follower has seen.
            region: Regency; empty for all.
            is_active: Whether the follower still listens. Whoever hangs up should ring the bell, too.

        Raises:
            ResourceExhausted: ``TOO_MANY_FOLLOWERS``.
            Unavailable: ``DRAINING``: the server stops.
        """
        with self._place():
            while is_active():
                seen = self._bell.rings
                if self._closed.is_set():
                    raise Unavailable(
                        "DRAINING",
                        "The service is stopping.",
                        remedy="Call again with the sequence number of the last event received.",
                    )
                with self._db.read() as conn:
                    events = self._store.events_after(conn, after, region, _BATCH)
                for event in events:
                    yield event
                    after = event.sequence
                if not events:
                    self._bell.wait(seen, self._poll_seconds)

    def close_with(self, stop: threading.Event) -> None:
        """Waits until told to stop, then sends every follower away."""
        stop.wait()
        self._closed.set()
        self._bell.ring()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise ResourceExhausted(
                "TOO_MANY_FOLLOWERS",
                f"{self._max_followers} callers follow the history already.",
                remedy="Let one program follow and share what it gets, or raise TUNGGAL_MAX_FOLLOWERS.",
            )
        try:
            yield
        finally:
            self._places.release()
