"""Business metrics of the inventory: stock by location and condition, transfers by kind."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.common.db import Database
from services.common.errors import TunggalError
from services.inventory.ledger.balances import Balances
from services.inventory.ledger.entries import Kind


class Transfers:
    """``tunggal_inventory_transfers_total{kind}``: transfers that this process booked since it started."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = Counter(
            "tunggal_inventory_transfers", "Transfers booked, by kind.", ["kind"], registry=registry
        )
        self._by_kind = {kind: counter.labels(kind) for kind in Kind}

    def count(self, kinds: Iterable[Kind]) -> None:
        """Count transfers after their transaction is committed."""
        for kind in kinds:
            self._by_kind[kind].inc()


class Stock(Collector):
    """Balances read from the books at each scrape, so that all replicas tell the same.

    ``tunggal_inventory_stock_blanks{location, condition}`` and ``tunggal_inventory_outstanding_blanks``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Called by Prometheus' registry."""
        try:
            with self._database.read() as connection:
                books = Balances(connection)
                balances, (_, outstanding) = books.stock(), books.promised()
        except TunggalError:
            return  # the database is away: the RPC metrics that say so must still be scraped
        stock = GaugeMetricFamily(
            "tunggal_inventory_stock_blanks",
            "Blanks by location and condition.",
            labels=["location", "condition"],
        )
        for account, balance in balances.items():
            stock.add_metric([account.place, account.condition], balance)
        yield stock
        yield GaugeMetricFamily(
            "tunggal_inventory_outstanding_blanks", "Blanks contracted and not delivered.", value=outstanding
        )
