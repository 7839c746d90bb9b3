"""What limits the printing of cards, where and from when on: waiting people against licence, maintenance,
printers, ribbon and blanks, day by day.

People wait for deduplication, then for a card. The first gate is the country's: without maintenance or
licence nothing is deduplicated, however many blanks there are; with them, at most as many a day as the
licence has searches, until it is full of people. The second gate is each location's own: printers a
working day, ribbon, blanks; what is spoiled passes printer and ribbon, too. Where two things are short
together, such as ribbon and blanks, both hold cards back: one alone would not help. Nobody who waits is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: Less than half a card is nobody.
_NOBODY: Final = 0.5
#: Limits that are closer than this part of a card are the same.
_TIE: Final = 1e-6


class Constraint(IntEnum):
    """What holds cards back, with the numbers of the contract; of several together each is a bit."""

    MAINTENANCE = 1
    LICENCE = 2
    PRINTERS = 3
    RIBBON = 4
    BLANKS = 5
    LICENCE_FULL = 6
    SEARCHES = 7


#: What is a location's own and not the country's.
_OWN: Final = (Constraint.PRINTERS, Constraint.RIBBON, Constraint.BLANKS)


@dataclass(frozen=True)
class Gate:
    """What the ABIS may do. ``None`` stands for no limit."""

    maintenance_until: date | None = None
    licence_until: date | None = None
    #: Unique people that the licence is for, and how many more it has room for.
    max_people: int | None = None
    people_left: int | None = None
    searches_per_day: int | None = None
    #: The gate opens on this day, if it is shut before: a new contract that is signed but not yet valid.
    opens: date | None = None
    #: Share of those who wait that are there twice; duplicates are not print demand.
    duplicates: float = 0.0
    #: The first day on which other contracts are in force, and what holds from then on; its room for people
    #: is that of today, too.
    then: tuple[date, Gate] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether it lets only so many through, so that one place's people are in the way of another's."""
        limited = self.people_left is not None or self.searches_per_day is not None
        return limited or (self.then is not None and self.then[1].is_shared)

    def on(self, day: date) -> Gate:
        """What holds on ``day``."""
        return self if self.then is None or day < self.then[0] else self.then[1].on(day)

    def shut_by(self, day: date) -> tuple[Constraint, ...]:
        """What keeps the gate shut on ``day``; nothing while it is open."""
        if self.opens is not None and day >= self.opens:
            return ()
        ends = (
            (Constraint.MAINTENANCE, self.maintenance_until),
            (Constraint.LICENCE, self.licence_until),
        )
        return tuple(constraint for constraint, until in ends if until is not None and day > until)


@dataclass(frozen=True)
class Site:
    """One location on the first morning; ``None`` stands for no limit that is known."""

    location: str
    blanks: float
    #: People who wait for deduplication (SFE), and for a card (PRR and suket holders).
    undeduplicated: float = 0.0
    waiting: float = 0.0
    #: Those among ``waiting`` who have a paper letter.
    suket_debt: float = 0.0
    printers_per_day: float | None = None
    #: Cards that the ribbon in stock is enough for.
    ribbon: float | None = None
    #: Cards that more of it is enough for: day of arrival and quantity.
    ribbon_inbound: tuple[tuple[date, float], ...] = ()
    #: Share of blanks that become no card.
    spoilage: float = 0.0
    #: Blanks on their way or set aside for it: day of arrival and quantity.
    inbound: tuple[tuple[date, float], ...] = ()
    #: Those of them that are only set aside.
    allocated: float = 0.0


@dataclass(frozen=True)
class Span:
    """Days in a row on which the same thing holds cards back."""

    constraint: Constraint
    first: date
    last: date
    #: The most people that it held on one of these evenings.
    held: float


@dataclass
class Flow:
    """What comes of all sites, arrays of shape (sites, days)."""

    start: date
    #: Cards printed.
    printed: Array
    #: Blanks left in the evening.
    blanks: Array
    #: People who wait in the evening, for deduplication and for a card.
    undeduplicated: Array
    waiting: Array
    #: Each :class:`Constraint` of each day, as a bit.
    binding: npt.NDArray[np.int16]
    _worked: npt.NDArray[np.bool_] = field(repr=False)
    #: The first evening on which the licence has room for nobody, counted from ``start``; ``None``: never.
    full: int | None = None

    def first(self, days: int) -> Flow:
        """That of the first days alone."""
        part = slice(None, days)
        return Flow(
            self.start,
            printed=self.printed[:, part],
            blanks=self.blanks[:, part],
            undeduplicated=self.undeduplicated[:, part],
            waiting=self.waiting[:, part],
            binding=self.binding[:, part],
            _worked=self._worked[part],
            full=self.full if self.full is not None and self.full < days else None,
        )

    @property
    def full_on(self) -> date | None:
        """The day of that evening."""
        return None if self.full is None else self._day(self.full)

    def run_dry(self) -> list[date | None]:
        """The first day on which somebody waits for a blank, by site; ``None`` where it does not come."""
        dry = (self.binding & _bit(Constraint.BLANKS)) != 0
        return [self._day(int(row.argmax())) if row.any() else None for row in dry]

    def served(self) -> list[date | None]:
        """The first evening on which nobody waits, by site."""
        done = self.undeduplicated + self.waiting < _NOBODY
        return [self._day(int(row.argmax())) if row.any() else None for row in done]

    def spans(self, site: int) -> list[Span]:
        """What holds cards back at one site, in order of time; what is the location's own before what is the
        country's. Days without a constraint are left out.
        """
        days = np.flatnonzero(self._worked)
        binding = self.binding[site, days]
        ever = int(np.bitwise_or.reduce(binding))
        found = []
        for constraint in [each for each in Constraint if ever & _bit(each)]:
            held = (self.waiting if constraint in _OWN else self.undeduplicated)[site, days]
            binds = (binding & _bit(constraint)) != 0
            edges = np.flatnonzero(np.diff(binds, prepend=False, append=False))
            for begin, end in edges.reshape(-1, 2):
                first, last = self._day(int(days[begin])), self._day(int(days[end - 1]))
                found.append(Span(constraint, first, last, float(held[begin:end].max())))
        return sorted(found, key=lambda span: (span.first, span.constraint not in _OWN))

    def _day(self, k: int) -> date:
        return self.start + timedelta(k)


