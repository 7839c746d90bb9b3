"""The SQL of stock counts, over one open transaction."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from services.inventory.counts import tables
from services.inventory.counts.stock_count import CountState, Sheet, StockCount
from services.inventory.records import RANGES, Records


class CountStore:
    """Counts and their sheets."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.counts: Records[StockCount] = Records(
            connection, tables.stock_count, StockCount, "count_id", {"state": CountState}
        )
        self.sheets: Records[Sheet] = Records(
            connection, tables.count_sheet, Sheet, "count_id", {"ranges": RANGES}
        )

    def sheets_of(self, count_id: str) -> list[Sheet]:
        """The sheets of a count, in the order of their rounds."""
        return self.sheets.where(tables.count_sheet.c.count_id == count_id)

    def sheets_by_count(self, count_ids: Sequence[str]) -> dict[str, list[Sheet]]:
        """The sheets of each of these counts, in the order of their rounds."""
        found: dict[str, list[Sheet]] = {count_id: [] for count_id in count_ids}
        for sheet in self.sheets.where(tables.count_sheet.c.count_id.in_(count_ids)):
            found[sheet.count_id].append(sheet)
        return found
