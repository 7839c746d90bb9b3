"""The RPCs of planning: message → office → message."""

from __future__ import annotations

from dataclasses import replace

import grpc
from tunggal.inventory.v1 import planning_pb2 as pb
from tunggal.inventory.v1 import planning_pb2_grpc

from services.common import paging, requests
from services.common.clock import Clock
from services.common.db import Database
from services.common.errors import InvalidArgument
from services.common.moments import moment
from services.inventory.adapter import OPERATORS, READERS, Adapter, after, day, day_or_none, token
from services.inventory.desk import Desk
from services.inventory.journal import Journal, new_id
from services.inventory.ledger import days
from services.inventory.ledger.entries import BLANK
from services.inventory.location import CENTRE, parse
from services.inventory.planning import messages, office, plans, targets
from services.inventory.planning.feasibility import assess
from services.inventory.planning.learned import Lessons
from services.inventory.planning.needs import Terms
from services.inventory.planning.proposal import PlanState, Proposal, unknown
from services.inventory.planning.store import Capacity, Coverage, DemandReport, PlanningStore
from services.inventory.planning.tables import plan as plan_table
from services.inventory.words import counted

#: Who may call what.
ALLOW = {
    "ReportDemand": frozenset({"service/enroll", "operator/*"}),
    "SetCapacity": OPERATORS,
    "GetForecast": READERS,
    "CreatePlan": OPERATORS,
    "ApprovePlan": OPERATORS,
    "RejectPlan": OPERATORS,
    "CarryOutPlan": OPERATORS,
    "GetPlan": READERS,
    "ListPlans": READERS,
    "AssessTarget": READERS,
    "ReportCoverage": OPERATORS,
    "GetCoverage": READERS,
}
_HORIZON = 180
_MOST_PATHS = 50


