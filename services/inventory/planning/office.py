"""From the books to a forecast: what is read, what is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.contracts.entitlement import Use
from services.inventory.contracts.store import ContractStore
from services.inventory.ledger import days
from services.inventory.ledger.entries import BLANK
from services.inventory.location import CENTRE, Location
from services.inventory.planning import country, demand, history, outlook
from services.inventory.planning.calendar import DayKind, WorkCalendar
from services.inventory.planning.demand import Demand
from services.inventory.planning.funnel import Gate, Site
from services.inventory.planning.history import Used
from services.inventory.planning.outlook import Ahead, Elsewhere, Outlook, Supply
from services.inventory.planning.reasons import Reasons, of_use
from services.inventory.planning.store import Capacity, Coming, DemandReport, PlanningStore, lead_time
from services.inventory.store import Store

#: Reports that are older say nothing about today.
_REPORT_LASTS: Final = timedelta(days=7)
#: Days of use that are told beside a forecast.
_LATELY: Final = 84


@dataclass(frozen=True)
class Books:
    """What was read of the books of a region, at one moment."""

    today: date
    used: Used | None
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
    elsewhere: Elsewhere | None = None
    #: Sites whose event is over: nobody comes there any more.
    closed: frozenset[str] = frozenset()
    #: Last days of those that are open.
    closing: Mapping[str, date] = field(default_factory=dict)

    @property
    def locations(self) -> tuple[str, ...]:
        """Those that used blanks or reported demand."""
        return self.used.locations if self.used is not None else tuple(sorted(self.reports))


def read(store: Store, region: Location, now: datetime, default_lead_days: int) -> Books:
    """Everything that a forecast of ``region`` is made of."""
    planning, today = PlanningStore(store.connection), days.day_of(now)
    reports = planning.reports(region, today - _REPORT_LASTS)
    everywhere = reports if region == CENTRE else planning.reports(CENTRE, today - _REPORT_LASTS)
    use = ContractStore(store.connection).use()
    gate = country.gate_of(store, today, use, everywhere)
    # The gate is the country's: a region gets its share of what is left, not all of it.
    shared = region != CENTRE and (gate.people_left is not None or gate.searches_per_day is not None)
    coming: dict[str, list[Coming]] = {}
    for each in planning.coming(region, item=None):
        coming.setdefault(each.location, []).append(each)
    return Books(
        today=today,
        used=history.read(store.connection, region, also=tuple(reports)),
        reports=reports,
        capacities=planning.capacities(region),
        stock=planning.stock(region),
        coming=coming,
        consumables=planning.cards_of_consumables(region),
        cards_per_unit=planning.cards_per_unit(),
        gate=gate,
        lead_days=lead_time(store.connection, now - timedelta(days=365)) or default_lead_days,
        use=use,
        elsewhere=country.elsewhere_of(planning, region, today, everywhere) if shared else None,
        closed=planning.closed_sites(),
        closing=planning.closing_days(),
    )


def forecast(books: Books, horizon: int) -> Ahead:
    """The outlook of each location that prints, ordered by code, and of the gate."""
    locations = books.locations
    if not locations:
        return Ahead([])
    calendar = country.calendar_around(books.today, horizon)
    model, rates = _demand(books, calendar)
    supplies = [_supply(books, location, calendar) for location in locations]
    sites = outlook.with_spoilage(
        [_site(books, location, supply) for location, supply in zip(locations, supplies, strict=True)], rates
    )
    ahead = [row for row, location in enumerate(locations) if _prints(books, row, location)]
    if not ahead:
        return Ahead([])
    found = outlook.look_ahead(
        [sites[row] for row in ahead],
        [supplies[row] for row in ahead],
        model.of(ahead),
        books.gate,
        calendar,
        books.today,
        horizon,
        books.elsewhere,
    )
    told = _told_days(books.used, calendar) if books.used is not None else np.zeros(len(locations), np.int64)
    explained = (
        _explained(books, look, model, row, int(told[row]))
        for look, row in zip(found.outlooks, ahead, strict=True)
    )
    return replace(found, outlooks=list(explained))


def _told_days(used: Used, calendar: WorkCalendar) -> npt.NDArray[np.int64]:
    """Working days on which the use of each location told its demand; 0 where nothing was ever used."""
    worked = calendar.days(used.start, used.empty.shape[1]).kinds <= DayKind.FRIDAY
    told: npt.NDArray[np.int64] = (worked & ~used.empty).sum(axis=1)
    return np.where(used.taken.any(axis=1), told, 0)


def _explained(books: Books, look: Outlook, model: Demand, row: int, told_days: int) -> Outlook:
    """The outlook with what its demand is made of, and what was used lately."""
    used, closes = books.used, books.closing.get(look.location)
    if used is None:
        arrivals = books.reports[look.location].arrivals if look.reported else None
        return replace(look, reasons=Reasons(arrivals=arrivals, closes=closes))
    part = slice(-_LATELY, None)
    look = replace(look, used=used.taken[row, part], empty=used.empty[row, part])
    if look.reported:
        return replace(look, reasons=Reasons(arrivals=books.reports[look.location].arrivals, closes=closes))
    return replace(look, reasons=of_use(model, row, used.last, told_days, closes))


def _prints(books: Books, row: int, location: str) -> bool:
    """Whether cards are made there: not at a site that has closed, nor in a store where a box got wet. Their
    history tells how days differ, but they have no days ahead.
    """
    if location in books.closed:
        return False
    return location in books.reports or books.used is None or bool(books.used.consumed[row].any())


def _demand(books: Books, calendar: WorkCalendar) -> tuple[Demand, outlook.Array]:
    count = len(books.locations)
    used = books.used
    if used is None:
        eve = calendar.days(books.today - timedelta(days=1), 1)
        return demand.fit(np.zeros((count, 1)), eve), np.zeros(count)
    seen = calendar.days(used.start, used.consumed.shape[1])
    # A letter or a campaign of years ago says nothing about how cards are handled today.
    rates = outlook.spoilage_rates(*used.handled(365))
    return demand.fit(used.known, seen, used.taken), rates


def _supply(books: Books, location: str, calendar: WorkCalendar) -> Supply:
    capacity, report = books.capacities.get(location), books.reports.get(location)
    lead_days = capacity.lead_days if capacity and capacity.lead_days else books.lead_days
    return Supply(
        lead_days, country.arrivals_of(report, calendar) if report else None, books.closing.get(location)
    )


def _site(books: Books, location: str, supply: Supply) -> Site:
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
