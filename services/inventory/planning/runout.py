"""Equal run-out: who gets how many so that the first location to run dry does so as late as possible.

A max-min program, solved by HiGHS: lots are whole, a shipment has a least size, the sender has only so much,
and locations may lend to each other if that is allowed. The earliest run-out is made as late as it can be
with the fewest lots moved; what is left over goes, lot by lot, to whoever would run dry next. With a least
size, what is lent is what goes in shipments of that size: never worse than without lending.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isinf
from typing import Final

import numpy as np
import numpy.typing as npt

from services.common.errors import InvalidArgument
from services.inventory.planning.needs import Need, Terms
from services.inventory.planning.shipments import SOURCE, Shipment, shipments
from services.inventory.words import counted

#: Longest search for one run-out.
_SECONDS: Final = 5.0
#: Working days; run-outs that are closer than this are the same.
_CLOSE: Final = 0.01

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """What one location gets (or gives, where ``units`` is negative), and why."""

    need: Need
    units: int
    before: float
    after: float
    explanation: str

    @property
    def gap(self) -> float:
        """Working days between the day on which it runs dry and the arrival of what it gets."""
        return max(self.need.lead_days - max(self.before, 0.0), 0.0) if self.units > 0 else 0.0


@dataclass(frozen=True)
class Plan:
    """Shares in the order of the needs, who sends them, and what stays with the sender."""

    shares: tuple[Share, ...]
    shipments: tuple[Shipment, ...]
    #: Working days until the first location runs dry, or until all have closed, before and after.
    earliest_before: float
    earliest_after: float
    left_over: int


def plan(needs: Sequence[Need], terms: Terms) -> Plan:
    """The plan for ``needs``. Raises :class:`InvalidArgument` where no location uses anything."""
    if not needs or any(need.per_day <= 0 for need in needs):
        raise InvalidArgument(
            "NO_DEMAND",
            "There is no location with known use to plan for.",
            field="location",
            remedy="Plan for locations that have used stock, or report their demand with ReportDemand.",
        )
    sent = _hand_out_rest(needs, terms, _solve(needs, terms))
    units = _net(needs, sent) * terms.lot
    ends = [need.run_out(int(extra)) for need, extra in zip(needs, units, strict=True)]
    first, second = sorted([*ends, inf])[:2]
    shares = [
        _explained(
            Share(need, int(extra), need.cover(), need.cover(int(extra)), ""),
            second if end == first else first,
            terms,
        )
        for need, extra, end in zip(needs, units, ends, strict=True)
    ]
    return Plan(
        tuple(shares),
        tuple(sent),
        earliest_before=_earliest(needs, np.zeros_like(units)),
        earliest_after=_earliest(needs, units),
        left_over=terms.available - int(units.sum()),
    )


def _earliest(needs: Sequence[Need], units: Counts) -> float:
    """The first run-out; where none is short before it closes, the day on which the last one does."""
    first = min(need.run_out(int(extra)) for need, extra in zip(needs, units, strict=True))
    return max(need.open_days for need in needs) if isinf(first) else first


def _net(needs: Sequence[Need], sent: Sequence[Shipment]) -> Counts:
    """Lots that each location gets, less those that it gives, shape (n,)."""
    lots = dict.fromkeys((need.location for need in needs), 0)
    for each in sent:
        lots[each.receiver] += each.lots
        if each.sender != SOURCE:
            lots[each.sender] -= each.lots
    return np.array(list(lots.values()), np.int64)


def _solve(needs: Sequence[Need], terms: Terms) -> list[Shipment]:
    """The fewest lots with which the first location runs dry as late as it can.

    The linear program without whole lots bounds the earliest run-out from above, sending nothing from below;
    between them the latest run-out that whole lots reach is found by halving, each step an integer program
    that HiGHS solves at its root.
    """
    low = min(need.run_out() for need in needs)
    if isinf(low):
        return []
    best: list[Shipment] = []
    if terms.lending and terms.least_lots > 1:
        best = _solve(needs, replace(terms, lending=False))
        low = _earliest(needs, _net(needs, best) * terms.lot)
    program = _Program(needs, terms)
    high = program.bound()
    while high - low > _CLOSE:
        middle = (low + high) / 2
        lots = program.fewest_lots(middle)
        found = None
        if lots is not None:
            places = [need.location for need in needs]
            could = dict(zip(places, program.to_spare(middle), strict=True))
            could[SOURCE] = terms.available // terms.lot
            found = shipments(dict(zip(places, lots, strict=True)), could, terms.least_lots)
        if found is None:
            high = middle
        else:
            low, best = middle, found
    return best


class _Program:
    """The unknowns are lots received, lots given, and whether anything is sent, by location: 3 n whole
    numbers.
    """

    def __init__(self, needs: Sequence[Need], terms: Terms) -> None:
        # Imported by the first plan and not at the start of the service, which would wait for it.
        from scipy.sparse import block_array, coo_array, diags_array, eye_array

        count = len(needs)
        self._lot, self._lots = terms.lot, terms.available // terms.lot
        self._per_day = np.array([need.per_day for need in needs])
        self._net = np.array([need.stock - need.waiting for need in needs], float)
        # Who closes is short at most until then; to whom nothing arrives in time, nothing is sent.
        self._open = np.array(
            [-inf if need.lead_days >= need.open_days else need.open_days for need in needs]
        )
        to_lend = np.array([need.to_lend if terms.lending else 0 for need in needs], float)
        can_give = np.floor(to_lend / terms.lot)
        can_give[can_give < terms.least_lots] = 0.0
        most = self._lots + float(can_give.sum())
        self._upper = np.concatenate([np.full(count, most), can_give, np.ones(count)])
        each, none, one = eye_array(count), coo_array((count, count)), np.ones((1, count))
        rows = [[each, -each, none], [one, -one, np.zeros((1, count))]]
        self._least: list[float] = []
        least = terms.least_lots
        if least > 1 or terms.lending:
            # A shipment has its least size, and who is sent something gives nothing.
            giving = diags_array(can_give)
            rows += [[each, none, -least * each], [-each, none, most * each], [none, -each, -giving]]
            self._least = [*np.zeros(2 * count), *-can_give]
        self._matrix = block_array(rows, format="csr")

    def bound(self) -> float:
        """The latest earliest run-out, in working days, that lots which can be cut would reach."""
        from scipy.optimize import linprog
        from scipy.sparse import block_array, diags_array

        count, stays = len(self._net), np.flatnonzero(np.isposinf(self._open))
        if not len(stays):
            return float(self._open.max())
        # Rows are in days of use, so that large and small locations weigh alike; the last unknown is the
        # run-out, which those who close do not bind.
        lot_days = diags_array(self._lot / self._per_day, format="csr")[stays]
        one = np.ones((1, count))
        rows = block_array(
            [[-lot_days, lot_days, np.ones((len(stays), 1))], [one, -one, np.zeros((1, 1))]], format="csr"
        )
        limits = np.concatenate([(self._net / self._per_day)[stays], [self._lots]])
        cost = np.concatenate([np.zeros(2 * count), [-1.0]])
        bounds = [*((0.0, high) for high in self._upper[: 2 * count]), (None, None)]
        solved = linprog(cost, A_ub=rows, b_ub=limits, bounds=bounds, method="highs")
        if solved.x is None:
            raise RuntimeError(f"HiGHS found no bound: {solved.message}")
        return float(solved.x[-1])

    def to_spare(self, run_out: float) -> list[int]:
        """Lots that each location could give and last until ``run_out``."""
        days = np.maximum(np.minimum(run_out, self._open), 0.0)
        spare = np.floor((self._net - self._per_day * days) / self._lot + 1e-9)
        count = len(self._net)
        return [int(lots) for lots in np.clip(spare, 0.0, self._upper[count : 2 * count])]

    def fewest_lots(self, run_out: float) -> list[int] | None:
        """The fewest lots with which nobody runs dry before ``run_out`` working days: what each location
        gets, below zero where it gives; ``None`` if none will do.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp

        count = len(self._net)
        days = np.minimum(run_out, self._open)
        needed = np.ceil((self._per_day * days - self._net) / self._lot - 1e-9)
        least = np.concatenate([needed, [-np.inf], self._least])
        most = np.concatenate([np.full(count, np.inf), [self._lots], np.full(len(self._least), np.inf)])
        # To lend is a shipment like any other, and a nuisance: of two equal plans the one without it.
        cost = np.concatenate([np.ones(count), np.full(count, 1.0 + 1e-3), np.zeros(count)])
        solved = milp(
            cost,
            constraints=LinearConstraint(self._matrix, least, most),
            integrality=np.ones(3 * count),
            bounds=Bounds(np.zeros(3 * count), self._upper),
            options={"time_limit": _SECONDS},
        )
        if solved.x is None:
            return None
        whole = np.rint(solved.x).astype(np.int64)
        return [int(lots) for lots in whole[:count] - whole[count : 2 * count]]


