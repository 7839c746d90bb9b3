"""From the books to a forecast: what is read, what is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from services.inventory.contracts.entitlement import Use
from services.inventory.contracts.store import ContractStore
from services.inventory.ledger import days
from services.inventory.ledger.entries import BLANK
from services.inventory.location import Location
from services.inventory.planning import country, outlook
from services.inventory.planning.calendar import WorkCalendar, calendar_around
from services.inventory.planning.funnel import Gate, Site
from services.inventory.planning.learned import Learned, Lessons
from services.inventory.planning.outlook import Ahead, Outlook, Supply
from services.inventory.planning.reasons import Reasons, of_use
from services.inventory.planning.store import Capacity, Coming, DemandReport, PlanningStore, lead_time, within
from services.inventory.store import Store

#: Reports that are older say nothing about today.
_REPORT_LASTS: Final = timedelta(days=7)


@dataclass(frozen=True)
class Books:
    """What was read of the books of the country, at one moment, for a forecast of one region: all share the
    gate, and what they learn from each other.
    """

    region: Location
    today: date
    learned: Learned
    reports: dict[str, DemandReport]
    capacities: dict[str, Capacity]
    stock: dict[str, int]
    #: What is under way or set aside, of all items, by location.
    coming: dict[str, list[Coming]]
    #: Cards that each consumable is enough for, by location and item, and for how many a unit of each is.
    consumables: dict[str, dict[str, float]]
    cards_per_unit: dict[str, int]
    gate: Gate
    lead_days: int
    use: Use | None = None
    #: Sites whose event is over: nobody comes there any more.
    closed: frozenset[str] = frozenset()
    #: Last days of those that are open.
    closing: Mapping[str, date] = field(default_factory=dict)


def read(store: Store, region: Location, now: datetime, default_lead_days: int, lessons: Lessons) -> Books:
    """Everything that a forecast of ``region`` is made of."""
    planning, today = PlanningStore(store.connection), days.day_of(now)
    reports = planning.reports(today - _REPORT_LASTS)
    use = ContractStore(store.connection).use()
    coming: dict[str, list[Coming]] = {}
    for each in planning.coming():
        coming.setdefault(each.location, []).append(each)
    return Books(
        region=region,
        today=today,
        learned=lessons.learned(store.connection, reports),
        reports=reports,
        capacities=planning.capacities(),
        stock=planning.stock(),
        coming=coming,
        consumables=planning.cards_of_consumables(),
        cards_per_unit=planning.cards_per_unit(),
        gate=country.gate_of(store, today, use, reports),
        lead_days=lead_time(store.connection, now - timedelta(days=365)) or default_lead_days,
        use=use,
        closed=planning.closed_sites(),
        closing=planning.closing_days(),
    )


def forecast(books: Books, horizon: int) -> Ahead:
    """The outlook of each location of the region that prints, ordered by code, and of the gate."""
    learned = books.learned
    calendar = calendar_around(books.today, horizon)
    # Who does not print teaches how days differ, but has no days ahead.
    printing = [row for row, location in enumerate(learned.locations) if _prints(books, row, location)]
    locations = [learned.locations[row] for row in printing]
    supplies = [_supply(books, location, calendar) for location in locations]
    found = outlook.look_ahead(
        [
            _site(books, location, supply, float(learned.spoilage[row]))
            for row, location, supply in zip(printing, locations, supplies, strict=True)
        ],
        supplies,
        learned.demand.of(printing),
        books.gate,
        calendar,
        books.today,
        horizon,
        wanted=[k for k, location in enumerate(locations) if within(location, books.region)],
    )
    rows = dict(zip(locations, printing, strict=True))
    return replace(found, outlooks=[_explained(books, look, rows[look.location]) for look in found.outlooks])


def _explained(books: Books, look: Outlook, row: int) -> Outlook:
    """The outlook with what its demand is made of, and what was used lately."""
    learned, closes = books.learned, books.closing.get(look.location)
    if look.reported:
        why = Reasons(arrivals=books.reports[look.location].arrivals, closes=closes)
    elif learned.last is None:
        why = Reasons(closes=closes)
    else:
        why = of_use(learned.demand, row, learned.last, int(learned.told_days[row]), closes)
    return replace(look, used=learned.used[row], empty=learned.empty[row], reasons=why)


def _prints(books: Books, row: int, location: str) -> bool:
    """Whether cards are made there: not at a site that has closed, nor in a store where a box got wet."""
    return location not in books.closed and (location in books.reports or bool(books.learned.prints[row]))


def _supply(books: Books, location: str, calendar: WorkCalendar) -> Supply:
    capacity, report = books.capacities.get(location), books.reports.get(location)
    lead_days = capacity.lead_days if capacity and capacity.lead_days else books.lead_days
    return Supply(
        lead_days, country.arrivals_of(report, calendar) if report else None, books.closing.get(location)
    )


def _site(books: Books, location: str, supply: Supply, spoilage: float) -> Site:
    report, capacity = books.reports.get(location), books.capacities.get(location)
    printers = capacity.printers * capacity.cards_per_printer_day if capacity else 0
    coming = books.coming.get(location, [])
    ribbon, ribbon_inbound = _ribbon(books, location, supply)
    return Site(
        location=location,
        blanks=float(books.stock.get(location, 0)),
        undeduplicated=float(report.undeduplicated) if report else 0.0,
        waiting=float(report.print_ready + report.suket_debt) if report else 0.0,
        suket_debt=float(report.suket_debt) if report else 0.0,
        printers_per_day=float(printers) or None,
        ribbon=ribbon,
        ribbon_inbound=ribbon_inbound,
        spoilage=spoilage,
        inbound=tuple(
            (each.arrives(books.today, supply.lead_days), float(each.units))
            for each in coming
            if each.item == BLANK
        ),
        allocated=float(sum(each.units for each in coming if each.item == BLANK and each.sent is None)),
    )


def _ribbon(
    books: Books, location: str, supply: Supply
) -> tuple[float | None, tuple[tuple[date, float], ...]]:
    """Cards that the consumables of a location are enough for, all of which each card needs; and what that
    rises by as more of them comes.
    """
    cards = dict(books.consumables.get(location, {}))
    if not cards:
        return None, ()
    now = before = min(cards.values())
    more = sorted(
        (max(each.arrives(books.today, supply.lead_days), books.today), each.item, each.units)
        for each in books.coming.get(location, [])
        if each.item in cards
    )
    rises = []
    for day, item, units in more:
        cards[item] += units * books.cards_per_unit[item]
        scarcest = min(cards.values())
        if scarcest > before:
            rises.append((day, scarcest - before))
            before = scarcest
    return now, tuple(rises)
