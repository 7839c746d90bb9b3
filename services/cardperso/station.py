"""The workers of a station: one thread for each reader that has jobs."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from services.cardperso.job import Job
from services.cardperso.jobs import Jobs
from services.cardperso.personalizer import LostJobError, Personalizer
from services.cardperso.production.floor import Floor
from services.common.bell import Bell
from services.common.errors import ConfigurationError, TunggalError
from services.common.logs import get_logger

_RESTART_SECONDS = 2.0
_HANDOVER_SECONDS = 15.0
_KEEP_SECONDS = 20.0

_log = get_logger()


class Station:
    """Keeps a worker going for every reader of `name` with open jobs; `make_personalizer` makes one a
    worker.
    """

    def __init__(
        self,
        name: str,
        jobs: Jobs,
        bell: Bell,
        make_personalizer: Callable[[], Personalizer],
        floor: Floor,
        *,
        poll_seconds: float,
    ) -> None:
        self._name = name
        self._jobs = jobs
        self._bell = bell
        self._make_personalizer = make_personalizer
        self._floor = floor
        self._keeper = make_personalizer()
        self._kept = time.monotonic()
        self._poll_seconds = poll_seconds

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; what is on a card then is finished or left for the next start."""
        workers: dict[str, threading.Thread] = {}
        while not stop.is_set():
            seen = self._bell.rings
            try:
                self._floor.take()
            except TunggalError as error:
                # Without PC/SC no card is begun; what was begun may have bookings left.
                _log.warning("stations_idle", reason=error.reason, detail=error.message)
            try:
                readers = {job.reader for job in self._to_do()}
                self._keep()
            except (TunggalError, LostJobError) as error:
                _log.warning("jobs_unreadable", detail=str(error))
                readers = set()
            for reader in readers:
                if reader not in workers or not workers[reader].is_alive():
                    workers[reader] = threading.Thread(
                        target=self._serve, args=(reader, stop), name=f"reader {reader}", daemon=True
                    )
                    workers[reader].start()
            self._bell.wait(seen, self._poll_seconds)
        for worker in workers.values():
            worker.join()

    def _to_do(self) -> list[Job]:
        """Open jobs that wait for nobody, oldest first."""
        waits = self._keeper.waits_for_people
        return [job for job in self._jobs.open_jobs(self._name) if not waits(job)]

    def _keep(self) -> None:
        """Keep on loan the records of the cards that wait for somebody to look at them."""
        if time.monotonic() - self._kept < _KEEP_SECONDS:
            return
        self._kept = time.monotonic()
        for job in self._jobs.open_jobs(self._name):
            if self._keeper.waits_for_people(job):
                self._keeper.keep(job)

    def _serve(self, reader: str, stop: threading.Event) -> None:
        """Do a reader's jobs one after the other until there is none."""
        personalizer = self._make_personalizer()
        try:
            while not stop.is_set():
                job = next((job for job in self._to_do() if job.reader == reader), None)
                if job is None:
                    return
                personalizer.run(job, stop)
        except TunggalError as error:
            _log.warning("reader_waits", reader=reader, reason=error.reason, detail=error.message)
            stop.wait(_RESTART_SECONDS)
        except Exception:
            # A fault of ours must stop neither the other readers nor, for ever, this one.
            _log.exception("reader_crashed", reader=reader)
            stop.wait(_RESTART_SECONDS)


class StationLock:
    """One process a data directory: two would lay hands on the same readers and the same jobs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; a predecessor that drains gets some time.

        Raises:
            ConfigurationError: another process keeps it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + _HANDOVER_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > until:
                    os.close(descriptor)
                    raise ConfigurationError(
                        f"Another card station works in {self._path.parent}: give this one a "
                        "TUNGGAL_DATA_DIR and a TUNGGAL_STATION of its own."
                    ) from None
                time.sleep(0.1)
            else:
                self._descriptor = descriptor
                return

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
