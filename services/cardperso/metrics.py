"""What Prometheus sees of card personalization, beside its RPCs."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.cardperso.job import Errand, State
from services.cardperso.store import counts, untold
from services.common.db import Database


class ChipMeter:
    """Seconds that chips took, from the first APDU to the last."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "tunggal_cardperso_chip_seconds",
            "Seconds from the first APDU of a chip to its last, by whether it was verified",
            ["verified"],
            buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
            registry=registry,
        )

    def observe(self, seconds: float, *, verified: bool) -> None:
        """Note one chip."""
        self._seconds.labels(str(verified).lower()).observe(seconds)


class JobCollector(Collector):
    """Counts jobs by state at every scrape."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        gauge = GaugeMetricFamily("tunggal_cardperso_jobs", "Card jobs by state", labels=["state"])
        with self._database.read() as conn:
            found, late = dict(counts(conn)), dict(untold(conn))
        for state in State:
            gauge.add_metric([state.value], found.get(state, 0))
        yield gauge
        errands = GaugeMetricFamily(
            "tunggal_cardperso_errands",
            "Cards of which enroll or the inventory has yet to be told something, by what",
            labels=["errand"],
        )
        for errand in (errand for errand in Errand if errand is not Errand.NONE):
            errands.add_metric([errand.value], late.get(errand, 0))
        yield errands
