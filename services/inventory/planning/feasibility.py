"""Whether a target can be met: so many cards until a date, with these printers, people, hours and blanks.

Latency is not throughput: a card that takes 15 minutes from the first key to the hand is not a card every 15
minutes of the office. The planner counts what each resource yields on a working day, takes the least, and
says on which day that is done and what would have to change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from math import ceil, floor, inf

from services.inventory.planning.calendar import WorkCalendar
from services.inventory.words import counted


class Bottleneck(StrEnum):
    """The resource that yields the least."""

    PRINTERS = "printers"
    OPERATORS = "operators"
    BLANKS = "blanks"


@dataclass(frozen=True)
class Target:
    """What is promised, and with what. ``None`` stands for no limit that is known."""

    cards: int
    start: date
    deadline: date
    printers: int
    #: Cards that one printer makes on a working day as seen in practice; if ``None``, from hours and minutes.
    per_printer_day: float | None = None
    hours_per_day: float = 8.0
    #: Minutes that one card occupies its printer.
    minutes_per_card: float | None = None
    operators: int | None = None
    #: Minutes of an operator's day that one card takes.
    operator_minutes_per_card: float | None = None
    #: Share of blanks that become no card.
    spoilage: float = 0.0
    #: Blanks on hand.
    blanks: int | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether it can be done, and what it would take."""

    feasible: bool
    working_days: int
    #: Cards that each printer would have to make on each working day.
    needed_per_printer_day: float
    #: Cards a working day with what there is.
    per_day: float
    #: Working days of work at that rate, not rounded.
    days_of_work: float
    #: The day on which the last card is made; ``None`` where the blanks end first, or where it is later than
    #: the calendar reaches.
    finish: date | None
    #: The last day of the calendar, where the last card is made after it and the blanks last.
    later_than: date | None
    bottleneck: Bottleneck
    blanks_needed: int
    blanks_missing: int
    #: Printers that alone would make it feasible, the rest as it is; ``None`` where operators are short, too.
    printers_needed: int | None
    #: Hours a day that alone would; ``None`` where a day has too few.
    hours_needed: float | None
    #: Operators that the target takes, however many printers there are; ``None`` where that is unknown.
    operators_needed: int | None
    cards_by_deadline: int
    advice: tuple[str, ...]


def assess(target: Target, calendar: WorkCalendar) -> Verdict:
    """Judge ``target``. Raises :class:`ValueError` where it is no target: no cards, no printers, no rate, no
    days.
    """
    days = calendar.worked_between(target.start, target.deadline)
    if min(target.cards, target.printers) < 1 or days < 1 or not 0 <= target.spoilage < 1:
        raise ValueError(f"not a target: {target}")
    rate = _printer_rate(target)
    if rate <= 0:
        raise ValueError(f"no printer makes {rate} cards a day")
    tries = _tries(target)
    by_printers, by_operators = target.printers * rate, _operator_rate(target)
    per_day = min(by_printers, by_operators)
    of_work = tries / per_day
    missing = 0 if target.blanks is None else max(tries - target.blanks, 0)
    last_card = _last_card(target.start, of_work, calendar)
    in_time = of_work <= days + 1e-9
    bottleneck = Bottleneck.PRINTERS if by_printers <= by_operators else Bottleneck.OPERATORS
    # Blanks that do not even last until the deadline end first, however slow printers and people are.
    if missing and target.blanks is not None and target.blanks <= per_day * days:
        bottleneck = Bottleneck.BLANKS
    made = min(per_day * days, tries, inf if target.blanks is None else target.blanks) * (1 - target.spoilage)
    needed_rate = tries / target.printers / days
    printers_needed = ceil(tries / rate / days - 1e-9)
    enough_people = by_operators >= tries / days - 1e-9
    # Both printers and people do more in a longer day.
    hours = of_work / days * target.hours_per_day
    verdict = Verdict(
        feasible=in_time and not missing,
        working_days=days,
        needed_per_printer_day=needed_rate,
        per_day=per_day,
        days_of_work=of_work,
        finish=None if missing else last_card,
        later_than=None if missing or last_card else calendar.until,
        bottleneck=bottleneck,
        blanks_needed=tries,
        blanks_missing=missing,
        printers_needed=printers_needed if enough_people else None,
        hours_needed=hours if hours <= 24 else None,
        operators_needed=_operators_needed(target, tries, days),
        cards_by_deadline=min(floor(made + 1e-9), target.cards),
        advice=(),
    )
    return _with_advice(verdict, target, rate, last_card)


