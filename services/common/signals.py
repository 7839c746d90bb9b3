"""Waiting for the signal that ends a process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable

ENDING = (signal.SIGTERM, signal.SIGINT)


def watch(numbers: Iterable[signal.Signals] = ENDING) -> Callable[[], signal.Signals]:
    """Take these signals from now on; the function that is returned waits for the first of them.

    Only the main thread may call either. It waits in a pipe that the interpreter writes to: Python runs a
    handler in the main thread alone, and a lock that the main thread waits for is not told of a signal that
    the kernel gave to another thread, or that came just before the wait. Such a process would not end.
    """
    received: list[signal.Signals] = []
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda number, _frame: received.append(signal.Signals(number)))

    def wait() -> signal.Signals:
        while not received:
            os.read(read_end, 1)
        return received[0]

    return wait
