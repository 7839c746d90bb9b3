"""The funnel as Prometheus sees it: how many records stand where, and how long the oldest has."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import TunggalError
from services.common.logs import get_logger
from services.enroll.record import TRANSITIONS, Status
from services.enroll.store import Store

_log = get_logger()


class FunnelCollector(Collector):
    """Reads the funnel when it is scraped; where nothing waits the age is zero, so that alerts can end."""

    def __init__(self, db: Database, store: Store, clock: Clock) -> None:
        self._db = db
        self._store = store
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Called by Prometheus' client at each scrape."""
        try:
            with self._db.read() as conn:
                stages = {stage.status: stage for stage in self._store.funnel(conn, "")}
        except TunggalError as error:  # the other metrics are wanted most when the database is gone
            _log.warning("funnel_not_read", reason=error.reason)
            return
        now = self._clock.now()
        records = GaugeMetricFamily("tunggal_enroll_records", "Records by status.", labels=["status"])
        oldest = GaugeMetricFamily(
            "tunggal_enroll_oldest_waiting_seconds",
            "How long the record that waits longest has stood in a status that is not an end.",
            labels=["status"],
        )
        for status in Status:
            stage = stages.get(status)
            records.add_metric([status.name], stage.records if stage else 0)
            if TRANSITIONS[status]:
                age = (now - stage.oldest_time).total_seconds() if stage else 0.0
                oldest.add_metric([status.name], max(age, 0.0))
        yield records
        yield oldest