def _hand_out_rest(needs: Sequence[Need], terms: Terms, sent: list[Shipment]) -> list[Shipment]:
    """The lots that nobody needs for the earliest run-out go to whoever would run dry next."""
    lots = _net(needs, sent)
    left = terms.available - int(lots.sum()) * terms.lot
    from_source = {each.receiver: each.lots for each in sent if each.sender == SOURCE}
    queue = [(need.run_out(int(lots[r]) * terms.lot), r) for r, need in enumerate(needs)]
    heapq.heapify(queue)
    while queue and left >= terms.lot:
        first, r = heapq.heappop(queue)
        if isinf(first):
            break
        place = needs[r].location
        step = 1 if place in from_source else terms.least_lots
        if step * terms.lot > left or lots[r] < 0:
            continue
        from_source[place] = from_source.get(place, 0) + step
        lots[r] += step
        left -= step * terms.lot
        heapq.heappush(queue, (needs[r].run_out(int(lots[r]) * terms.lot), r))
    lent = [each for each in sent if each.sender != SOURCE]
    return [Shipment(SOURCE, place, units) for place, units in from_source.items()] + lent


def _explained(share: Share, others: float, terms: Terms) -> Share:
    """The share with the reason of its quantity; ``others`` is when the first of them runs dry."""
    need = share.need
    waiting = f" less {need.waiting:,} that people wait for" if need.waiting else ""
    has = f"{need.stock:,} there and under way{waiting}, {need.per_day:,.1f} a working day"
    lasts = f"lasts {share.before:,.1f} working days" if share.before > 0 else "is short already"
    if share.units > 0:
        boxes = f" ({share.units // terms.lot:,} × {terms.lot:,})" if terms.lot > 1 else ""
        text = f"{has}: {lasts}; with {share.units:,}{boxes} it lasts {share.after:,.1f}"
        if share.gap > 0:
            text += f"; it runs dry {share.gap:,.1f} working days before they can arrive"
    elif share.units < 0:
        text = f"{has}: {lasts}; it lends {-share.units:,} and still lasts {share.after:,.1f}"
    elif need.lead_days >= need.open_days:
        text = f"{has}: {lasts}, and nothing would arrive before it closes; it gets none"
    elif isinf(need.run_out()):
        text = f"{has}: {lasts}, longer than it is open; it gets none"
    elif share.before > others:
        text = f"{has}: {lasts}, longer than the {others:,.1f} that the others come to; it gets none"
    else:
        least = f"one shipment of {terms.least_lots * terms.lot:,}" if terms.minimum else "one box"
        text = f"{has}: {lasts}; what the others need first leaves less than {least}; it gets none"
    if not isinf(need.open_days):
        text += f"; it closes after {counted(need.open_days, 'working day')}"
    return replace(share, explanation=text + ".")
