"""Targets and coverage: what a request asks for as values, and what is answered to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import MAXYEAR, date

from tunggal.inventory.v1 import planning_pb2 as pb

from services.common.errors import InvalidArgument, NotFound
from services.inventory.adapter import day
from services.inventory.planning import messages
from services.inventory.planning.calendar import WorkCalendar, indonesia
from services.inventory.planning.feasibility import Target, coverage_rate, most_needed
from services.inventory.planning.store import Coverage

#: A deadline further away than this is no plan for anybody, and no finish is reckoned beyond it.
_LONGEST_TARGET_YEARS = 10
_LONGEST_GOAL_YEARS = 50
#: What an answer can count: of a target that takes more, some figure is wrong.
_MOST_NEEDED = 2**31 - 1


def read(given: pb.Target) -> tuple[Target, WorkCalendar]:
    """The target that a request asks about, with the calendar that it is judged by.

    Raises :class:`InvalidArgument` for a target without a rate, without a working day, or out of sight.
    """
    start, deadline = day(given.start, "target.start"), day(given.deadline, "target.deadline")
    target = Target(
        cards=given.cards,
        start=start,
        deadline=deadline,
        printers=given.printers,
        per_printer_day=given.cards_per_printer_day or None,
        hours_per_day=given.hours_per_day or 8.0,
        minutes_per_card=given.minutes_per_card or None,
        operators=given.operators or None,
        operator_minutes_per_card=given.operator_minutes_per_card or None,
        spoilage=given.spoilage,
        blanks=given.blanks if given.HasField("blanks") else None,
    )
    _check(target)
    calendar = indonesia(start.year, start.year + _LONGEST_TARGET_YEARS)
    worked = calendar.worked_between(start, deadline)
    if worked < 1:
        raise _no_day_left("target.deadline")
    if most_needed(target, worked) > _MOST_NEEDED:
        raise InvalidArgument(
            "TARGET_OUT_OF_SIGHT",
            f"The target takes more than {_MOST_NEEDED:,} printers or operators.",
            field="target.cards",
            remedy="Check cards, deadline, hours and rates.",
        )
    return target, calendar


def coverage(
    location: str, known: Sequence[Coverage], goal: float, deadline: date | None
) -> pb.GetCoverageResponse:
    """The latest of the figures that were known, all of them, and what ``goal`` needs from each working day.

    Raises :class:`NotFound` where nothing is known, :class:`InvalidArgument` where no day is left.
    """
    if not known:
        raise NotFound(
            "COVERAGE_UNKNOWN",
            f"Nothing is known of the coverage of {location}.",
            field="location",
            remedy="Enter it with ReportCoverage.",
        )
    # Of one day the word that was entered last counts.
    latest = max(known, key=lambda each: (each.day, each.entry_time))
    answer = pb.GetCoverageResponse(
        latest=messages.coverage(latest),
        history=map(messages.coverage, known),
        share=latest.recorded / latest.obliged,
    )
    if not goal:
        return answer
    if deadline is None:
        raise _no_day_left("deadline")
    if deadline.year > latest.day.year + _LONGEST_GOAL_YEARS:
        raise InvalidArgument(
            "GOAL_OUT_OF_SIGHT",
            f"The deadline is more than {_LONGEST_GOAL_YEARS} years after the figures of {latest.day}.",
            field="deadline",
            remedy="Check the deadline; no calendar of working days reaches that far.",
        )
    calendar = indonesia(latest.day.year, max(latest.day.year, deadline.year))
    worked = calendar.worked_between(latest.day, deadline)
    if worked < 1:
        raise _no_day_left("deadline")
    rate = coverage_rate(latest.recorded, latest.obliged, goal, latest.day, deadline, calendar)
    answer.missing = round(rate * worked)
    answer.working_days, answer.needed_per_working_day = worked, rate
    return answer


def _check(target: Target) -> None:
    if target.per_printer_day is None and target.minutes_per_card is None:
        raise InvalidArgument(
            "NO_RATE",
            "The target says neither how many cards a printer makes nor how long one takes.",
            field="target.cards_per_printer_day",
            remedy="Send cards_per_printer_day (about 100 in practice) or minutes_per_card.",
        )
    last_year = target.start.year + _LONGEST_TARGET_YEARS
    if last_year >= MAXYEAR:
        raise InvalidArgument(
            "TARGET_OUT_OF_SIGHT",
            f"No calendar goes beyond the year {MAXYEAR}.",
            field="target.start",
            remedy="Check the first day.",
        )
    if target.deadline > date(last_year, 12, 31):
        raise InvalidArgument(
            "TARGET_OUT_OF_SIGHT",
            f"The deadline is more than {_LONGEST_TARGET_YEARS} years after the first day.",
            field="target.deadline",
            remedy="Check the deadline; split the target into years.",
        )


def _no_day_left(field: str) -> InvalidArgument:
    return InvalidArgument(
        "NO_WORKING_DAY",
        "There is no working day from the start to the deadline.",
        field=field,
        remedy="Send a later deadline; weekends, holidays and joint leave do not count.",
    )
