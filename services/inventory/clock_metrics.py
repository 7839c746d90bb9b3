"""How far clocks and books are apart, for whoever watches."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import TunggalError
from services.inventory import tables
from services.inventory.ledger.clocks import Clocks


class ClockDistance(Collector):
    """``tunggal_inventory_clock_ahead_seconds``: this clock against the database's, below zero where it is
    behind; ``tunggal_inventory_ledger_ahead_seconds``: the time of the latest account against this clock,
    zero as long as no clock was ahead.
    """

    def __init__(self, database: Database, clock: Clock, clocks: Clocks) -> None:
        self._database = database
        self._clock = clock
        self._clocks = clocks

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Called by Prometheus' registry."""
        try:
            with self._database.read() as connection:
                latest = connection.scalar(sa.select(sa.func.max(tables.account.c.last_time)))
            clock_ahead = self._clocks.ahead().total_seconds()
        except TunggalError:
            return  # the database is away: the RPC metrics that say so must still be scraped
        yield GaugeMetricFamily(
            "tunggal_inventory_clock_ahead_seconds",
            "This replica's clock against the database's; zero on SQLite.",
            value=clock_ahead,
        )
        yield GaugeMetricFamily(
            "tunggal_inventory_ledger_ahead_seconds",
            "The latest time of an account against this replica's clock, where it is yet to come.",
            value=0.0 if latest is None else max((latest - self._clock.now()).total_seconds(), 0.0),
        )
