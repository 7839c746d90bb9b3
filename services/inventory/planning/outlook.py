"""The forecast of every location: when it runs dry and how sure that is, when to order, and what binds
meanwhile.

Demand comes from a location's own use (:mod:`demand`), or from the arrivals that enroll reports, where it
does; who waits already is demand at once. Three futures are lived through (:mod:`funnel`): the expected one,
and those in which demand is as low and as high as it is in one case of ten. In the last one what should have
arrived and has not is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from math import ceil
from typing import Final

import numpy as np
import numpy.typing as npt

from services.inventory.planning.calendar import DayKind, Days, WorkCalendar
from services.inventory.planning.demand import Demand
from services.inventory.planning.funnel import Flow, Gate, Site, Span, simulate
from services.inventory.planning.reasons import Reasons

Array = npt.NDArray[np.float64]

#: The futures between which four of five come true.
LOW: Final = 0.1
HIGH: Final = 0.9
#: Demand during the lead time is covered in nineteen of twenty cases.
SERVICE_LEVEL: Final = 0.95
#: The spoilage of all locations weighs like this many blanks of one's own.
_SPOILAGE_PRIOR: Final = 200.0


@dataclass(frozen=True)
class Supply:
    """How a location is supplied and what its demand is known from."""

    #: Calendar days from order to receipt.
    lead_days: int
    #: New people a working day as enroll reports them; ``None`` where it does not.
    arrivals_per_day: float | None = None
    #: Last day of a site: nobody comes after it.
    closes: date | None = None


@dataclass(frozen=True)
class Outlook:
    """What lies ahead of one location."""

    location: str
    on_hand: int
    #: Blanks on their way, those of them that should have arrived, and blanks set aside but not sent.
    inbound: int
    overdue: int
    allocated: int
    #: People who wait, for deduplication and for a card.
    undeduplicated: int
    waiting: int
    #: Those of them with a paper letter.
    suket_debt: int
    spoilage: float
    #: Blanks on an ordinary working day.
    per_day: float
    #: Whether that follows arrivals that were reported, not own use.
    reported: bool
    #: First day on which somebody waits for a blank: expected, and the ends of the 80 % interval; ``None``
    #: beyond the horizon.
    run_dry: date | None
    run_dry_early: date | None
    run_dry_late: date | None
    lead_days: int
    #: When stock and what is under way fall to this, it is time to order.
    reorder_point: int
    #: Last day for an order to arrive in time in the early case; ``None`` when none is needed within the
    #: horizon.
    order_by: date | None
    #: What holds cards back, and when.
    spans: tuple[Span, ...]
    #: First evening on which nobody waits.
    served: date | None
    #: Blanks left each evening: expected, and with high and low demand.
    path: tuple[Array, Array, Array]
    #: Blanks that are expected to be wanted on each day.
    use: Array
    #: What the demand is made of.
    reasons: Reasons = field(default_factory=Reasons)
    #: Blanks used on the last days, oldest first, and which of them ended with an empty shelf.
    used: Array = field(default_factory=lambda: np.zeros(0))
    empty: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))


@dataclass(frozen=True)
class Ahead:
    """The outlooks of a region, and the gate that they share with the country."""

    outlooks: list[Outlook]
    #: The day on which the licence is full.
    full_on: date | None
    #: People of the whole country who come on a working day.
    arrivals_per_day: float


def look_ahead(
    sites: Sequence[Site],
    supplies: Sequence[Supply],
    demand: Demand,
    gate: Gate,
    calendar: WorkCalendar,
    start: date,
    horizon: int,
    wanted: Sequence[int],
) -> Ahead:
    """The outlook of each of the sites that are ``wanted`` (by their place in ``sites``, which are those of
    the whole country) for ``horizon`` days from ``start`` on.
    """
    yields = 1.0 - np.array([site.spoilage for site in sites])
    model = _reported(demand, supplies, yields)
    coming_today = [supply.closes is None or supply.closes >= start for supply in supplies]
    arrivals_per_day = float((model.level * yields * coming_today).sum())
    if not gate.is_shared:
        # Nobody is in the way of anybody: only those who are asked for are lived through.
        sites, supplies = [sites[k] for k in wanted], [supplies[k] for k in wanted]
        yields, model, wanted = yields[wanted], model.of(wanted), range(len(wanted))
    # An order of the last day arrives a lead time later: whether it is needed is seen only there.
    farthest = horizon + max((supply.lead_days for supply in supplies), default=0)
    days = calendar.days(start, farthest)
    still_open = _still_open(supplies, start, farthest)

    def live(quantile: float | None) -> Flow:
        new = np.diff(model.sums(days, quantile), axis=1, prepend=0.0) * yields[:, None] * still_open
        # Use and reports tell of people who got through the gate; doubles come to it beside them.
        arrivals = new / (1.0 - gate.duplicates)
        # Where things go badly, what is overdue is lost.
        supplied = [_without_overdue(site, start) for site in sites] if quantile == HIGH else sites
        return simulate(supplied, gate, arrivals, days.kinds <= DayKind.FRIDAY, start)

    expected, most, least = live(None), live(HIGH), live(LOW)
    reorder = _reorder_points(model, days, sites, supplies, still_open, expected, gate.duplicates)
    needed = most.run_dry()
    middle, high, low = (future.first(horizon) for future in (expected, most, least))
    use = model.path(days[:horizon]) * still_open[:, :horizon]
    dry, early, late = middle.run_dry(), high.run_dry(), low.run_dry()
    served = middle.served()
    found = []
    for row in wanted:
        site, supply = sites[row], supplies[row]
        # Where printers bind, futures differ by hardly a day, and the one with less demand may be the
        # earlier.
        ends = sorted((early[row] or date.max, dry[row] or date.max, late[row] or date.max))
        first, last = (None if end == date.max else end for end in (ends[0], ends[-1]))
        found.append(
            Outlook(
                location=site.location,
                on_hand=int(site.blanks),
                inbound=int(sum(quantity for _, quantity in site.inbound) - site.allocated),
                overdue=int(sum(quantity for day, quantity in site.inbound if day < start)),
                allocated=int(site.allocated),
                undeduplicated=int(site.undeduplicated),
                waiting=int(site.waiting),
                suket_debt=int(site.suket_debt),
                spoilage=site.spoilage,
                per_day=float(model.level[row]),
                reported=supply.arrivals_per_day is not None,
                run_dry=dry[row],
                run_dry_early=first,
                run_dry_late=last,
                lead_days=supply.lead_days,
                reorder_point=reorder[row],
                order_by=_order_by(first or needed[row], supply, start, horizon),
                spans=tuple(middle.spans(row)),
                served=served[row],
                path=(middle.blanks[row], high.blanks[row], low.blanks[row]),
                use=use[row],
            )
        )
    return Ahead(found, middle.full_on, arrivals_per_day)


def _order_by(dry: date | None, supply: Supply, start: date, horizon: int) -> date | None:
    """The last day for an order to arrive before the shelf is dry; ``None`` where it is after the horizon, or
    where nothing would arrive before the site closes.
    """
    if dry is None:
        return None
    lead = timedelta(supply.lead_days)
    last = max(dry - lead, start)
    too_late = supply.closes is not None and last + lead > supply.closes
    return None if too_late or last >= start + timedelta(horizon) else last


def _without_overdue(site: Site, today: date) -> Site:
    return replace(site, inbound=tuple(each for each in site.inbound if each[0] >= today))


def spoilage_rates(consumed: Array, spoiled: Array) -> Array:
    """Share of blanks spoiled at each location, drawn to that of all where few were used; shape of the
    inputs.
    """
    common = float(spoiled.sum()) / max(float(consumed.sum() + spoiled.sum()), 1.0)
    rate = (spoiled + common * _SPOILAGE_PRIOR) / (consumed + spoiled + _SPOILAGE_PRIOR)
    return np.asarray(np.minimum(rate, 0.9))


def _reported(demand: Demand, supplies: Sequence[Supply], yields: Array) -> Demand:
    """The demand with levels that follow the arrivals which are reported; week, season and spread stay those
    of the use.
    """
    reported = np.array([np.nan if s.arrivals_per_day is None else s.arrivals_per_day for s in supplies])
    own = np.isnan(reported)
    return replace(
        demand,
        level=np.where(own, demand.level, reported / yields),
        growth=np.where(own, demand.growth, 0.0),
        reach=np.where(own[:, None], demand.reach, 0.0),
    )


def _still_open(supplies: Sequence[Supply], start: date, days: int) -> npt.NDArray[np.bool_]:
    """Whether anybody comes on each day, shape (sites, days)."""
    last = [days if supply.closes is None else (supply.closes - start).days for supply in supplies]
    return np.arange(days)[None] <= np.array(last)[:, None]


def _reorder_points(
    demand: Demand,
    days: Days,
    sites: Sequence[Site],
    supplies: Sequence[Supply],
    still_open: npt.NDArray[np.bool_],
    expected: Flow,
    doubles: float,
) -> list[int]:
    """Blanks that suffice from order to receipt: for those who come, with the probability of the service
    level; for those who wait for a card, and whom the gate is expected to let through by then.
    """
    wanted = np.diff(demand.sums(days, SERVICE_LEVEL), axis=1, prepend=0.0)
    come = np.pad(np.cumsum(wanted * still_open, axis=1), ((0, 0), (1, 0)))
    points = []
    for row, (site, supply) in enumerate(zip(sites, supplies, strict=True)):
        queue = site.undeduplicated, *expected.undeduplicated[row, : supply.lead_days]
        through = max(queue[0] - queue[-1], 0.0) * (1.0 - doubles)
        points.append(ceil(come[row, supply.lead_days] + (site.waiting + through) / (1.0 - site.spoilage)))
    return points
