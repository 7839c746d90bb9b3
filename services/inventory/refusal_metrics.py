"""What counters say of the shelf, for whoever watches: people sent away today, by what the books had."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import TunggalError
from services.inventory.ledger import days
from services.inventory.movements.tables import refusal


class Refusals(Collector):
    """``tunggal_inventory_refused_people{location, item, books}`` of the ledger's present day, read from the
    books at each scrape; ``books`` is "stock" where they had some at that very moment, else "none".
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Called by Prometheus' registry."""
        today = days.start_of(days.day_of(self._clock.now()))
        books = sa.case((refusal.c.on_hand > 0, "stock"), else_="none").label("books")
        query = (
            sa.select(refusal.c.location, refusal.c.item, books, sa.func.sum(refusal.c.people))
            .where(refusal.c.book_time >= today)
            .group_by(refusal.c.location, refusal.c.item, books)
        )
        try:
            with self._database.read() as connection:
                rows = connection.execute(query).all()
        except TunggalError:
            return  # the database is away: the RPC metrics that say so must still be scraped
        refused = GaugeMetricFamily(
            "tunggal_inventory_refused_people",
            "People sent away for want of stock, recorded today; whether the books had stock then.",
            labels=["location", "item", "books"],
        )
        for location, item, had, people in rows:
            refused.add_metric([location, item, had], int(people))
        yield refused
