"""What holds cards back, with the numbers of 2015 to 2018."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.planning.calendar import DayKind, indonesia
from services.inventory.planning.funnel import Constraint, Flow, Gate, Site, simulate

MARCH = date(2017, 3, 27)
YEAR = 365


def worked(start: date, days: int) -> np.ndarray:
    return indonesia(start.year, start.year + 2).days(start, days).kinds <= DayKind.FRIDAY


def country(site: Site, gate: Gate, per_year: float, start: date = MARCH, days: int = YEAR) -> Flow:
    """The country as one location, its arrivals spread over the working days of a year."""
    open_days = worked(start, days)
    a_day = per_year / worked(start, YEAR).sum()
    return simulate([site], gate, a_day * open_days[None], open_days, start)


@pytest.mark.parametrize(
    ("per_year", "short", "runs_dry"),
    # 2.5 M are left for those who come: five sixths of one year's working days, half of the other's.
    [(3e6, 0.5e6, date(2018, 1, 29)), (5e6, 2.5e6, date(2017, 10, 3))],
)
def test_seven_million_blanks_for_those_who_wait_and_those_who_come(
    per_year: float, short: float, runs_dry: date
) -> None:
    """4.5 M wait, 3 M come in a year (elsewhere in the same quote: 5 M): 7 M are short by 0.5 M (2.5 M)."""
    flow = country(Site("ID", 7e6, waiting=4.5e6), Gate(), per_year)
    assert flow.waiting[0, -1] == pytest.approx(short, rel=1e-6)
    assert flow.run_dry() == [runs_dry]
    (span,) = flow.spans(0)
    assert span.constraint is Constraint.BLANKS


def test_doubles_among_those_who_wait_are_no_demand() -> None:
    site = Site("ID", 7e6, undeduplicated=4.5e6)
    with_doubles = country(site, Gate(duplicates=0.1), 3e6)
    assert with_doubles.run_dry() == [None]
    assert with_doubles.printed.sum() == pytest.approx(0.9 * 7.5e6)
    assert country(site, Gate(), 3e6).run_dry() != [None]


def test_without_maintenance_nothing_is_printed_even_with_2_7_million_blanks() -> None:
    gate = Gate(maintenance_until=date(2015, 12, 31))
    flow = country(Site("ID", 2.7e6, undeduplicated=4.5e6), gate, 0, date(2016, 1, 4))
    assert flow.printed.sum() == 0
    assert flow.blanks[0, -1] == 2.7e6
    assert flow.undeduplicated[0, -1] == 4.5e6  # nobody is lost
    (span,) = flow.spans(0)
    assert (span.constraint, span.held) == (Constraint.MAINTENANCE, 4.5e6)


def test_the_gate_reopens_and_the_queue_drains_until_a_date_that_is_told() -> None:
    """SFE of 1.5 M at 30,000 searches a day: 50 working days after the licence is extended."""
    start, opens = date(2017, 11, 1), date(2018, 1, 2)
    gate = Gate(licence_until=date(2017, 10, 31), opens=opens, searches_per_day=30_000)
    flow = country(Site("ID", 2.7e6, undeduplicated=1.5e6), gate, 0, start)
    before = (opens - start).days
    assert flow.printed[0, :before].sum() == 0
    assert flow.undeduplicated[0, before - 1] == 1.5e6
    shut, slow = flow.spans(0)  # shut first, then open, but no faster than its searches a day
    assert (shut.constraint, slow.constraint) == (Constraint.LICENCE, Constraint.SEARCHES)
    assert slow.first == opens
    (served,) = flow.served()
    assert served == opens + timedelta(49)  # the ABIS works on Sundays, too
    assert flow.printed.sum() == pytest.approx(1.5e6)


def test_a_ceiling_of_unique_people_shuts_the_gate_for_those_after() -> None:
    flow = country(Site("ID", 7e6, undeduplicated=4.5e6), Gate(people_left=1_000_000), 0)
    assert flow.printed.sum() == pytest.approx(1e6)
    assert flow.undeduplicated[0, -1] == pytest.approx(3.5e6)
    assert {span.constraint for span in flow.spans(0)} == {Constraint.LICENCE_FULL}
    assert flow.full_on == MARCH


def test_bekasis_printers_bind_before_its_blanks_do() -> None:
    start = date(2020, 2, 4)
    site = Site("32.16", 191_442, waiting=191_442, printers_per_day=2400)
    flow = country(site, Gate(), 0, start, 150)
    (span,) = flow.spans(0)
    assert (span.constraint, span.first) == (Constraint.PRINTERS, start)
    assert flow.served() == [date(2020, 6, 3)]  # the 80th working day
    assert flow.run_dry() == [None]


def test_ribbon_runs_out_separately() -> None:
    site = Site("32.16", 10_000, waiting=5000, ribbon=3000, printers_per_day=1000)
    flow = country(site, Gate(), 0)
    assert [span.constraint for span in flow.spans(0)] == [Constraint.PRINTERS, Constraint.RIBBON]
    assert flow.printed.sum() == 3000


def test_without_ribbon_and_without_blanks_both_hold_cards_back() -> None:
    """Ribbon alone would not help, and a shelf without a blank is dry whatever else is missing."""
    flow = country(Site("32.16", 0, waiting=500, ribbon=0.0), Gate(), 0)
    ribbon, blanks = flow.spans(0)
    assert (ribbon.constraint, blanks.constraint) == (Constraint.RIBBON, Constraint.BLANKS)
    assert ribbon.first == blanks.first == MARCH
    assert flow.run_dry() == [MARCH]


def test_a_shut_gate_is_told_beside_the_empty_shelf() -> None:
    gate = Gate(maintenance_until=date(2015, 12, 31))
    flow = country(Site("32.16", 0, undeduplicated=900, waiting=500), gate, 0)
    shelf, shut = flow.spans(0)
    assert (shelf.constraint, shelf.held) == (Constraint.BLANKS, 500)
    assert (shut.constraint, shut.held) == (Constraint.MAINTENANCE, 900)


def test_where_licence_and_maintenance_have_ended_both_are_told() -> None:
    """To renew one alone would let nobody through."""
    gate = Gate(maintenance_until=date(2017, 3, 3), licence_until=date(2017, 3, 1), opens=date(2017, 4, 3))
    flow = country(Site("32.16", 5_000, undeduplicated=900), gate, 365, date(2017, 3, 1), 60)
    spans = [(span.constraint, span.first, span.last) for span in flow.spans(0)]
    assert spans == [
        (Constraint.LICENCE, date(2017, 3, 2), date(2017, 3, 31)),
        (Constraint.MAINTENANCE, date(2017, 3, 6), date(2017, 3, 31)),
    ]


def test_ribbon_that_is_under_way_ends_the_wait_for_it() -> None:
    arrival = MARCH + timedelta(14)
    site = Site("32.16", 10_000, waiting=5000, ribbon=3000, ribbon_inbound=((arrival, 4000),))
    flow = country(site, Gate(), 0)
    (span,) = flow.spans(0)
    assert (span.constraint, span.last) == (Constraint.RIBBON, date(2017, 4, 7))
    assert flow.served() == [arrival]


def test_what_is_spoiled_took_a_place_in_the_printer_and_its_ribbon() -> None:
    """As for a target: 100 a day with one of ten spoiled are 90 cards."""
    site = Site("32.16", 1e6, waiting=1e5, printers_per_day=100, ribbon=1000, spoilage=0.1)
    flow = country(site, Gate(), 0, days=30)
    assert flow.printed[0, 0] == pytest.approx(90)
    assert flow.printed.sum() == pytest.approx(900)


def test_spoilage_of_4_7_percent_eats_blanks_that_make_no_card() -> None:
    """Pekalongan 2016: 2,707 of 57,540."""
    spoilage = 2707 / 57_540
    flow = country(Site("33.26", 57_540, waiting=60_000, spoilage=spoilage), Gate(), 0)
    assert flow.printed.sum() == pytest.approx(57_540 - 2707)
    assert flow.waiting[0, -1] == pytest.approx(60_000 - 54_833)


def test_what_is_under_way_prolongs_the_stock_from_its_arrival_on() -> None:
    arrival = MARCH + timedelta(28)
    without = country(Site("32.16", 5_000), Gate(), 100_000)
    with_it = country(Site("32.16", 5_000, inbound=((arrival, 20_000),)), Gate(), 100_000)
    (dry,), spans = without.run_dry(), with_it.spans(0)
    assert dry is not None
    assert dry < arrival
    assert next(span.first for span in spans if span.constraint is Constraint.BLANKS) == dry
    assert with_it.printed.sum() == pytest.approx(25_000)


_SITE = st.builds(
    Site,
    location=st.just("32.16"),
    blanks=st.floats(0, 5000),
    undeduplicated=st.floats(0, 3000),
    waiting=st.floats(0, 3000),
    printers_per_day=st.none() | st.floats(0, 500),
    ribbon=st.none() | st.floats(0, 5000),
    spoilage=st.floats(0, 0.3),
    inbound=st.lists(st.tuples(st.dates(MARCH, MARCH + timedelta(80)), st.floats(0, 2000)), max_size=3).map(
        tuple
    ),
)
_GATE = st.builds(
    Gate,
    maintenance_until=st.none() | st.dates(MARCH, MARCH + timedelta(60)),
    licence_until=st.none() | st.dates(MARCH, MARCH + timedelta(60)),
    people_left=st.none() | st.integers(0, 5000),
    searches_per_day=st.none() | st.integers(0, 300),
    duplicates=st.floats(0, 0.5),
)


@given(sites=st.lists(_SITE, min_size=1, max_size=5), gate=_GATE, seed=st.integers(0, 99))
def test_nobody_is_lost_and_no_blank_is_made_up(sites: list[Site], gate: Gate, seed: int) -> None:
    days = 60
    open_days = worked(MARCH, days)
    arrivals = np.random.default_rng(seed).poisson(40, (len(sites), days)) * open_days
    flow = simulate(sites, gate, arrivals.astype(float), open_days, MARCH)
    came = sum(site.undeduplicated + site.waiting for site in sites) + arrivals.sum()
    through = sum(site.undeduplicated for site in sites) + arrivals.sum() - flow.undeduplicated[:, -1].sum()
    waiting, printed = flow.waiting[:, -1].sum(), flow.printed.sum()
    assert came == pytest.approx(
        flow.undeduplicated[:, -1].sum() + waiting + printed + through * gate.duplicates, abs=1e-3
    )
    for row, site in enumerate(sites):
        arrived = sum(quantity for day, quantity in site.inbound if day < MARCH + timedelta(days))
        used = flow.printed[row].sum() / (1 - site.spoilage)
        assert site.blanks + arrived == pytest.approx(flow.blanks[row, -1] + used, abs=1e-3)
        assert (
            flow.printed[row].max() <= (site.printers_per_day or np.inf) + 1e-9 or site.printers_per_day == 0
        )
    for values in (flow.blanks, flow.waiting, flow.undeduplicated, flow.printed):
        assert (values >= -1e-6).all()
    if gate.people_left is not None:
        assert through * (1 - gate.duplicates) <= gate.people_left + 1e-3