def simulate(
    sites: Sequence[Site], gate: Gate, arrivals: Array, worked: npt.NDArray[np.bool_], start: date
) -> Flow:
    """Live through the days after ``start``.

    Args:
        sites: Locations on the morning of ``start``.
        gate: What the ABIS may do.
        arrivals: New people who want a card, those among them who are there twice, too, shape (sites, days).
        worked: Working days, shape (days,); on others no more are printed than arrive.
        start: First day.

    """
    count, days = arrivals.shape
    blanks = np.array([site.blanks for site in sites], float)
    sfe = np.array([site.undeduplicated for site in sites], float)
    prr = np.array([site.waiting for site in sites], float)
    printers = _or_unlimited([site.printers_per_day for site in sites])
    ribbon = _or_unlimited([site.ribbon for site in sites])
    yields = 1.0 - np.array([site.spoilage for site in sites], float)
    inbound = _inbound([site.inbound for site in sites], start, days)
    ribbon_inbound = _inbound([site.ribbon_inbound for site in sites], start, days)
    admitted = 0.0
    shape = (count, days)
    flow = Flow(
        start,
        printed=np.zeros(shape),
        blanks=np.zeros(shape),
        undeduplicated=np.zeros(shape),
        waiting=np.zeros(shape),
        binding=np.zeros(shape, np.int16),
        _worked=worked,
    )
    for k in range(days):
        blanks += inbound[:, k]
        ribbon += ribbon_inbound[:, k]
        sfe += arrivals[:, k]
        now = gate.on(start + timedelta(k))
        shut = now.shut_by(start + timedelta(k))
        searches = np.inf if now.searches_per_day is None else float(now.searches_per_day)
        people_left = np.inf if now.people_left is None else max(now.people_left - admitted, 0.0)
        passed = np.zeros(count)
        if not shut:
            # The country's capacity serves whoever waits: each location its share of the queue.
            capacity = min(searches, people_left / (1.0 - gate.duplicates))
            passed = sfe * min(1.0, capacity / max(float(sfe.sum()), 1e-9))
            sfe -= passed
            unique = passed * (1.0 - gate.duplicates)
            admitted += float(unique.sum())
            people_left -= float(unique.sum())
            prr += unique
            if flow.full is None and people_left < _NOBODY:
                flow.full = k
        held_by = shut or (Constraint.LICENCE_FULL if people_left < _NOBODY else Constraint.SEARCHES,)
        # On a Saturday as many are printed as come; the queue is worked off on working days.
        able = printers * yields
        if not worked[k]:
            able = np.minimum(able, arrivals[:, k] * (1.0 - gate.duplicates))
        # In the order of Constraint from PRINTERS on.
        limits = np.stack([able, ribbon * yields, blanks * yields])
        printed = np.minimum(prr, limits.min(axis=0))
        prr -= printed
        blanks -= np.minimum(printed / yields, blanks)
        ribbon -= np.minimum(printed / yields, ribbon)
        short = (prr > _NOBODY) & (limits <= limits.min(axis=0) + _TIE)
        lacking = np.where(sfe > _NOBODY, sum(map(_bit, held_by)), 0)
        for constraint, row in zip(_OWN, short, strict=True):
            lacking |= np.where(row, _bit(constraint), 0)
        # Who only waits for Monday is held back by nothing new.
        flow.binding[:, k] = lacking if worked[k] else flow.binding[:, k - 1] if k else 0
        flow.printed[:, k], flow.blanks[:, k] = printed, blanks
        flow.undeduplicated[:, k], flow.waiting[:, k] = sfe, prr
    return flow


def _or_unlimited(limits: Sequence[float | None]) -> Array:
    return np.array([np.inf if limit is None else limit for limit in limits], float)


def _inbound(arrivals: Sequence[Sequence[tuple[date, float]]], start: date, days: int) -> Array:
    arriving = np.zeros((len(arrivals), days))
    for row, each in enumerate(arrivals):
        for day, quantity in each:
            # What should have come already comes today.
            k = max((day - start).days, 0)
            if k < days:
                arriving[row, k] += quantity
    return arriving


def _bit(constraint: Constraint) -> int:
    return 1 << constraint
