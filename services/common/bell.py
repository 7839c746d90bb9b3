"""Wakes threads that wait for news of the database, so that nobody has to poll for what this process did
itself.
"""

from __future__ import annotations

import threading


class Bell:
    """Rung after a commit; whoever waits looks at the database again.

    Take :attr:`rings` *before* looking: a ring between the look and :meth:`wait` is then not lost.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        """How often it has been rung."""
        with self._condition:
            return self._rings

    def ring(self) -> None:
        """Wakes everybody who waits."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Waits until it has been rung since ``seen``, at most so many seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings != seen, timeout=seconds)
