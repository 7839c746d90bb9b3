"""Equal run-out: nobody runs dry while somebody else could have helped."""

from __future__ import annotations

import heapq
import itertools
import re
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from services.common.errors import InvalidArgument
from services.inventory.planning.needs import Need, Terms
from services.inventory.planning.proposal import moves_of
from services.inventory.planning.runout import Plan, Share, plan
from services.inventory.planning.shipments import shipments

_NEEDS = st.lists(
    st.builds(
        Need,
        location=st.integers(1, 97).map(lambda n: f"32.{n:02}"),
        stock=st.integers(0, 3000),
        waiting=st.integers(0, 500),
        per_day=st.floats(1, 200),
        lead_days=st.integers(0, 20),
        coming=st.integers(0, 2000),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda need: need.location,
).map(lambda needs: [replace(need, coming=min(need.coming, need.stock)) for need in needs])


def by_hand(needs: list[Need], terms: Terms) -> float:
    """The best earliest run-out without least sizes and loans: lot by lot to whoever runs dry first."""
    queue = [(need.cover(), index, 0) for index, need in enumerate(needs)]
    heapq.heapify(queue)
    for _ in range(terms.available // terms.lot):
        _, index, units = heapq.heappop(queue)
        units += terms.lot
        heapq.heappush(queue, (needs[index].cover(units), index, units))
    return queue[0][0]


def by_trying(needs: list[Need], terms: Terms) -> float:
    """The best earliest run-out of all plans there are; for very small ones."""
    options = []
    for need in needs:
        lend = max(need.stock - max(need.waiting, need.coming), 0) // terms.lot if terms.lending else 0
        receive = (terms.available + sum(n.stock for n in needs)) // terms.lot
        options.append([n for n in range(-lend, receive + 1) if n <= 0 or n * terms.lot >= terms.minimum])
    best = min(need.run_out() for need in needs)
    for lots in itertools.product(*options):
        if sum(lots) * terms.lot <= terms.available:
            covers = (need.run_out(n * terms.lot) for need, n in zip(needs, lots, strict=True))
            best = max(best, min(covers))
    return best


def by_one_program(needs: list[Need], terms: Terms) -> float:
    """The best earliest run-out as one integer program, written down as the task says it: let the run-out t
    be as late as it can, subject to what is there. The planner itself never solves this one.
    """
    count, lot = len(needs), terms.lot
    to_lend = [max(min(n.stock - n.coming, n.stock - n.waiting), 0) if terms.lending else 0 for n in needs]
    most = terms.available + sum(to_lend)
    # Unknowns: t, lots received, lots lent, whether one receives.
    rows, low, high = [], [], []

    def limit(least: float, most: float, **terms_of: list[float]) -> None:
        parts = [terms_of.get("t", [0.0])]
        parts += [terms_of.get(name, [0.0] * count) for name in ("gets", "lends", "is_sent")]
        rows.append([x for part in parts for x in part])
        low.append(least)
        high.append(most)

    for i, need in enumerate(needs):
        one = [float(k == i) for k in range(count)]
        per_day = need.per_day
        # (net + lot (gets − lends)) / per_day ≥ t
        limit(
            -(need.stock - need.waiting) / per_day,
            np.inf,
            t=[-1.0],
            gets=[x * lot / per_day for x in one],
            lends=[-x * lot / per_day for x in one],
        )
        limit(0, np.inf, gets=one, is_sent=[-x * max(terms.minimum / lot, 0) for x in one])
        limit(-np.inf, 0, gets=one, is_sent=[-x * most / lot for x in one])
        limit(-np.inf, to_lend[i] / lot, lends=one, is_sent=[x * to_lend[i] / lot for x in one])
    limit(-np.inf, terms.available / lot, gets=[1.0] * count, lends=[-1.0] * count)
    size = 1 + 3 * count
    upper = [np.inf] + [most // lot] * count + [units // lot for units in to_lend] + [1.0] * count
    solved = milp(
        [-1.0] + [0.0] * (size - 1),
        constraints=LinearConstraint(np.array(rows), low, high),
        integrality=[0] + [1] * (size - 1),
        bounds=Bounds([-np.inf] + [0.0] * (size - 1), upper),
        options={"mip_rel_gap": 1e-7},
    )
    assert solved.x is not None, solved.message
    return float(solved.x[0])


def check(found: Plan, needs: list[Need], terms: Terms) -> None:
    assert sum(share.units for share in found.shares) + found.left_over == terms.available
    assert found.left_over >= 0
    for share, need in zip(found.shares, needs, strict=True):
        assert share.units % terms.lot == 0
        assert share.units <= 0 or share.units >= terms.minimum
        assert share.units >= -max(need.stock - max(need.waiting, need.coming), 0)
        assert share.after == pytest.approx(need.cover(share.units))
        explained(share, [other for other in found.shares if other is not share], terms)
    first = min(need.run_out(share.units) for share, need in zip(found.shares, needs, strict=True))
    if first == inf:
        first = max(need.open_days for need in needs)
    assert found.earliest_after == pytest.approx(first)
    assert found.earliest_after >= found.earliest_before
    moves = moves_of(found, "ID", terms.lot)
    assert all(move.units >= max(terms.minimum, terms.lot) for move in moves)
    for share in found.shares:
        received = sum(move.units for move in moves if move.target == share.need.location)
        sent = sum(move.units for move in moves if move.source == share.need.location)
        assert received - sent == share.units
    assert sum(move.units for move in moves if move.source == "ID") <= terms.available


def explained(share: Share, others: list[Share], terms: Terms) -> None:
    """The numbers of an explanation add up to the quantity that it explains, and what it says is so."""
    need, text = share.need, share.explanation
    numbers = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", text.rstrip("."))]
    stock, waiting = numbers[0], numbers[1] if need.waiting else 0.0
    per_day = numbers[2 if need.waiting else 1]
    assert (stock, waiting) == (need.stock, need.waiting)
    assert per_day == pytest.approx(need.per_day, abs=0.051)
    assert (stock - waiting + share.units) / need.per_day == pytest.approx(share.after)
    if share.units:
        assert f" {abs(share.units):,}" in text
        assert f"{share.after:,.1f}" in text
    if said := re.search(r"longer than the (-?[\d.,]+) that the others come to", text):
        come_to = min(other.need.run_out(other.units) for other in others)
        assert float(said[1].replace(",", "")) == pytest.approx(come_to, abs=0.051)
        assert share.before > come_to
    if share.units > 0 and terms.lot > 1:
        assert f"({share.units // terms.lot:,} × {terms.lot:,})" in text


@given(needs=_NEEDS, available=st.integers(0, 20_000), lot=st.sampled_from([1, 50, 500]))
@settings(max_examples=40, deadline=None)
def test_no_plan_lets_the_first_run_dry_later(needs: list[Need], available: int, lot: int) -> None:
    terms = Terms(available, lot)
    found = plan(needs, terms)
    check(found, needs, terms)
    # Run-outs closer than the hundredth of a day are the same to the planner.
    assert found.earliest_after == pytest.approx(by_hand(needs, terms), abs=0.02)


@given(
    needs=_NEEDS,
    available=st.integers(0, 20_000),
    lot=st.sampled_from([1, 50, 500]),
    minimum=st.sampled_from([0, 400, 1500]),
    lending=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_another_program_finds_no_later_run_out(
    needs: list[Need], available: int, lot: int, minimum: int, lending: bool
) -> None:
    terms = Terms(available, lot, minimum, lending)
    found = plan(needs, terms)
    check(found, needs, terms)
    best = by_one_program(needs, terms)
    if lending and minimum:
        # What is lent goes in shipments that are not too small, of which the program knows nothing.
        alone = by_one_program(needs, replace(terms, lending=False))
        assert alone - 0.02 <= found.earliest_after <= best + 0.02
    else:
        assert found.earliest_after == pytest.approx(best, abs=0.02)


@given(
    needs=st.lists(
        st.builds(
            Need,
            location=st.sampled_from(["32.16", "32.75", "32.76", "32.01"]),
            stock=st.integers(0, 30),
            waiting=st.integers(0, 10),
            per_day=st.floats(1, 9),
            lead_days=st.sampled_from([0, 3]),
            open_days=st.sampled_from([inf, inf, 0.0, 2.0, 5.0]),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda need: need.location,
    ),
    available=st.integers(0, 40),
    minimum=st.sampled_from([0, 20, 30]),
    lending=st.booleans(),
)
@example(
    # With the plan nobody is short before they all close: that is later than without it.
    needs=[Need("32.16", 1, 0, 1.0, open_days=2.0), Need("32.75", 0, 0, 1.0, open_days=0.0)],
    available=10,
    minimum=0,
    lending=False,
)
@settings(max_examples=25, deadline=None)
def test_least_shipments_and_loans_are_used_as_well_as_can_be(
    needs: list[Need], available: int, minimum: int, lending: bool
) -> None:
    terms = Terms(available, lot=10, minimum=minimum, lending=lending)
    found = plan(needs, terms)
    check(found, needs, terms)
    best = by_trying(needs, terms)
    if lending and minimum:
        # All plans there are count what a location gets, in however many shipments.
        last = max(need.open_days for need in needs)
        alone = by_trying(needs, replace(terms, lending=False))
        assert min(alone, last) - 0.02 <= found.earliest_after <= min(best, last) + 0.02
    elif best == inf:
        assert all(share.need.run_out(share.units) == inf for share in found.shares)
    else:
        assert found.earliest_after == pytest.approx(best, abs=0.02)


def test_a_site_gets_what_it_uses_until_it_closes_and_no_more() -> None:
    fair = Need("32.16:fair", 100, 0, 50, open_days=6)
    town = Need("32.75", 0, 0, 50)
    found = plan([fair, town], Terms(2_000, lot=10))
    assert [share.units for share in found.shares] == [200, 1_800]
    assert found.earliest_after == 36
    assert found.shares[0].explanation.endswith(
        "with 200 (20 × 10) it lasts 6.0; it closes after 6 working days."
    )


def test_a_site_that_closes_before_anything_arrives_gets_nothing() -> None:
    fair = Need("32.16:fair", 100, 0, 50, lead_days=8, open_days=6)
    alone = plan([fair], Terms(2_000))
    assert [share.units for share in alone.shares] == [0]
    assert alone.left_over == 2_000
    assert "nothing would arrive before it closes" in alone.shares[0].explanation


def test_a_site_lends_what_it_does_not_use_any_more() -> None:
    fair = Need("32.16:fair", 900, 0, 50, open_days=2)
    town = Need("32.75", 0, 0, 50)
    found = plan([fair, town], Terms(0, lending=True))
    assert [share.units for share in found.shares] == [-800, 800]


def test_three_regencies_run_out_on_the_same_day() -> None:
    needs = [Need("32.16", 1000, 0, 100), Need("32.75", 200, 0, 50), Need("32.01", 0, 0, 20)]
    found = plan(needs, Terms(2200))
    assert [share.units for share in found.shares] == [1000, 800, 400]
    assert [share.after for share in found.shares] == [20, 20, 20]
    assert found.left_over == 0


def test_who_has_more_than_the_rest_gets_none_and_is_told_why() -> None:
    rich, poor = Need("32.16", 9000, 0, 100), Need("32.75", 100, 0, 50, lead_days=5)
    found = plan([rich, poor], Terms(500))
    assert [share.units for share in found.shares] == [0, 500]
    assert "longer than the 12.0 that the others come to; it gets none" in found.shares[0].explanation
    assert "it runs dry 3.0 working days before they can arrive" in found.shares[1].explanation


def test_who_has_more_than_the_rest_lends_where_that_is_allowed() -> None:
    rich, poor = Need("32.16", 9000, 0, 100), Need("32.75", 0, 0, 50)
    found = plan([rich, poor], Terms(0, lot=100, lending=True))
    assert [share.units for share in found.shares] == [-3000, 3000]
    assert [share.after for share in found.shares] == [60, 60]
    assert "it lends 3,000 and still lasts 60.0" in found.shares[0].explanation


def test_what_is_lent_goes_in_no_shipment_below_the_least() -> None:
    """Of two who can lend 300 and 350, two who get 325 each could only get a part from each."""
    needs = [Need("32.01", 900_300, 0, 1, coming=900_000), Need("32.02", 900_350, 0, 1, coming=900_000)]
    needs += [Need("32.03", 0, 0, 13), Need("32.04", 0, 0, 13)]
    found = plan(needs, Terms(0, lot=25, minimum=300, lending=True))
    assert sorted(move.units for move in moves_of(found, "ID", 25)) == [300, 300]
    assert found.earliest_after == pytest.approx(300 / 13)


def test_two_lenders_serve_two_borrowers_in_two_whole_shipments() -> None:
    """One after the other, the first lender would send 4 to one borrower and 1 to the other."""
    can = {"32.01": 5, "32.02": 4}
    sent = shipments({"32.01": -5, "32.02": -4, "32.03": 4, "32.04": 5}, can, 4) or []
    assert {(each.sender, each.receiver, each.lots) for each in sent} == {
        ("32.01", "32.04", 5),
        ("32.02", "32.03", 4),
    }
    assert shipments({"32.01": -5, "32.02": -4, "32.03": 6, "32.04": 3}, can, 4) is None


def test_who_gets_none_because_a_shipment_would_be_too_large_is_told_so() -> None:
    needs = [Need("32.01", 500, 0, 50), Need("32.02", 0, 0, 20), Need("32.03", 0, 0, 15)]
    found = plan(needs, Terms(1_800, lot=100, minimum=900))
    assert [share.units for share in found.shares] == [0, 900, 900]
    said = "what the others need first leaves less than one shipment of 900; it gets none"
    assert said in found.shares[0].explanation
    alone = plan([Need("32.01", 0, 0, 50)], Terms(800, lot=100, minimum=900))
    assert "leaves less than one shipment of 900; it gets none" in alone.shares[0].explanation


def test_nobody_lends_what_is_still_on_its_way() -> None:
    rich, poor = Need("32.16", 9000, 0, 100, coming=8000), Need("32.75", 0, 0, 50)
    found = plan([rich, poor], Terms(0, lot=100, lending=True))
    assert [share.units for share in found.shares] == [-1000, 1000]


def test_200000_for_jakarta_and_the_rest_of_march_2017_without_priority() -> None:
    """ "No priority to any region": the same cover everywhere, however large the region is."""
    needs = [Need("31", 0, 60_000, 4000), Need("32", 0, 300_000, 14_000), Need("33", 0, 250_000, 12_000)]
    found = plan(needs, Terms(2_000_000, lot=500))
    covers = [share.after for share in found.shares]
    assert max(covers) - min(covers) < 500 / 4000
    assert found.left_over < 500


def test_people_who_wait_count_before_those_who_come() -> None:
    found = plan([Need("32.16", 100, 600, 10), Need("32.75", 100, 0, 10)], Terms(600))
    assert [share.units for share in found.shares] == [600, 0]
    assert found.shares[0].before == -50
    assert found.shares[0].explanation.startswith("100 there and under way less 600 that people wait for")


def test_nothing_can_be_planned_without_demand() -> None:
    with pytest.raises(InvalidArgument) as refused:
        plan([Need("32.16", 100, 0, 0.0)], Terms(100))
    assert refused.value.reason == "NO_DEMAND"
