"""A plan as it is proposed, approved by a second person, and carried out: never silently, never twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from services.common.errors import FailedPrecondition, NotFound
from services.inventory.location import Location
from services.inventory.people import Person, require_other
from services.inventory.planning.runout import Plan
from services.inventory.words import counted


class PlanState(StrEnum):
    """PROPOSED → APPROVED → CARRIED_OUT, or PROPOSED → REJECTED."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    CARRIED_OUT = "carried-out"


@dataclass(frozen=True)
class ProposedShare:
    """What one location gets (or lends, below zero), and why; see
    :class:`services.inventory.planning.runout.Share`.
    """

    location: str
    units: int
    stock: int
    waiting: int
    per_day: float
    days_before: float
    days_after: float
    #: ISO date on which it runs dry with the plan; empty where it is short even so.
    run_dry_after: str
    explanation: str
    #: Working days between the day on which it runs dry and the arrival of what it gets.
    gap_days: float = 0.0


@dataclass(frozen=True)
class Move:
    """A movement that the plan proposes."""

    source: str
    target: str
    units: int


@dataclass(frozen=True)
class Proposal:
    """A plan on its way."""

    plan_id: str
    state: PlanState
    scope: Location
    source: Location
    item: str
    available: int
    lot: int
    minimum: int
    lending: bool
    left_over: int
    days_before: float
    days_after: float
    reason: str
    proposed_by: str
    propose_time: datetime
    shares: tuple[ProposedShare, ...]
    moves: tuple[Move, ...]
    decided_by: str | None = None
    decide_time: datetime | None = None
    decision: str = ""
    carried_out_by: str | None = None
    carry_out_time: datetime | None = None
    allocation_ids: tuple[str, ...] = ()

    def decided(self, state: PlanState, person: Person, decision: str, now: datetime) -> Proposal:
        """The plan after a second person's word. Raises :class:`PermissionDenied` for the first person,
        :class:`FailedPrecondition` when it was decided before.
        """
        self.require(PlanState.PROPOSED, "decided on")
        require_other(person, self.proposed_by)
        return replace(self, state=state, decided_by=person.signature, decide_time=now, decision=decision)

    def carried_out(self, person: Person, allocation_ids: tuple[str, ...], now: datetime) -> Proposal:
        """The plan once its allocations are made."""
        return replace(
            self,
            state=PlanState.CARRIED_OUT,
            carried_out_by=person.signature,
            carry_out_time=now,
            allocation_ids=allocation_ids,
        )

    def require(self, state: PlanState, step: str) -> None:
        """Raises :class:`FailedPrecondition` when the plan is in another state."""
        if self.state is not state:
            raise FailedPrecondition(
                "WRONG_PLAN_STATE",
                f"Plan {self.plan_id} is {self.state} and cannot be {step}.",
                field="plan_id",
                remedy=f"Only a plan that is {state} can be {step}; make a new plan where that is too late.",
                metadata={"plan_id": self.plan_id, "state": self.state.name, "required": state.name},
            )


def moves_of(plan: Plan, source: str, lot: int) -> tuple[Move, ...]:
    """Who sends what to whom, the source by its name."""
    return tuple(Move(each.sender or source, each.receiver, each.lots * lot) for each in plan.shipments)


def overtaken(proposal: Proposal, by: str, on: date) -> FailedPrecondition:
    """The refusal of a plan that reckoned with stock which another plan has since sent."""
    return FailedPrecondition(
        "PLAN_OVERTAKEN",
        f"Plan {by} was carried out on {on}, after plan {proposal.plan_id} was made.",
        field="plan_id",
        remedy="Make a new plan from today's stock.",
        metadata={"plan_id": proposal.plan_id, "overtaken_by": by},
    )


def stale(proposal: Proposal, share: ProposedShare, has: int) -> FailedPrecondition:
    """The refusal of a plan that reckoned with stock which has moved since."""
    return FailedPrecondition(
        "PLAN_STALE",
        f"{share.location} has {counted(has, 'unit')} of {proposal.item} there and under way; "
        f"plan {proposal.plan_id} reckoned with {share.stock:,}, of which it uses {share.per_day:,.1f} a "
        "working day.",
        field="plan_id",
        remedy="Make a new plan from today's stock.",
        metadata={
            "plan_id": proposal.plan_id,
            "location": share.location,
            "planned": str(share.stock),
            "has": str(has),
        },
    )


def unknown(plan_id: str) -> NotFound:
    """The refusal of an id that no plan has."""
    return NotFound(
        "PLAN_UNKNOWN", f"There is no plan {plan_id}.", field="plan_id", remedy="Find it with ListPlans."
    )