class PlanningService(Adapter, planning_pb2_grpc.PlanningServiceServicer):
    """Adapter between the contract and planning."""

    def __init__(self, database: Database, journal: Journal, clock: Clock, lead_days: int) -> None:
        super().__init__(database, journal)
        self._clock = clock
        self._lead_days = lead_days
        self._lessons = Lessons()

    def ReportDemand(
        self, request: pb.ReportDemandRequest, context: grpc.ServicerContext
    ) -> pb.ReportDemandResponse:
        """Keeps who waits where."""

        def work(desk: Desk) -> tuple[pb.ReportDemandResponse, str]:
            store = PlanningStore(desk.store.connection)
            for number, each in enumerate(request.demands):
                field = f"demands[{number}]"
                time = moment(each, "time") or desk.clerk.now
                if time > desk.clerk.now:
                    raise _in_future(f"{field}.time")
                store.report(
                    DemandReport(
                        parse(each.location, f"{field}.location"),
                        each.undeduplicated,
                        each.print_ready,
                        each.suket_debt,
                        each.arrivals_28_days,
                        time,
                        each.duplicates_28_days,
                    )
                )
            answer = pb.ReportDemandResponse(locations=len({each.location for each in request.demands}))
            return answer, "demand"

        return self._book(context, request, pb.ReportDemandResponse, work)

    def SetCapacity(
        self, request: pb.SetCapacityRequest, context: grpc.ServicerContext
    ) -> pb.SetCapacityResponse:
        """Keeps what a location has beside stock."""

        def work(desk: Desk) -> tuple[pb.SetCapacityResponse, str]:
            new = request.capacity
            location = parse(new.location, "capacity.location")
            PlanningStore(desk.store.connection).set_capacity(
                Capacity(location, new.printers, new.cards_per_printer_day, new.lead_days)
            )
            return pb.SetCapacityResponse(capacity=new), f"capacities/{location}"

        return self._book(context, request, pb.SetCapacityResponse, work)

    def GetForecast(
        self, request: pb.GetForecastRequest, context: grpc.ServicerContext
    ) -> pb.GetForecastResponse:
        """Forecasts each location of a region."""
        region = parse(request.location or CENTRE, "location")
        with self._read() as store:
            books = office.read(store, region, self._clock.now(), self._lead_days, self._lessons)
        ahead = office.forecast(books, request.horizon_days or _HORIZON)
        looks = ahead.outlooks
        if request.with_path and len(looks) > _MOST_PATHS:
            raise InvalidArgument(
                "TOO_MANY_PATHS",
                f"{len(looks)} locations; paths are sent of at most {_MOST_PATHS}.",
                field="with_path",
                remedy="Ask for the path of one province or regency.",
            )
        return pb.GetForecastResponse(
            start=books.today.isoformat(),
            history_until=messages.iso(books.learned.last),
            forecasts=[messages.forecast(look, books.today, with_path=request.with_path) for look in looks],
            gate=messages.gate(books.gate, books.use, ahead),
        )

    def CreatePlan(
        self, request: pb.CreatePlanRequest, context: grpc.ServicerContext
    ) -> pb.CreatePlanResponse:
        """Proposes who gets how many."""
        scope = parse(request.scope, "scope")
        source = parse(request.source or request.scope, "source")
        item = request.item or BLANK
        now = self._clock.now()
        # Computed before the transaction, which would keep everybody waiting; a repeated request gets its
        # first answer all the same, whatever has become of the stock.
        with self._read() as store:
            first = requests.stored(store.connection, "CreatePlan", request, pb.CreatePlanResponse)
            if first is not None:
                return first
            unit = 1 if item == BLANK else store.item(item).cards_per_unit
            books = office.read(store, scope, now, self._lead_days, self._lessons)
            stock = PlanningStore(store.connection).stock(item)
        free = stock.get(source, 0)
        available = request.available or free
        if available > free:
            raise _more_than_free(source, item, free, available)
        proposal = plans.propose(
            books,
            source,
            Terms(available, request.lot or 1, request.minimum, request.lending),
            item=item,
            reason=request.reason,
            now=now,
            new_id=new_id,
            stock=stock,
            cards_per_unit=unit,
        )

        def work(desk: Desk) -> tuple[pb.CreatePlanResponse, str]:
            signed = replace(proposal, proposed_by=desk.person(request.operator).signature)
            PlanningStore(desk.store.connection).plans.add(signed)
            return pb.CreatePlanResponse(plan=messages.plan(signed)), f"plans/{signed.plan_id}"

        return self._book(context, request, pb.CreatePlanResponse, work)

    def ApprovePlan(
        self, request: pb.ApprovePlanRequest, context: grpc.ServicerContext
    ) -> pb.ApprovePlanResponse:
        """Approves a plan as a second person."""

        def work(desk: Desk) -> tuple[pb.ApprovePlanResponse, str]:
            done = plans.decide(desk, request.plan_id, PlanState.APPROVED, request.operator, "")
            return pb.ApprovePlanResponse(plan=messages.plan(done)), f"plans/{done.plan_id}"

        return self._book(context, request, pb.ApprovePlanResponse, work)

    def RejectPlan(
        self, request: pb.RejectPlanRequest, context: grpc.ServicerContext
    ) -> pb.RejectPlanResponse:
        """Refuses a plan as a second person."""

        def work(desk: Desk) -> tuple[pb.RejectPlanResponse, str]:
            done = plans.decide(desk, request.plan_id, PlanState.REJECTED, request.operator, request.reason)
            return pb.RejectPlanResponse(plan=messages.plan(done)), f"plans/{done.plan_id}"

        return self._book(context, request, pb.RejectPlanResponse, work)

    def CarryOutPlan(
        self, request: pb.CarryOutPlanRequest, context: grpc.ServicerContext
    ) -> pb.CarryOutPlanResponse:
        """Turns an approved plan into allocations."""

        def work(desk: Desk) -> tuple[pb.CarryOutPlanResponse, str]:
            done = plans.carry_out(desk, request.plan_id, request.operator)
            return pb.CarryOutPlanResponse(plan=messages.plan(done)), f"plans/{done.plan_id}"

        return self._book(context, request, pb.CarryOutPlanResponse, work)

    def GetPlan(self, request: pb.GetPlanRequest, context: grpc.ServicerContext) -> pb.GetPlanResponse:
        """Reads a plan."""
        return pb.GetPlanResponse(plan=messages.plan(self._plan(request.plan_id)))

    def ListPlans(self, request: pb.ListPlansRequest, context: grpc.ServicerContext) -> pb.ListPlansResponse:
        """Lists plans in order of entry."""
        state = messages.plan_state(request.state)
        wanted = () if state is None else (plan_table.c.state == state,)
        with self._read() as store:
            page = PlanningStore(store.connection).plans.page(
                after(request.page_token), paging.page_size(request.page_size), *wanted
            )
        return pb.ListPlansResponse(
            plans=[messages.plan(each, with_shares=False) for each in page.items],
            next_page_token=token(page),
        )

    def AssessTarget(
        self, request: pb.AssessTargetRequest, context: grpc.ServicerContext
    ) -> pb.AssessTargetResponse:
        """Judges a target."""
        target, calendar = targets.read(request.target)
        return messages.verdict(assess(target, calendar))

    def ReportCoverage(
        self, request: pb.ReportCoverageRequest, context: grpc.ServicerContext
    ) -> pb.ReportCoverageResponse:
        """Enters recorded and obliged people."""

        def work(desk: Desk) -> tuple[pb.ReportCoverageResponse, str]:
            given = request.coverage
            if given.recorded > given.obliged:
                raise InvalidArgument(
                    "MORE_RECORDED_THAN_OBLIGED",
                    f"{given.recorded:,} recorded of {given.obliged:,} obliged.",
                    field="coverage.recorded",
                    remedy="Send the denominator of the same day, from the same source.",
                )
            of = day(given.day, "coverage.day")
            if of > days.day_of(desk.clerk.now):
                # It could never be taken back, and would be the latest figure until then.
                raise InvalidArgument(
                    "DAY_TO_COME",
                    f"{of} has not come yet: nobody can have counted on it.",
                    field="coverage.day",
                    remedy="Send the day that the figures are of.",
                )
            new = Coverage(
                location=parse(given.location, "coverage.location"),
                day=of,
                recorded=given.recorded,
                obliged=given.obliged,
                source=given.source,
                entry_time=desk.clerk.now,
            )
            PlanningStore(desk.store.connection).add_coverage(new)
            return pb.ReportCoverageResponse(coverage=messages.coverage(new)), f"coverage/{new.location}"

        return self._book(context, request, pb.ReportCoverageResponse, work)

    def GetCoverage(
        self, request: pb.GetCoverageRequest, context: grpc.ServicerContext
    ) -> pb.GetCoverageResponse:
        """Reads the coverage as it was known at a moment."""
        location = parse(request.location, "location")
        known_at = self._past(request, "known_at") or self._clock.now()
        deadline = day_or_none(request.deadline, "deadline")
        with self._read() as store:
            found = PlanningStore(store.connection).coverages(location, known_at)
        return targets.coverage(location, found, request.goal, deadline)

    def _plan(self, plan_id: str) -> Proposal:
        with self._read() as store:
            found = PlanningStore(store.connection).plans.get(plan_id)
        if found is None:
            raise unknown(plan_id)
        return found


def _in_future(field: str) -> InvalidArgument:
    return InvalidArgument(
        "TIME_IN_FUTURE", "The report is of a time to come.", field=field, remedy="Check the sender's clock."
    )


def _more_than_free(source: str, item: str, free: int, asked: int) -> InvalidArgument:
    return InvalidArgument(
        "MORE_THAN_FREE",
        f"{source} has {counted(free, 'free unit')} of {item}, the plan is to share out {asked}.",
        field="available",
        remedy="Share out no more than is free; 0 takes all of it.",
        metadata={"location": source, "has": str(free), "asked": str(asked)},
    )
