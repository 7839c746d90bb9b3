"""What holds for the whole country: the gate (contracts of the ABIS, room in the licence, doubles among those
who come) and what a report of arrivals means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from services.inventory.contracts.contract import Contract, ContractKind
from services.inventory.contracts.entitlement import Entitlement, Use, entitlement
from services.inventory.contracts.store import ContractStore
from services.inventory.ledger import days
from services.inventory.planning.calendar import WorkCalendar
from services.inventory.planning.funnel import Gate
from services.inventory.planning.store import DemandReport
from services.inventory.store import Store

#: Days that a report's arrivals are of.
_ARRIVAL_DAYS: Final = 28
#: Records that tell a share of doubles; fewer tell none. And the most that is believed.
_TELLING: Final = 100
_MOST_DOUBLES: Final = 0.99


def gate_of(store: Store, today: date, use: Use | None, reports: Mapping[str, DemandReport]) -> Gate:
    """What the ABIS may do by its contracts, as :func:`entitlement` says. Where none was ever signed, nobody
    keeps them here and nothing is known that would shut the gate; a ceiling counts from the day on which the
    ABIS says how many people it has.
    """
    kinds = ContractKind.ABIS_LICENCE, ContractKind.MAINTENANCE
    papers = ContractStore(store.connection)
    contracts, kept_here = papers.in_force(kinds), papers.ever_signed(kinds)
    gate = Gate(duplicates=_doubles(reports))
    if not kept_here:
        return gate
    ends = {_day_after(contract.valid_until) for contract in contracts}
    begins = {contract.valid_from for contract in contracts}
    later: tuple[date, Gate] | None = None
    for day in sorted((day for day in ends | begins if day is not None and day > today), reverse=True):
        later = day, replace(_granted(gate, contracts, day, use), then=later)
    return replace(_granted(gate, contracts, today, use), then=later)


def _granted(gate: Gate, contracts: Sequence[Contract], day: date, use: Use | None) -> Gate:
    """The gate by the contracts as they are on ``day``."""
    granted = entitlement(contracts, day)
    before = day - timedelta(days=1)
    ceiling = granted.max_people or None
    return replace(
        gate,
        maintenance_until=granted.maintenance_until or before,
        licence_until=granted.licence_until or before,
        max_people=ceiling,
        people_left=max(ceiling - use.people, 0) if ceiling is not None and use is not None else None,
        searches_per_day=granted.max_searches_per_day or None,
        opens=_opens(contracts, granted, day),
    )


def _doubles(reports: Mapping[str, DemandReport]) -> float:
    """Share of those who come that are there already, of whom ``reports`` tell."""
    came = sum(report.arrivals for report in reports.values())
    twice = sum(report.duplicates for report in reports.values())
    return min(twice / (came + twice), _MOST_DOUBLES) if came + twice >= _TELLING else 0.0


def _opens(contracts: Sequence[Contract], granted: Entitlement, today: date) -> date | None:
    """The first day on which the gate opens again after it is shut, by contracts that are active already."""
    shut = today if granted.until is None else _day_after(granted.until)
    if shut is None:
        return None
    begins = sorted(c.valid_from for c in contracts if c.valid_from is not None and c.valid_from >= shut)
    return next((day for day in begins if entitlement(contracts, day).allowed), None)


def _day_after(day: date | None) -> date | None:
    """The next day; ``None`` after the last one that there is, which is how "for ever" is written."""
    return None if day is None or day == date.max else day + timedelta(days=1)


def arrivals_of(report: DemandReport, calendar: WorkCalendar) -> float | None:
    """New people a working day, by a report; ``None`` where it has none."""
    if not report.arrivals:
        return None
    until = days.day_of(report.time)
    worked = calendar.worked_between(until - timedelta(days=_ARRIVAL_DAYS - 1), until)
    return report.arrivals / max(worked, 1)