def most_needed(target: Target, working_days: int) -> float:
    """Printers that ``target`` takes, or operators where those are more; infinite where none would do."""
    per_day = _tries(target) / working_days
    by_printers, by_operators = _printer_rate(target), _operator_rate(replace(target, operators=1))
    return per_day / min(by_printers, by_operators) if min(by_printers, by_operators) > 0 else inf


def coverage_rate(
    recorded: int, obliged: int, goal: float, start: date, deadline: date, calendar: WorkCalendar
) -> float:
    """People a working day that have to be recorded for ``goal`` (a share of ``obliged``) to be reached by
    ``deadline``; 0 where it is reached already.

    Raises :class:`ValueError` when no working day is left.
    """
    days = calendar.worked_between(start, deadline)
    if days < 1:
        raise ValueError(f"no working day from {start} to {deadline}")
    return max(goal * obliged - recorded, 0.0) / days


def _last_card(start: date, of_work: float, calendar: WorkCalendar) -> date | None:
    """The day on which so much work is done; ``None`` where that is later than ``calendar`` reaches."""
    if of_work > calendar.worked_between(start, calendar.until) + 1e-9:
        return None
    return calendar.nth_worked(start, max(ceil(of_work - 1e-9), 1))


def _tries(target: Target) -> int:
    """Blanks that it takes; a printer prints its spoiled cards, too."""
    return ceil(target.cards / (1 - target.spoilage) - 1e-9)


def _printer_rate(target: Target) -> float:
    if target.per_printer_day is not None:
        rate = target.per_printer_day
    elif target.minutes_per_card is not None:
        rate = target.hours_per_day * 60 / target.minutes_per_card
    else:
        raise ValueError("a target needs cards a printer and day, or minutes a card")
    return rate


def _operator_rate(target: Target) -> float:
    if target.operators is None or target.operator_minutes_per_card is None:
        return inf
    return target.operators * target.hours_per_day * 60 / target.operator_minutes_per_card


def _operators_needed(target: Target, tries: int, days: int) -> int | None:
    if target.operator_minutes_per_card is None:
        return None
    return ceil(tries / days * target.operator_minutes_per_card / (target.hours_per_day * 60) - 1e-9)


def _with_advice(verdict: Verdict, target: Target, rate: float, last_card: date | None) -> Verdict:
    advice = []
    if verdict.days_of_work > verdict.working_days + 1e-9:
        printers = ceil(verdict.blanks_needed / rate / verdict.working_days - 1e-9)
        lacking = []
        if printers > target.printers:
            more = printers - target.printers
            lacking.append(f"{printers:,} printers ({more:,} more) at {counted(rate, 'card')} a day each")
        if target.operators is not None and (verdict.operators_needed or 0) > target.operators:
            lacking.append(counted(verdict.operators_needed or 0, "operator"))
        # Where both are short, neither helps without the other.
        advice.append(" together with ".join(lacking))
        if verdict.hours_needed is not None and verdict.hours_needed > target.hours_per_day:
            advice.append(f"{verdict.hours_needed:,.1f} hours a day at the same pace")
        if last_card is not None:
            advice.append(f"until {last_card:%-d %B %Y} instead of {target.deadline:%-d %B %Y}")
        advice.append(f"{counted(verdict.cards_by_deadline, 'card')} instead of {target.cards:,}")
    if verdict.blanks_missing:
        advice.append(f"{counted(verdict.blanks_missing, 'blank')} more")
    return Verdict(**{**vars(verdict), "advice": tuple(advice)})
