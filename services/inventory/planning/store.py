"""The SQL of planning, over one open transaction."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.inventory import tables
from services.inventory.ledger import days
from services.inventory.ledger.entries import BLANK, Condition
from services.inventory.location import CENTRE, Location
from services.inventory.movements import tables as movement_tables
from services.inventory.movements.allocation import AllocationState
from services.inventory.movements.site import SiteState
from services.inventory.planning.proposal import Move, PlanState, Proposal, ProposedShare
from services.inventory.planning.tables import capacity, coverage, demand_report, plan
from services.inventory.records import Column, Records

_account, _allocation, _item = tables.account, tables.allocation, tables.item


@dataclass(frozen=True)
class DemandReport:
    """Who waits at a location: for deduplication, for a card, with a paper letter; and who became
    print-ready, or turned out to be there already, in the last 28 days.
    """

    location: str
    undeduplicated: int
    print_ready: int
    suket_debt: int
    arrivals: int
    time: datetime
    duplicates: int = 0


@dataclass(frozen=True)
class Capacity:
    """What a location has beside stock; 0 is unknown."""

    location: str
    printers: int
    cards_per_printer_day: int
    lead_days: int


@dataclass(frozen=True)
class Coverage:
    """Recorded and obliged people of a region on a day, by one source."""

    location: str
    day: date
    recorded: int
    obliged: int
    source: str
    entry_time: datetime


@dataclass(frozen=True)
class Coming:
    """Units for a location: on their way since ``sent``, or only set aside."""

    location: str
    item: str
    units: int
    sent: date | None

    def arrives(self, today: date, lead_days: int) -> date:
        """The day on which it is expected; before ``today`` when it is overdue."""
        return (today if self.sent is None else self.sent) + timedelta(days=lead_days)


class PlanningStore:
    """What planning remembers, and what it reads of the ledger."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.plans: Records[Proposal] = Records(
            connection,
            plan,
            Proposal,
            "plan_id",
            {
                "state": PlanState,
                "scope": Location,
                "source": Location,
                "shares": Column(
                    _dump, lambda text: tuple(ProposedShare(**each) for each in json.loads(text))
                ),
                "moves": Column(_dump, lambda text: tuple(Move(**each) for each in json.loads(text))),
                "allocation_ids": Column(json.dumps, lambda text: tuple(json.loads(text))),
            },
        )

    def report(self, demand: DemandReport) -> None:
        """Keep a report; of one location and day the newest stays."""
        values = {**vars(demand), "day": days.day_of(demand.time)}
        insert = self._insert(demand_report).values(**values)
        self.connection.execute(
            insert.on_conflict_do_update(
                index_elements=["location", "day"],
                set_={name: insert.excluded[name] for name in values if name not in {"location", "day"}},
                where=demand_report.c.time <= insert.excluded.time,
            )
        )

    def reports(self, since: date) -> dict[str, DemandReport]:
        """The newest report of each location, not older than ``since``."""
        query = sa.select(demand_report).where(demand_report.c.day >= since).order_by(demand_report.c.day)
        return {
            row.location: DemandReport(
                row.location,
                row.undeduplicated,
                row.print_ready,
                row.suket_debt,
                row.arrivals,
                row.time,
                row.duplicates,
            )
            for row in self.connection.execute(query)
        }

    def set_capacity(self, new: Capacity) -> None:
        """Keep the capacity of a location."""
        insert = self._insert(capacity).values(**vars(new))
        changed = {name: insert.excluded[name] for name in vars(new) if name != "location"}
        self.connection.execute(insert.on_conflict_do_update(index_elements=["location"], set_=changed))

    def capacities(self) -> dict[str, Capacity]:
        """Capacities by location."""
        return {row.location: Capacity(*row) for row in self.connection.execute(sa.select(capacity))}

    def stock(self, item: str = BLANK) -> dict[str, int]:
        """Free units by location."""
        query = sa.select(_account.c.place, _account.c.balance).where(
            _account.c.item == item, _account.c.condition == Condition.ON_HAND
        )
        return {row.place: row.balance for row in self.connection.execute(query)}

    def coming(self, item: str | None = None) -> list[Coming]:
        """What is set aside for each location or on its way there, of all items where none is named."""
        columns = _allocation.c
        query = sa.select(
            columns.target, columns.item, columns.quantity, columns.dispatch_time, columns.create_time
        ).where(columns.state.in_((AllocationState.ALLOCATED, AllocationState.DISPATCHED)))
        if item is not None:
            query = query.where(columns.item == item)
        return [
            Coming(
                row.target,
                row.item,
                row.quantity,
                None if row.dispatch_time is None else days.day_of(row.dispatch_time),
            )
            for row in self.connection.execute(query)
        ]

    def cards_of_consumables(self) -> dict[str, dict[str, float]]:
        """Cards that each consumable (ribbon, film) of each location is enough for, by location and item."""
        query = (
            sa.select(_account.c.place, _account.c.item, _account.c.balance * _item.c.cards_per_unit)
            .join_from(_account, _item, _item.c.item_id == _account.c.item)
            .where(_account.c.item != BLANK, _account.c.condition == Condition.ON_HAND)
        )
        found: dict[str, dict[str, float]] = {}
        for place, item, cards in self.connection.execute(query):
            found.setdefault(place, {})[item] = float(cards)
        return found

    def cards_per_unit(self) -> dict[str, int]:
        """For how many cards a unit of each item is enough."""
        return {row.item_id: row.cards_per_unit for row in self.connection.execute(sa.select(_item))}

    def closed_sites(self) -> frozenset[str]:
        """Sites whose event is over."""
        site = movement_tables.site.c
        query = sa.select(site.location).where(site.state == SiteState.CLOSED)
        return frozenset(self.connection.scalars(query))

    def closing_days(self) -> dict[str, date]:
        """Last days of the sites whose event is not over yet."""
        site = movement_tables.site.c
        query = sa.select(site.location, site.closes).where(site.state == SiteState.OPEN)
        return {row.location: row.closes for row in self.connection.execute(query)}

    def add_coverage(self, new: Coverage) -> None:
        """Add figures; what was there before stays."""
        self.connection.execute(sa.insert(coverage).values(**vars(new)))

    def coverages(self, location: str, known_at: datetime) -> list[Coverage]:
        """All figures of a region that were entered by ``known_at``, oldest first."""
        query = (
            sa.select(coverage)
            .where(coverage.c.location == location, coverage.c.entry_time <= known_at)
            .order_by(coverage.c.entry)
        )
        return [
            Coverage(row.location, row.day, row.recorded, row.obliged, row.source, row.entry_time)
            for row in self.connection.execute(query)
        ]

    def carried_out_since(self, proposal: Proposal) -> Proposal | None:
        """A plan from the same source that was carried out after ``proposal`` was made."""
        found = self.plans.where(
            plan.c.state == PlanState.CARRIED_OUT,
            plan.c.source == proposal.source,
            plan.c.item == proposal.item,
            plan.c.carry_out_time > proposal.propose_time,
        )
        return found[0] if found else None

    def _insert(self, table: sa.Table) -> Any:
        dialect = postgresql if self.connection.dialect.name == "postgresql" else sqlite
        return dialect.insert(table)


def lead_time(connection: sa.Connection, since: datetime) -> int | None:
    """Median days from decision to receipt of the allocations received since; ``None`` for less than five."""
    query = sa.select(_allocation.c.create_time, _allocation.c.receive_time).where(
        _allocation.c.state == AllocationState.RECEIVED, _allocation.c.receive_time >= since
    )
    rows = connection.execute(query)
    took: list[timedelta] = sorted(row.receive_time - row.create_time for row in rows)
    if len(took) < 5:
        return None
    return -(-took[len(took) // 2] // timedelta(days=1))


def within(location: str, region: Location) -> bool:
    """Whether a location is a region or lies in it."""
    return region in {CENTRE, location} or location.startswith((f"{region}.", f"{region}:"))


def _dump(values: Any) -> str:
    return json.dumps([asdict(value) for value in values])
