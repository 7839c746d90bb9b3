"""Blocking calls with a deadline.

PC/SC has no time-out of its own: a call returns when the card answers, or never. So the calls of a session
run in a thread of its own, and whoever waits for one gives up at the deadline. The thread that was given up
cleans up after itself when its call returns at last.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LineTimeoutError(Exception):
    """The call took too long; the line is no longer usable."""


class _Reply(Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = threading.Lock()
        self._done.acquire()
        self._value: T | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
        self._done.release()

    def wait(self, seconds: float) -> T:
        if not self._done.acquire(timeout=seconds):
            raise LineTimeoutError
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


class Line:
    """A thread that makes one call after the other. `on_close` runs in it at the end."""

    def __init__(self, name: str, on_close: Callable[[], None]) -> None:
        self._calls: queue.SimpleQueue[_Reply[object] | None] = queue.SimpleQueue()
        self._on_close = on_close
        self._given_up = False
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T], seconds: float) -> T:
        """Result of `work`, or what it raised.

        Raises:
            LineTimeoutError: it took longer than `seconds`.
        """
        if self._given_up:
            raise LineTimeoutError
        reply = _Reply(work)
        self._calls.put(reply)  # type: ignore[arg-type]
        try:
            return reply.wait(seconds)
        except LineTimeoutError:
            # What was meant for a card that hung must not reach it when it wakes up.
            self._given_up = True
            raise

    def close(self, seconds: float) -> None:
        """Let the thread clean up and end; one that hangs is left to do so later."""
        self._calls.put(None)
        self._thread.join(seconds)

    def _serve(self) -> None:
        while (reply := self._calls.get()) is not None:
            reply.run()
        self._on_close()
