"""Wakes the threads that wait for jobs to change."""

from __future__ import annotations

import threading


class Bell:
    """Rung after each commit. Take `rings` before looking at the database: no ring is then missed."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it was rung."""
        with self._condition:
            return self._rings

    def ring(self) -> None:
        """Wake everybody."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Wait for a ring after the `seen`-th, at most so long."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != seen, timeout=seconds)
