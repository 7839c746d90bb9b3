"""The SQL of what is known of movements beside the books, over one open transaction."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from services.inventory.location import Location
from services.inventory.movements import site as sites
from services.inventory.movements import tables
from services.inventory.movements.loan import Loan, LoanState
from services.inventory.movements.refusal import Refusal
from services.inventory.movements.requisition import Requisition, RequisitionState
from services.inventory.movements.site import Site, SiteState
from services.inventory.records import Records, insert_new


class MovementStore:
    """What is known of movements, beside the books."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.requisitions: Records[Requisition] = Records(
            connection, tables.requisition, Requisition, "requisition_id", {"state": RequisitionState}
        )
        self.loans: Records[Loan] = Records(connection, tables.loan, Loan, "loan_id", {"state": LoanState})
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
