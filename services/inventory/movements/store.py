"""The SQL of what is known of movements beside the books, over one open transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from services.inventory.counts.stock_count import CountState, Sheet, StockCount
from services.inventory.disposal.conveyance import Conveyance, ConveyanceState
from services.inventory.disposal.spoilage import Destruction, DestructionState, Review, SpoilageState
from services.inventory.disposal.withdrawal import Cause, Withdrawal
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import Location
from services.inventory.movements import site as sites
from services.inventory.movements import tables
from services.inventory.movements.loan import Loan, LoanState
from services.inventory.movements.refusal import Refusal
from services.inventory.movements.requisition import Requisition, RequisitionState
from services.inventory.movements.site import Site, SiteState
from services.inventory.records import Column, Records, insert_new
from services.inventory.reversals.reversal import Reversal, ReversalState


class MovementStore:
    """What is known of movements, beside the books."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.requisitions: Records[Requisition] = Records(
            connection, tables.requisition, Requisition, "requisition_id", {"state": RequisitionState}
        )
        self.loans: Records[Loan] = Records(connection, tables.loan, Loan, "loan_id", {"state": LoanState})
        self.counts: Records[StockCount] = Records(
            connection, tables.stock_count, StockCount, "count_id", {"state": CountState}
        )
        self.sheets: Records[Sheet] = Records(
            connection, tables.count_sheet, Sheet, "count_id", {"ranges": _RANGES}
        )
        self.destructions: Records[Destruction] = Records(
            connection,
            tables.destruction,
            Destruction,
            "destruction_id",
            {"state": DestructionState, "ranges": _RANGES},
        )
        self.withdrawals: Records[Withdrawal] = Records(
            connection, tables.withdrawal, Withdrawal, "withdrawal_id", {"cause": Cause}
        )
        self.reviews: Records[Review] = Records(
            connection, tables.spoilage_review, Review, "spoilage_id", {"state": SpoilageState}
        )
        self.conveyances: Records[Conveyance] = Records(
            connection,
            tables.conveyance,
            Conveyance,
            "conveyance_id",
            {"state": ConveyanceState, "ranges": _RANGES, "cards": _RANGES, "remaining": _RANGES},
        )
        self.reversals: Records[Reversal] = Records(
            connection, tables.reversal, Reversal, "reversal_id", {"state": ReversalState}
        )
        self.refusals: Records[Refusal] = Records(connection, tables.refusal, Refusal, "refusal_id")
        self.sites: Records[Site] = Records(connection, tables.site, Site, "location", {"state": SiteState})

    def add_site(self, site: Site) -> bool:
        """Open a site; ``False`` when it was opened before."""
        row = {name: getattr(site, name) for name in Site.__dataclass_fields__}
        return insert_new(self.connection, tables.site.c.location, **row)

    def all_sites(self) -> list[Site]:
        """Every site, by its code."""
        rows = self.connection.execute(sa.select(tables.site)).mappings()
        found = [Site(**{**row, "state": SiteState(row["state"])}) for row in rows]
        # Sorted here, because collations of PostgreSQL pass over punctuation.
        return sorted(found, key=lambda site: site.location)

    def require_open(self, location: Location, field: str) -> None:
        """Raises :class:`FailedPrecondition` when ``location`` is a site that has closed; an open one stays
        open until the transaction ends.
        """
        if ":" not in location:
            return
        site = self.sites.get(location, lock=True)
        if site is not None and site.state is SiteState.CLOSED:
            raise sites.closed(location, field)

    def lock_sites(self, locations: Iterable[Location]) -> None:
        """Let the sites among the locations stay as they are until the transaction ends, for a transaction
        that has to do with several.
        """
        for location in sorted({location for location in locations if ":" in location}):
            self.sites.get(location, lock=True)

    def sheets_of(self, count_id: str) -> list[Sheet]:
        """The sheets of a count, in the order of their rounds."""
        return self.sheets.where(tables.count_sheet.c.count_id == count_id)

    def sheets_by_count(self, count_ids: Sequence[str]) -> dict[str, list[Sheet]]:
        """The sheets of each of these counts, in the order of their rounds."""
        found: dict[str, list[Sheet]] = {count_id: [] for count_id in count_ids}
        for sheet in self.sheets.where(tables.count_sheet.c.count_id.in_(count_ids)):
            found[sheet.count_id].append(sheet)
        return found

    def reviews_of(self, spoilage_ids: Sequence[str]) -> dict[str, list[Review]]:
        """Every word said of each of these spoilages, oldest first."""
        found: dict[str, list[Review]] = {spoilage_id: [] for spoilage_id in spoilage_ids}
        for review in self.reviews.where(tables.spoilage_review.c.spoilage_id.in_(spoilage_ids)):
            found[review.spoilage_id].append(review)
        return found

    def unaccepted(self, location: Location, item: str) -> int:
        """Spoiled units of a location that no reviewer has accepted."""
        spoilage = tables.spoilage
        total = self.connection.scalar(
            sa.select(sa.func.sum(spoilage.c.quantity)).where(
                spoilage.c.location == location,
                spoilage.c.item == item,
                spoilage.c.state.not_in((SpoilageState.ACCEPTED, SpoilageState.REVERSED)),
            )
        )
        return int(total or 0)


def _write(ranges: tuple[SerialRange, ...]) -> str:
    return json.dumps([[serials.first, serials.last] for serials in ranges])


def _read(text: str) -> Any:
    return tuple(SerialRange(first, last) for first, last in json.loads(text))


_RANGES = Column(_write, _read)
