"""Values of planning as messages of the contract."""

from __future__ import annotations

from datetime import date

import numpy as np
from tunggal.inventory.v1 import planning_pb2 as pb

from services.common.moments import timestamp
from services.inventory.contracts.entitlement import Use
from services.inventory.planning.feasibility import Bottleneck, Verdict
from services.inventory.planning.funnel import Gate, Span
from services.inventory.planning.outlook import Ahead, Outlook
from services.inventory.planning.proposal import PlanState, Proposal
from services.inventory.planning.reasons import explained
from services.inventory.planning.store import Coverage

_PLAN_STATES = {
    PlanState.PROPOSED: pb.PLAN_STATE_PROPOSED,
    PlanState.APPROVED: pb.PLAN_STATE_APPROVED,
    PlanState.REJECTED: pb.PLAN_STATE_REJECTED,
    PlanState.CARRIED_OUT: pb.PLAN_STATE_CARRIED_OUT,
}
_STATES_BY_NUMBER: dict[int, PlanState] = {int(number): state for state, number in _PLAN_STATES.items()}
_BOTTLENECKS = {
    Bottleneck.PRINTERS: pb.BOTTLENECK_PRINTERS,
    Bottleneck.OPERATORS: pb.BOTTLENECK_OPERATORS,
    Bottleneck.BLANKS: pb.BOTTLENECK_BLANKS,
}


def plan_state(number: int) -> PlanState | None:
    """The state that a filter asks for; ``None`` for any."""
    return _STATES_BY_NUMBER.get(number)


def forecast(look: Outlook, today: date, *, with_path: bool) -> pb.LocationForecast:
    """What lies ahead of one location."""
    expected, high, low = look.path if with_path else ((), (), ())
    why = look.reasons
    return pb.LocationForecast(
        location=look.location,
        on_hand=look.on_hand,
        in_transit=look.inbound,
        overdue=look.overdue,
        allocated=look.allocated,
        undeduplicated=look.undeduplicated,
        waiting=look.waiting,
        spoilage=look.spoilage,
        per_working_day=look.per_day,
        from_reports=look.reported,
        run_dry=iso(look.run_dry),
        run_dry_early=iso(look.run_dry_early),
        run_dry_late=iso(look.run_dry_late),
        lead_days=look.lead_days,
        reorder_point=look.reorder_point,
        order_by=iso(look.order_by),
        spans=map(_span, look.spans),
        served=iso(look.served),
        expected_blanks=expected,
        blanks_high_demand=high,
        blanks_low_demand=low,
        suket_debt=look.suket_debt,
        explanation=explained(why, look.per_day, look.waiting + look.undeduplicated, today),
        changed_since=iso(why.changed_since),
        change=why.change,
        surging_since=iso(why.surging_since),
        surge=why.surge,
        growth_per_year=why.growth,
        closes=iso(why.closes),
        used=map(int, look.used) if with_path else (),
        empty_days=map(int, np.flatnonzero(look.empty)) if with_path else (),
        expected_use=look.use if with_path else (),
    )


def gate(value: Gate, use: Use | None, ahead: Ahead) -> pb.AbisGate:
    """What lets people through to a card."""
    return pb.AbisGate(
        licence_until=iso(value.licence_until),
        maintenance_until=iso(value.maintenance_until),
        max_people=value.max_people or 0,
        people=use.people if use else 0,
        people_time=timestamp(use.time if use else None),
        arrivals_per_working_day=ahead.arrivals_per_day,
        full_on=iso(ahead.full_on),
        max_searches_per_day=value.searches_per_day or 0,
        duplicates=value.duplicates,
        opens=iso(value.opens),
    )


def plan(value: Proposal, *, with_shares: bool = True) -> pb.Plan:
    """A plan."""
    found = pb.Plan(
        plan_id=value.plan_id,
        state=_PLAN_STATES[value.state],
        scope=value.scope,
        source=value.source,
        item=value.item,
        available=value.available,
        lot=value.lot,
        minimum=value.minimum,
        lending=value.lending,
        left_over=value.left_over,
        days_before=value.days_before,
        days_after=value.days_after,
        reason=value.reason,
        proposed_by=value.proposed_by,
        propose_time=timestamp(value.propose_time),
        decided_by=value.decided_by or "",
        decide_time=timestamp(value.decide_time),
        decision=value.decision,
        allocation_ids=value.allocation_ids,
    )
    if with_shares:
        found.shares.extend(
            pb.PlanShare(
                location=share.location,
                units=share.units,
                stock=share.stock,
                waiting=share.waiting,
                per_working_day=share.per_day,
                days_before=share.days_before,
                days_after=share.days_after,
                run_dry_after=share.run_dry_after,
                explanation=share.explanation,
                gap_days=share.gap_days,
            )
            for share in value.shares
        )
        found.moves.extend(
            pb.PlanMove(from_location=move.source, to_location=move.target, units=move.units)
            for move in value.moves
        )
    return found


def verdict(value: Verdict) -> pb.AssessTargetResponse:
    """Whether a target can be met."""
    return pb.AssessTargetResponse(
        feasible=value.feasible,
        working_days=value.working_days,
        needed_per_printer_day=value.needed_per_printer_day,
        cards_per_day=value.per_day,
        days_of_work=value.days_of_work,
        finish=iso(value.finish),
        later_than=iso(value.later_than),
        bottleneck=_BOTTLENECKS[value.bottleneck],
        blanks_needed=value.blanks_needed,
        blanks_missing=value.blanks_missing,
        printers_needed=value.printers_needed or 0,
        hours_needed=value.hours_needed or 0.0,
        operators_needed=value.operators_needed or 0,
        cards_by_deadline=value.cards_by_deadline,
        advice=value.advice,
    )


def coverage(value: Coverage) -> pb.Coverage:
    """Recorded and obliged people of a region on a day."""
    return pb.Coverage(
        location=value.location,
        day=value.day.isoformat(),
        recorded=value.recorded,
        obliged=value.obliged,
        source=value.source,
        entry_time=timestamp(value.entry_time),
    )


def _span(span: Span) -> pb.ConstraintSpan:
    return pb.ConstraintSpan(
        constraint=pb.Constraint.ValueType(span.constraint),
        first_day=span.first.isoformat(),
        last_day=span.last.isoformat(),
        held=round(span.held),
    )


def iso(day: date | None) -> str:
    """The day as messages have it: empty for none."""
    return "" if day is None else day.isoformat()
