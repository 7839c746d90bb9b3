"""Many threads at once on several replicas, and what became of each call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle
from threading import Barrier
from typing import Any, TypeVar

import sqlalchemy as sa

from services.common.errors import TunggalError
from tests.inventory.inventory_office import Office

T = TypeVar("T")
THREADS = 8


def all_at_once(
    replicas: Sequence[Office], work: Callable[[Office, int], T], threads: int = THREADS
) -> list[T]:
    """``work(replica, number)`` in every thread, all released at the same moment."""
    barrier = Barrier(threads)

    def task(replica: Office, number: int) -> T:
        barrier.wait(timeout=30)
        return work(replica, number)

    with ThreadPoolExecutor(threads) as pool:
        started = [
            pool.submit(task, replica, number)
            for replica, number in zip(cycle(replicas), range(threads), strict=False)
        ]
        return [future.result(timeout=90) for future in started]


def outcome(call: Callable[[], Any]) -> str:
    """``done``, or the reason of the refusal."""
    try:
        call()
    except TunggalError as error:
        return error.reason
    return "done"


def waiting(office: Office) -> int:
    """How many transactions wait for another's lock."""
    query = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with office.database.engine.connect() as connection:
        return int(connection.scalar(query) or 0)


def until_it_waits(office: Office, call: Future[Any], calls: int = 1) -> None:
    """Until ``call``, the last of so many ``calls``, waits for a lock; it might end instead."""
    deadline = time.monotonic() + 60
    while waiting(office) < calls and not call.done() and time.monotonic() < deadline:
        time.sleep(0.01)
