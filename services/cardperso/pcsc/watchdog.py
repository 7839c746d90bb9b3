"""Deadlines for calls that have none.

PC/SC has no time-out of its own: a call returns when the card answers, or never. A thread for every call
would cost two hand-overs an APDU; here one thread looks after all calls, and whoever begins a call only notes
until when it may take. What has taken too long is cut off, so that the blocked call returns with an error.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.common.logs import get_logger

_TICK = 0.05
"""Seconds between two looks: how much later than its deadline a call may be cut off."""

_log = get_logger()


class CallTimeoutError(Exception):
    """A call took longer than it may; the line that it went over is of no more use."""


class Leash:
    """What one line has under way; calls on it come one after the other.

    Args:
        cut: makes the call that is under way return; called once, from the watchdog's thread.
    """

    def __init__(self, cut: Callable[[], None]) -> None:
        self.cut = cut
        self.due = math.inf
        self.expired = False

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """A call that may take so long.

        Raises:
            CallTimeoutError: it took longer, or an earlier one did; instead of whatever it raised.
        """
        if self.expired:
            raise CallTimeoutError
        self.due = time.monotonic() + seconds
        try:
            yield
        except Exception:
            if self.expired:
                raise CallTimeoutError from None
            raise
        finally:
            self.due = math.inf
        if self.expired:
            raise CallTimeoutError


class Watchdog:
    """Looks after the leashes that are given to it; its thread sleeps while there are none."""

    def __init__(self) -> None:
        self._leashes: set[Leash] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, leash: Leash) -> None:
        """Look after this one, too."""
        with self._changed:
            self._leashes.add(leash)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="pcsc watchdog", daemon=True)
                self._thread.start()
            self._changed.notify()

    def remove(self, leash: Leash) -> None:
        """Its line is closed."""
        with self._changed:
            self._leashes.discard(leash)

    def _watch(self) -> None:
        while True:
            with self._changed:
                while not self._leashes:
                    self._changed.wait()
                now = time.monotonic()
                late = [leash for leash in self._leashes if leash.due < now and not leash.expired]
            for leash in late:
                leash.expired = True
                try:
                    leash.cut()
                except Exception:
                    _log.exception("pcsc_cut_failed")
            time.sleep(_TICK)


WATCHDOG = Watchdog()
"""The one of this process."""
