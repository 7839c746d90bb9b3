"""From the books to a plan: proposed, decided on by a second person, carried out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from math import ceil, inf
from typing import Final

from services.common.errors import FailedPrecondition
from services.inventory.desk import Desk
from services.inventory.ledger import days
from services.inventory.location import Location
from services.inventory.movements.shipping import Shipping
from services.inventory.planning import runout
from services.inventory.planning.calendar import WorkCalendar, calendar_around
from services.inventory.planning.needs import Need, Terms
from services.inventory.planning.office import Books, forecast
from services.inventory.planning.outlook import Outlook
from services.inventory.planning.proposal import (
    PlanState,
    Proposal,
    ProposedShare,
    moves_of,
    overtaken,
    stale,
    unknown,
)
from services.inventory.planning.store import PlanningStore
from services.inventory.words import counted

#: Working days in which those who wait are served where nothing else is known of the use.
_MONTH: Final = 20
#: Blanks on a working day, of a place that needs no share: it stopped years ago.
_HARDLY_USED: Final = 0.01
#: Days of use by which stock may differ from what a plan reckoned with, and more for each day since.
_DRIFT: Final = 2.0
_DRIFT_A_DAY: Final = 1.0


def propose(
    books: Books,
    source: Location,
    terms: Terms,
    *,
    item: str,
    reason: str,
    now: datetime,
    new_id: Callable[[], str],
    stock: dict[str, int],
    cards_per_unit: int,
) -> Proposal:
    """A plan for every location of the region but the source, not yet signed by anybody; ``stock`` is that
    of ``item``.

    Raises :class:`InvalidArgument` where nothing is used, :class:`FailedPrecondition` where nothing can be
    shared.
    """
    if terms.available < terms.lot and not terms.lending:
        raise FailedPrecondition(
            "NOTHING_TO_SHARE",
            f"{source} has {counted(terms.available, 'free unit')} of {item}, less than one lot of "
            f"{terms.lot}.",
            field="available",
            remedy="Plan from another source (ID, with as much of it as this scope may have), "
            "with a smaller lot, or once the next delivery is in.",
        )
    looks = [
        look
        for look in forecast(books, 30).outlooks
        if look.location != source and _per_day(look) >= _HARDLY_USED
    ]
    calendar = calendar_around(books.today, 3650)
    coming = {
        location: sum(each.units for each in under_way if each.item == item)
        for location, under_way in books.coming.items()
    }
    needs = [
        Need(
            location=look.location,
            stock=stock.get(look.location, 0) + coming.get(look.location, 0),
            waiting=ceil(look.waiting / (1 - look.spoilage) / cards_per_unit),
            per_day=_per_day(look) / cards_per_unit,
            coming=coming.get(look.location, 0),
            lead_days=calendar.worked_between(books.today, books.today + timedelta(days=look.lead_days - 1)),
            open_days=_open_days(look, books.today, calendar),
        )
        for look in looks
    ]
    plan = runout.plan(needs, terms)
    shares = tuple(
        ProposedShare(
            location=share.need.location,
            units=share.units,
            stock=share.need.stock,
            waiting=share.need.waiting,
            per_day=share.need.per_day,
            days_before=share.before,
            days_after=share.after,
            run_dry_after=_day_after(calendar, books.today, share.after),
            explanation=share.explanation,
            gap_days=share.gap,
        )
        for share in plan.shares
    )
    return Proposal(
        plan_id=new_id(),
        state=PlanState.PROPOSED,
        scope=books.region,
        source=source,
        item=item,
        available=terms.available,
        lot=terms.lot,
        minimum=terms.minimum,
        lending=terms.lending,
        left_over=plan.left_over,
        days_before=plan.earliest_before,
        days_after=plan.earliest_after,
        reason=reason,
        proposed_by="",
        propose_time=now,
        shares=shares,
        moves=moves_of(plan, source, terms.lot),
    )


def decide(desk: Desk, plan_id: str, state: PlanState, operator: str, decision: str) -> Proposal:
    """Approve or reject a plan as a second person. Raises :class:`FailedPrecondition` for the approval of one
    that reckoned with other stock than there is.
    """
    store = PlanningStore(desk.store.connection)
    plans = store.plans
    found = plans.get(plan_id, lock=True)
    if found is None:
        raise unknown(plan_id)
    found.require(PlanState.PROPOSED, "decided on")
    if state is PlanState.APPROVED:
        _require_fresh(store, found, desk.clerk.now)
    after = found.decided(state, desk.person(operator), decision, desk.clerk.now)
    plans.save(after)
    return after


def carry_out(desk: Desk, plan_id: str, operator: str) -> Proposal:
    """Make the allocations of an approved plan, all or none, each with its explanation as the reason."""
    store = PlanningStore(desk.store.connection)
    found = store.plans.get(plan_id, lock=True)
    if found is None:
        raise unknown(plan_id)
    found.require(PlanState.APPROVED, "carried out")
    _require_fresh(store, found, desk.clerk.now)
    shipping = Shipping(desk)
    why = {share.location: share.explanation for share in found.shares}
    shipping.lock_all(found.item, ((Location(move.source), Location(move.target)) for move in found.moves))
    made = tuple(
        shipping.allocate(
            Location(move.source),
            Location(move.target),
            move.units,
            f"Plan {plan_id}: {why[move.target]}"[:500],
            found.item,
        ).allocation_id
        for move in found.moves
    )
    after = found.carried_out(desk.person(operator), made, desk.clerk.now)
    store.plans.save(after)
    return after


def _require_fresh(store: PlanningStore, plan: Proposal, now: datetime) -> None:
    """Raises :class:`FailedPrecondition` when another plan has shared the same stock out, or when a location
    has come to have so much more or less than the plan reckoned with that its use does not explain it.
    """
    later = store.carried_out_since(plan)
    if later is not None and later.carry_out_time is not None:
        raise overtaken(plan, later.plan_id, days.day_of(later.carry_out_time))
    has = store.stock(plan.item)
    for each in store.coming(plan.item):
        has[each.location] = has.get(each.location, 0) + each.units
    made, today = days.day_of(plan.propose_time), days.day_of(now)
    since = calendar_around(today).worked_between(made, today - timedelta(days=1))
    for share in plan.shares:
        usual = share.stock - share.per_day * since
        drift = (_DRIFT + _DRIFT_A_DAY * since) * share.per_day + plan.lot
        if abs(has.get(share.location, 0) - max(usual, 0)) > drift:
            raise stale(plan, share, has.get(share.location, 0))


def _per_day(look: Outlook) -> float:
    """Blanks on a working day: where nobody knows, those who wait are to be served within a month."""
    return look.per_day or look.waiting / (1 - look.spoilage) / _MONTH


def _open_days(look: Outlook, today: date, calendar: WorkCalendar) -> float:
    closes = look.reasons.closes
    return inf if closes is None else calendar.worked_between(today, closes)


def _day_after(calendar: WorkCalendar, start: date, working_days: float) -> str:
    """The day on which stock for so many working days is used up; empty where it is already."""
    if working_days <= 0:
        return ""
    return calendar.nth_worked(start, min(ceil(working_days), 2500)).isoformat()
