"""Forecasts and plans from the books: what is asked over RPC, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from tunggal.inventory.v1 import inventory_pb2
from tunggal.inventory.v1 import planning_pb2 as pb

from services.common.clock import FixedClock
from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from services.inventory.contracts.contract import Contract, ContractKind, ContractState
from services.inventory.contracts.store import ContractStore
from services.inventory.planning.calendar import DayKind, indonesia
from tests.inventory.inventory_office import BEKASI, new_id
from tests.inventory.planning_books import Books

YESTERDAY = date(2026, 3, 1)
DEPOK = "32.76"


@pytest.fixture
def books(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """An inventory without stock and without a past."""
    made = Books(database_url, clock, tmp_path)
    yield made
    made.database.dispose()


@pytest.fixture
def desk(clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """The same on SQLite alone, for what asks no table."""
    made = Books(f"sqlite:///{tmp_path}/desk.db", clock, tmp_path)
    yield made
    made.database.dispose()


def steady(a_day: float, days: int = 560, until: date = YESTERDAY) -> np.ndarray:
    """So many on each working day."""
    first = until - timedelta(days - 1)
    kinds = indonesia(first.year, until.year).days(first, days).kinds
    return np.where(kinds <= DayKind.FRIDAY, float(a_day), 0.0)


def forecast(books: Books, location: str = "", **more: Any) -> dict[str, pb.LocationForecast]:
    answer = books.send(pb.GetForecastRequest(location=location, **more))
    return {each.location: each for each in answer.forecasts}


def propose(books: Books, **changes: Any) -> pb.Plan:
    given = {"scope": "32", "reason": "first quarter", "operator": "siti"}
    request = pb.CreatePlanRequest(request_id=new_id(), **{**given, **changes})
    plan: pb.Plan = books.send(request).plan
    return plan


def approve(books: Books, plan_id: str, operator: str = "budi") -> pb.Plan:
    request = pb.ApprovePlanRequest(request_id=new_id(), plan_id=plan_id, operator=operator)
    plan: pb.Plan = books.send(request).plan
    return plan


def carry_out(books: Books, plan_id: str) -> pb.Plan:
    request = pb.CarryOutPlanRequest(request_id=new_id(), plan_id=plan_id, operator="siti")
    plan: pb.Plan = books.send(request).plan
    return plan


def test_a_forecast_of_nothing_is_empty(books: Books) -> None:
    answer = books.send(pb.GetForecastRequest())
    assert answer.start == "2026-03-02"
    assert not answer.forecasts


def test_bekasi_runs_dry_when_what_it_has_is_used_up(books: Books) -> None:
    books.live_through({BEKASI: steady(400), DEPOK: steady(100)}, YESTERDAY)
    books.stock_up(20_000)
    books.ship(BEKASI, 8_000)
    found = forecast(books, with_path=True)
    bekasi = found[BEKASI]
    assert bekasi.on_hand == 8_000
    assert bekasi.per_working_day == pytest.approx(400, rel=0.05)
    # 20 working days from 2 March 2026, with Nyepi and Lebaran in between.
    expected = indonesia(2026, 2026).nth_worked(date(2026, 3, 2), 20)
    dry, early, late = (
        date.fromisoformat(day) for day in (bekasi.run_dry, bekasi.run_dry_early, bekasi.run_dry_late)
    )
    assert abs((dry - expected).days) <= 4
    assert early <= dry <= late
    assert bekasi.expected_blanks[0] == pytest.approx(7_600, abs=60)
    assert bekasi.spans[0].constraint == pb.CONSTRAINT_BLANKS
    assert bekasi.spans[0].first_day == bekasi.run_dry
    assert bekasi.reorder_point == pytest.approx(400 * 10, rel=0.25)  # 14 days are ten working days
    assert bekasi.order_by == max((early - timedelta(14)), date(2026, 3, 2)).isoformat()
    assert found[DEPOK].run_dry == "2026-03-02"  # it has none


def test_who_waits_is_demand_at_once_and_the_report_of_the_day_counts_once(books: Books) -> None:
    books.live_through({BEKASI: steady(100)}, YESTERDAY)
    books.stock_up(5_000)
    books.ship(BEKASI, 3_000)
    without = forecast(books, BEKASI)[BEKASI]
    for waiting in (9_999, 2_000):
        books.clock.advance(timedelta(minutes=1))
        books.send(
            pb.ReportDemandRequest(
                request_id=new_id(),
                demands=[pb.Demand(location=BEKASI, print_ready=waiting, suket_debt=500, undeduplicated=40)],
            )
        )
    with_it = forecast(books, BEKASI)[BEKASI]
    assert (with_it.waiting, with_it.undeduplicated) == (2_500, 40)
    assert with_it.run_dry < without.run_dry
    # 2,540 at once and 100 a working day: the fifth one finds nothing.
    assert date.fromisoformat(with_it.run_dry) == indonesia(2026, 2026).nth_worked(date(2026, 3, 2), 5)


def test_arrivals_that_enroll_reports_stand_before_own_use(desk: Books) -> None:
    desk.live_through({BEKASI: steady(100)}, YESTERDAY)
    desk.send(
        pb.ReportDemandRequest(
            request_id=new_id(), demands=[pb.Demand(location=BEKASI, arrivals_28_days=20 * 300)]
        )
    )
    bekasi = forecast(desk, BEKASI)[BEKASI]
    assert bekasi.from_reports
    assert bekasi.per_working_day == pytest.approx(300, rel=0.15)


def test_a_regency_that_has_printed_nothing_yet_is_forecast_from_its_reports(desk: Books) -> None:
    desk.stock_up(5_000)
    desk.ship(BEKASI, 1_000)
    desk.send(
        pb.ReportDemandRequest(
            request_id=new_id(),
            demands=[pb.Demand(location=BEKASI, print_ready=200, arrivals_28_days=2_000)],
        )
    )
    bekasi = forecast(desk)[BEKASI]
    assert bekasi.from_reports
    assert date(2026, 3, 5) <= date.fromisoformat(bekasi.run_dry) <= date(2026, 3, 20)


def test_before_the_first_day_is_closed_a_week_has_five_equal_days(desk: Books) -> None:
    """On a Tuesday: that nothing is known of Monday does not mean that nobody comes on Mondays."""
    desk.clock.advance(timedelta(days=1))
    places = [f"32.{number:02}" for number in range(1, 31)]
    demands = [pb.Demand(location=place, arrivals_28_days=2_000) for place in places]
    desk.send(pb.ReportDemandRequest(request_id=new_id(), demands=demands))
    first = forecast(desk, "32.01", with_path=True)["32.01"]
    a_day = first.expected_use[:7]
    assert [a_day[k] for k in (1, 2, 3, 6)] == [pytest.approx(a_day[0])] * 4  # Wednesday to Monday
    assert not first.used
    assert first.explanation.startswith(f"{first.per_working_day:.1f} a working day by 2,000 arrivals")


@pytest.mark.parametrize(("doubles", "arrivals"), [(1, 0), (200, 2_000)])
def test_doubles_take_nothing_from_the_demand_of_those_who_got_through(
    desk: Books, doubles: int, arrivals: int
) -> None:
    """Cards that were made and records that became print-ready are of people who were no doubles."""
    desk.live_through({BEKASI: steady(100), DEPOK: steady(100)}, YESTERDAY)
    desk.stock_up(5_000)
    for place in (BEKASI, DEPOK):
        desk.ship(place, 2_000)
    elsewhere = pb.Demand(location="33.74", duplicates_28_days=doubles)
    arriving = pb.Demand(location=DEPOK, arrivals_28_days=arrivals)
    desk.send(pb.ReportDemandRequest(request_id=new_id(), demands=[arriving]))
    before = forecast(desk)
    desk.send(pb.ReportDemandRequest(request_id=new_id(), demands=[elsewhere]))
    after = forecast(desk)
    for place in (BEKASI, DEPOK):
        assert after[place].run_dry == before[place].run_dry > "2026-03-20"


def test_printers_bind_where_more_wait_than_they_can_print(desk: Books) -> None:
    desk.live_through({BEKASI: steady(100)}, YESTERDAY)
    desk.stock_up(300_000)
    desk.ship(BEKASI, 191_442)
    desk.send(
        pb.SetCapacityRequest(
            request_id=new_id(),
            capacity=pb.Capacity(location=BEKASI, printers=24, cards_per_printer_day=100, lead_days=7),
        )
    )
    desk.send(
        pb.ReportDemandRequest(request_id=new_id(), demands=[pb.Demand(location=BEKASI, print_ready=100_000)])
    )
    bekasi = forecast(desk, BEKASI)[BEKASI]
    assert bekasi.spans[0].constraint == pb.CONSTRAINT_PRINTERS
    assert bekasi.spans[0].first_day == "2026-03-02"
    assert bekasi.lead_days == 7
    assert bekasi.served > "2026-04-01"


def put_on_file(desk: Books, kind: ContractKind, number: str, until: date, **more: Any) -> None:
    """A contract that was signed and activated long ago."""
    contract = Contract(
        contract_id=number,
        supplier="PT Sidik Jari",
        quantity=0,
        outstanding=0,
        create_time=desk.clock.now(),
        kind=kind,
        state=ContractState.ACTIVE,
        item=None,
        valid_from=date(2015, 1, 1),
        valid_until=until,
        **more,
    )
    with desk.database.transaction() as connection:
        assert ContractStore(connection).add(contract)


def test_without_maintenance_nobody_is_deduplicated_whatever_blanks_there_are(desk: Books) -> None:
    """ATS ended on 31 December 2015: 4.5 M in SFE, and 2.7 M blanks at the centre do not help."""
    desk.stock_up(2_700_000)
    desk.ship(BEKASI, 100_000)
    waiting = pb.Demand(location=BEKASI, undeduplicated=45_000)
    desk.send(pb.ReportDemandRequest(request_id=new_id(), demands=[waiting]))
    # Nothing on file shuts no gate.
    assert forecast(desk)[BEKASI].served == "2026-03-02"
    put_on_file(desk, ContractKind.ABIS_LICENCE, "ABIS-1", date(2030, 12, 31))
    put_on_file(desk, ContractKind.MAINTENANCE, "ATS-1", date(2015, 12, 31))
    shut = forecast(desk)[BEKASI]
    assert [span.constraint for span in shut.spans] == [pb.CONSTRAINT_MAINTENANCE]
    assert shut.spans[0].first_day == "2026-03-02"
    assert (shut.spans[0].held, shut.served, shut.run_dry) == (45_000, "", "")
    put_on_file(desk, ContractKind.MAINTENANCE, "ATS-2", date(2030, 12, 31))
    assert forecast(desk)[BEKASI].served == "2026-03-02"


def test_a_licence_that_ends_binds_from_the_day_after(desk: Books) -> None:
    desk.live_through({BEKASI: steady(100)}, YESTERDAY)
    desk.stock_up(100_000)
    desk.ship(BEKASI, 50_000)
    put_on_file(desk, ContractKind.ABIS_LICENCE, "ABIS-1", date(2026, 4, 30))
    put_on_file(desk, ContractKind.MAINTENANCE, "ATS-1", date(2030, 12, 31))
    (span,) = forecast(desk)[BEKASI].spans
    # 1 May is a holiday, and a Friday.
    assert (span.constraint, span.first_day) == (pb.CONSTRAINT_LICENCE, "2026-05-04")


def test_searches_a_day_are_a_ceiling_of_the_licence(desk: Books) -> None:
    desk.stock_up(100_000)
    desk.ship(BEKASI, 50_000)
    waiting = pb.Demand(location=BEKASI, undeduplicated=10_000)
    desk.send(pb.ReportDemandRequest(request_id=new_id(), demands=[waiting]))
    put_on_file(desk, ContractKind.ABIS_LICENCE, "ABIS-1", date(2030, 12, 31), max_searches_per_day=500)
    put_on_file(desk, ContractKind.MAINTENANCE, "ATS-1", date(2030, 12, 31))
    bekasi = forecast(desk)[BEKASI]
    assert bekasi.spans[0].constraint == pb.CONSTRAINT_SEARCHES
    # Twenty days of 500 end on 21 March, in the holidays of Lebaran; the last cards are printed after them.
    assert bekasi.served == "2026-03-25"


def test_what_is_under_way_arrives_after_the_lead_time(books: Books) -> None:
    books.live_through({BEKASI: steady(100)}, YESTERDAY)
    books.stock_up(5_000)
    books.ship(BEKASI, 500)
    books.ship(BEKASI, 4_000, arrives=False)
    bekasi = forecast(books, BEKASI, with_path=True)[BEKASI]
    assert (bekasi.on_hand, bekasi.in_transit) == (500, 4_000)
    assert bekasi.expected_blanks[13] == pytest.approx(0, abs=1)
    assert bekasi.expected_blanks[14] > 2_000
    first, second = bekasi.spans[:2]
    assert (first.constraint, first.last_day) == (pb.CONSTRAINT_BLANKS, "2026-03-13")
    assert second.constraint == pb.CONSTRAINT_BLANKS


def test_what_is_set_aside_is_expected_a_lead_time_from_now_and_shared_out_once(books: Books) -> None:
    books.live_through({BEKASI: steady(100), DEPOK: steady(100)}, YESTERDAY)
    books.stock_up(10_000)
    books.ship(BEKASI, 500)
    books.allocate(BEKASI, 4_000)
    found = forecast(books, BEKASI, with_path=True)[BEKASI]
    assert (found.on_hand, found.in_transit, found.allocated, found.overdue) == (500, 0, 4_000, 0)
    assert found.expected_blanks[13] == pytest.approx(0, abs=1)
    assert found.expected_blanks[14] > 2_000
    # A plan does not send Bekasi once more what is set aside for it.
    plan = propose(books, source="ID")
    assert plan.shares[0].stock == 4_500
    assert plan.shares[1].units - plan.shares[0].units == pytest.approx(4_500, abs=200)


@pytest.mark.parametrize("horizon", [7, 60, 180])
def test_an_order_that_is_due_is_told_however_short_the_horizon_is(desk: Books, horizon: int) -> None:
    """Deliveries take 60 days, blanks last for 40: the order is due today, and is that of 60 days."""
    desk.live_through({BEKASI: steady(100)}, YESTERDAY)
    desk.stock_up(10_000)
    desk.ship(BEKASI, 2_500)
    capacity = pb.Capacity(location=BEKASI, lead_days=60)
    desk.send(pb.SetCapacityRequest(request_id=new_id(), capacity=capacity))
    found = forecast(desk, BEKASI, horizon_days=horizon)[BEKASI]
    assert found.order_by == "2026-03-02"
    assert (found.run_dry == "") == (horizon == 7)
    worked = indonesia(2026, 2026).worked_between(date(2026, 3, 2), date(2026, 4, 30))
    assert found.reorder_point == pytest.approx(100 * worked, rel=0.25)
    ends = date(2026, 3, 2) + timedelta(horizon - 1)
    assert all(date.fromisoformat(span.last_day) <= ends for span in found.spans)


def test_nothing_is_ordered_that_is_due_after_the_horizon(desk: Books) -> None:
    desk.live_through({BEKASI: steady(100)}, YESTERDAY)
    desk.stock_up(10_000)
    desk.ship(BEKASI, 5_000)
    assert not forecast(desk, BEKASI, horizon_days=20)[BEKASI].order_by
    assert forecast(desk, BEKASI, horizon_days=90)[BEKASI].order_by > "2026-04-15"


def test_nothing_is_ordered_that_would_arrive_after_a_site_has_closed(desk: Books) -> None:
    fair, market = f"{BEKASI}:fair", f"{BEKASI}:market"
    desk.live_through({fair: steady(300), market: steady(300)}, YESTERDAY)
    desk.open_site(fair, days=5)
    desk.open_site(market, days=15)  # an order takes fourteen days
    found = forecast(desk, BEKASI)
    assert found[fair].run_dry == found[market].run_dry == "2026-03-02"
    assert (found[fair].order_by, found[market].order_by) == ("", "2026-03-02")


def test_who_gets_through_the_gate_before_an_order_arrives_wants_a_blank_of_it(books: Books) -> None:
    books.live_through({BEKASI: steady(100)}, YESTERDAY)
    without = forecast(books, BEKASI)[BEKASI].reorder_point
    report = pb.Demand(location=BEKASI, print_ready=50, undeduplicated=5_000)
    books.send(pb.ReportDemandRequest(request_id=new_id(), demands=[report]))
    assert forecast(books, BEKASI)[BEKASI].reorder_point == pytest.approx(without + 5_050, abs=1)
    put_on_file(books, ContractKind.ABIS_LICENCE, "ABIS-1", date(2030, 12, 31))
    assert forecast(books, BEKASI)[BEKASI].reorder_point == pytest.approx(without + 50, abs=1)


def test_the_early_end_does_without_what_should_have_arrived_long_ago(books: Books) -> None:
    books.live_through({BEKASI: steady(100)}, YESTERDAY)
    books.stock_up(10_000)
    books.ship(BEKASI, 500)
    books.ship(BEKASI, 4_000, arrives=False)
    books.clock.advance(timedelta(days=15))
    found = forecast(books, BEKASI)[BEKASI]
    assert (found.in_transit, found.overdue) == (4_000, 4_000)
    calendar, today = indonesia(2026, 2026), date(2026, 3, 17)
    assert date.fromisoformat(found.run_dry_early) <= calendar.nth_worked(today, 7)
    assert date.fromisoformat(found.run_dry) >= calendar.nth_worked(today, 35)


def test_a_shelf_without_blanks_is_dry_though_the_ribbon_is_out_as_well(desk: Books) -> None:
    """Told "not dry" with nothing in stock would be as bad as "told empty with 23,000"."""
    desk.live_through({BEKASI: steady(100)}, YESTERDAY)
    desk.roll_out(BEKASI, 0)
    found = forecast(desk, BEKASI)[BEKASI]
    assert [span.constraint for span in found.spans] == [pb.CONSTRAINT_RIBBON, pb.CONSTRAINT_BLANKS]
    assert found.run_dry == found.order_by == "2026-03-02"


def test_ribbon_on_its_way_holds_cards_back_only_until_it_arrives(desk: Books) -> None:
    desk.live_through({BEKASI: steady(100)}, YESTERDAY)
    desk.stock_up(50_000)
    desk.ship(BEKASI, 20_000)
    desk.roll_out(BEKASI, 1, under_way=100)
    (span,) = forecast(desk, BEKASI)[BEKASI].spans
    assert span.constraint == pb.CONSTRAINT_RIBBON
    # One roll is 500 cards: five working days. The others arrive after fourteen days.
    assert (span.first_day, span.last_day) == ("2026-03-09", "2026-03-13")


def test_a_site_whose_event_is_over_has_no_demand_and_gets_nothing(desk: Books) -> None:
    fair = f"{BEKASI}:fair"
    desk.live_through({BEKASI: steady(100), fair: steady(300)}, YESTERDAY)
    desk.stock_up(10_000)
    desk.open_site(fair)
    assert set(forecast(desk)) == {BEKASI, fair}
    desk.close_site(fair)
    assert set(forecast(desk)) == {BEKASI}
    plan = propose(desk, source="ID")
    assert [share.location for share in plan.shares] == [BEKASI]
    approve(desk, plan.plan_id)
    assert carry_out(desk, plan.plan_id).state == pb.PLAN_STATE_CARRIED_OUT


def test_nobody_comes_to_a_site_after_its_last_day(books: Books) -> None:
    fair = f"{BEKASI}:fair"
    books.live_through({BEKASI: steady(100), fair: steady(300)}, YESTERDAY)
    books.stock_up(30_000)
    books.ship(fair, 1_600)
    books.open_site(fair, days=5)  # Monday to Friday: 1,500 cards
    found = forecast(books, with_path=True)
    assert found[fair].closes == "2026-03-06"
    assert not found[fair].run_dry
    assert not found[fair].order_by
    assert found[fair].expected_blanks[-1] == pytest.approx(100, abs=60)
    assert sum(found[fair].expected_use[5:]) == 0
    assert found[fair].explanation.endswith("the site closes on 6 March 2026.")
    assert not found[BEKASI].closes
    plan = propose(books, source="ID", lot=100)
    shares = {share.location: share for share in plan.shares}
    assert shares[fair].units == 0
    assert "it closes after 5 working days" in shares[fair].explanation


def test_a_forecast_says_what_it_is_made_of(books: Books) -> None:
    doubled, campaign, grown = steady(100), steady(100), steady(100)
    doubled[-40:] *= 2
    campaign[-9:] *= 4
    books.live_through(
        {
            BEKASI: doubled,
            DEPOK: campaign,
            **{f"32.{k:02}": steady(600 + k) for k in range(1, 9)},
            "33.01": grown,
        },
        YESTERDAY,
    )
    demand = pb.Demand(location="33.01", print_ready=70, undeduplicated=30, arrivals_28_days=1_900)
    books.send(pb.ReportDemandRequest(request_id=new_id(), demands=[demand]))
    found = forecast(books)
    bekasi, depok, quiet = found[BEKASI], found[DEPOK], found["32.03"]
    assert 1.5 <= bekasi.change <= 2.2
    assert abs((date.fromisoformat(bekasi.changed_since) - (YESTERDAY - timedelta(39))).days) <= 14
    assert "since about" in bekasi.explanation
    assert f"{bekasi.change:,.1f} times what it was before" in bekasi.explanation
    assert bekasi.per_working_day == pytest.approx(200, rel=0.15)
    assert depok.surge > 3
    assert not depok.changed_since
    assert "a campaign, or a level that stays" in depok.explanation
    assert depok.per_working_day < 150
    assert not quiet.changed_since
    assert not quiet.surging_since
    assert quiet.explanation == f"{quiet.per_working_day:,.1f} a working day by own use of 368 working days."
    reported = found["33.01"].explanation
    assert "by 1,900 arrivals of 28 days that enrolment reported" in reported
    assert "100 people who wait come first" in reported


def test_the_path_tells_what_was_used_and_when_the_shelf_was_empty(desk: Books) -> None:
    use = steady(50)
    use[-3:-1] = np.nan  # Friday and Saturday
    desk.live_through({BEKASI: use}, YESTERDAY)
    found = forecast(desk, with_path=True)[BEKASI]
    assert len(found.used) == 84
    assert list(found.empty_days) == [81, 82]
    assert found.used[80] == 50
    assert len(found.expected_use) == len(found.expected_blanks) == 180
    assert not forecast(desk)[BEKASI].used


def test_a_store_where_a_box_got_wet_prints_no_cards(desk: Books) -> None:
    desk.stock_up(10_000)
    desk.ship("32", 5_000)
    desk.ship(BEKASI, 1_000)
    for card in range(5):
        desk.print_card(BEKASI, f"04AA00000{card}")
    desk.wet("32", 500)
    desk.close_day()
    assert set(forecast(desk)) == {BEKASI}
    assert [share.location for share in propose(desk, scope="ID").shares] == [BEKASI]


def test_a_wet_box_is_no_way_to_handle_cards(desk: Books) -> None:
    desk.stock_up(10_000)
    desk.ship(BEKASI, 2_000)
    for day in range(4):
        for card in range(10):
            desk.print_card(BEKASI, f"04AA{day:03}{card:03}")
        if day == 2:
            desk.wet(BEKASI, 500)
        desk.close_day()
    bekasi = forecast(desk, BEKASI)[BEKASI]
    # 500 of 540 blanks were lost, but in one day.
    assert bekasi.spoilage < 0.21
    assert bekasi.per_working_day < 30


@pytest.mark.parametrize(("a_year", "short"), [(3_000_000, 500_000), (5_000_000, 2_500_000)])
def test_seven_million_blanks_are_short_by_half_a_million_with_the_date(
    desk: Books, a_year: int, short: int
) -> None:
    """4.5 M wait and 3 M come in a year (elsewhere in the same quote: 5 M): over RPC, of the country."""
    today, calendar = date(2026, 3, 2), indonesia(2026, 2027)
    worked = calendar.worked_between(today, today + timedelta(364))
    lately = calendar.worked_between(today - timedelta(27), today)
    desk.stock_up(7_000_000)
    waiting = pb.Demand(
        location="ID", print_ready=4_500_000, arrivals_28_days=round(a_year / worked * lately)
    )
    desk.send(pb.ReportDemandRequest(request_id=new_id(), demands=[waiting]))
    country = forecast(desk, horizon_days=365)["ID"]
    (span,) = country.spans
    assert (country.on_hand, span.constraint) == (7_000_000, pb.CONSTRAINT_BLANKS)
    assert span.held == pytest.approx(short, rel=0.01)
    # 2.5 M are left for those who come.
    last = calendar.nth_worked(today, int(2_500_000 / a_year * worked))
    assert abs((date.fromisoformat(country.run_dry) - last).days) <= 4


def test_paths_of_the_whole_country_are_refused(desk: Books) -> None:
    desk.live_through({f"32.{n:02}": steady(10, 60) for n in range(1, 53)}, YESTERDAY)
    with pytest.raises(InvalidArgument) as refused:
        forecast(desk, with_path=True)
    assert refused.value.reason == "TOO_MANY_PATHS"
    assert len(forecast(desk)) == 52


def test_a_plan_lets_a_province_run_out_on_one_day_and_moves_nothing(books: Books) -> None:
    books.live_through({BEKASI: steady(400), DEPOK: steady(100), "33.74": steady(50)}, YESTERDAY)
    books.stock_up(20_000)
    books.ship(BEKASI, 400)
    books.ship("32", 10_000)
    plan = propose(books, lot=100)
    assert plan.state == pb.PLAN_STATE_PROPOSED
    assert [share.location for share in plan.shares] == [BEKASI, DEPOK]
    bekasi, depok = plan.shares
    assert bekasi.units + depok.units + plan.left_over == 10_000
    assert bekasi.days_after == pytest.approx(depok.days_after, abs=1.1)
    assert bekasi.units % 100 == 0
    assert "400 there and under way" in bekasi.explanation
    assert date.fromisoformat(bekasi.run_dry_after) > date(2026, 3, 20)
    assert [(move.from_location, move.to_location, move.units) for move in plan.moves] == [
        ("32", BEKASI, bekasi.units),
        ("32", DEPOK, depok.units),
    ]
    stock = books.send(inventory_pb2.GetStockRequest(location="32")).levels
    assert {level.location: level.on_hand for level in stock if level.on_hand} == {"32": 10_000, BEKASI: 400}


def test_a_plan_is_approved_by_a_second_person_and_then_carried_out_once(books: Books) -> None:
    books.live_through({BEKASI: steady(400), DEPOK: steady(100)}, YESTERDAY)
    books.stock_up(10_000)
    books.ship("32", 10_000)
    plan = propose(books)
    with pytest.raises(FailedPrecondition) as early:
        carry_out(books, plan.plan_id)
    assert early.value.reason == "WRONG_PLAN_STATE"
    with pytest.raises(PermissionDenied) as same:
        approve(books, plan.plan_id, operator="Siti")
    assert same.value.reason == "SECOND_PERSON_NEEDED"
    assert approve(books, plan.plan_id).state == pb.PLAN_STATE_APPROVED
    done = carry_out(books, plan.plan_id)
    assert done.state == pb.PLAN_STATE_CARRIED_OUT
    assert len(done.allocation_ids) == 2
    made = books.send(inventory_pb2.GetAllocationRequest(allocation_id=done.allocation_ids[0])).allocation
    assert (made.from_location, made.to_location, made.quantity) == ("32", BEKASI, plan.shares[0].units)
    assert f"Plan {plan.plan_id}: 0 there and under way" in made.reason
    with pytest.raises(FailedPrecondition, match="cannot be carried out"):
        carry_out(books, plan.plan_id)
    read = books.send(pb.GetPlanRequest(plan_id=plan.plan_id)).plan
    assert read.allocation_ids == done.allocation_ids
    listed = books.send(pb.ListPlansRequest(state=pb.PLAN_STATE_CARRIED_OUT)).plans
    assert [each.plan_id for each in listed] == [plan.plan_id]
    assert not listed[0].shares


def test_a_plan_that_another_has_overtaken_is_not_carried_out(books: Books) -> None:
    books.live_through({BEKASI: steady(400), DEPOK: steady(100)}, YESTERDAY)
    books.stock_up(10_000)
    books.ship("32", 10_000)
    first, second = propose(books, available=2_000), propose(books, available=2_000)
    for plan in (first, second):
        approve(books, plan.plan_id)
    books.clock.advance(timedelta(minutes=5))
    carry_out(books, first.plan_id)
    with pytest.raises(FailedPrecondition) as refused:
        carry_out(books, second.plan_id)
    assert refused.value.reason == "PLAN_OVERTAKEN"
    assert refused.value.metadata["overtaken_by"] == first.plan_id


def test_a_plan_whose_stock_has_gone_makes_no_allocation_at_all(books: Books) -> None:
    books.live_through({BEKASI: steady(400), DEPOK: steady(100)}, YESTERDAY)
    books.stock_up(10_000)
    books.ship("32", 10_000)
    plan = propose(books)
    approve(books, plan.plan_id)
    books.ship("33", 3_000, source="32")
    with pytest.raises(FailedPrecondition) as refused:
        carry_out(books, plan.plan_id)
    assert refused.value.reason == "INSUFFICIENT_STOCK"
    assert not books.send(inventory_pb2.ListAllocationsRequest(location=BEKASI)).allocations
    assert books.send(pb.GetPlanRequest(plan_id=plan.plan_id)).plan.state == pb.PLAN_STATE_APPROVED


@pytest.mark.parametrize("late", ["approved", "carried out"])
def test_a_plan_that_reckoned_with_other_stock_is_not_approved_nor_carried_out(
    books: Books, late: str
) -> None:
    books.live_through({BEKASI: steady(400), DEPOK: steady(100)}, YESTERDAY)
    books.stock_up(20_000)
    books.ship("32", 10_000)
    plan = propose(books)
    if late == "carried out":
        approve(books, plan.plan_id)
    # Somebody else has sent Depok what the plan gives it; the province has enough for the plan all the same.
    books.ship(DEPOK, 2_000)
    with pytest.raises(FailedPrecondition) as refused:
        (carry_out if late == "carried out" else approve)(books, plan.plan_id)
    assert refused.value.reason == "PLAN_STALE"
    assert refused.value.metadata["location"] == DEPOK
    assert (refused.value.metadata["planned"], refused.value.metadata["has"]) == ("0", "2000")
    assert not books.send(inventory_pb2.ListAllocationsRequest(location=BEKASI)).allocations


def test_what_is_used_meanwhile_makes_no_plan_stale(books: Books) -> None:
    books.live_through({BEKASI: steady(4)}, YESTERDAY)
    books.stock_up(1_000)
    books.ship(BEKASI, 40)
    plan = propose(books, source="ID", available=100)
    for day in range(3):
        for card in range(6 - day):
            books.print_card(BEKASI, f"04AA{day:03}{card:03}")
        books.close_day()
    approve(books, plan.plan_id)
    assert carry_out(books, plan.plan_id).state == pb.PLAN_STATE_CARRIED_OUT


def test_of_two_who_decide_at_once_one_does(database_url: str, books: Books) -> None:
    books.live_through({BEKASI: steady(400)}, YESTERDAY)
    books.stock_up(10_000)
    plan_id = propose(books, source="ID").plan_id
    start = Barrier(4)

    def decide(number: int) -> str:
        start.wait()
        try:
            if number % 2:
                approve(books, plan_id, operator=f"budi{number}")
                return "approved"
            request = pb.RejectPlanRequest(
                request_id=new_id(), plan_id=plan_id, operator=f"ani{number}", reason="floods"
            )
            books.send(request)
            return "rejected"
        except FailedPrecondition as refused:
            return refused.reason

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(decide, range(4)))
    assert said[:3] == ["WRONG_PLAN_STATE"] * 3
    state = books.send(pb.GetPlanRequest(plan_id=plan_id)).plan.state
    assert state == (pb.PLAN_STATE_APPROVED if said[3] == "approved" else pb.PLAN_STATE_REJECTED)


def test_a_plan_carried_out_twice_at_once_makes_its_allocations_once(books: Books) -> None:
    books.live_through({BEKASI: steady(400), DEPOK: steady(100)}, YESTERDAY)
    books.stock_up(50_000)
    plan = propose(books, source="ID", available=10_000)
    approve(books, plan.plan_id)
    start = Barrier(3)

    def work(_: int) -> int:
        start.wait()
        try:
            return len(carry_out(books, plan.plan_id).allocation_ids)
        except FailedPrecondition:
            return 0

    with ThreadPoolExecutor(3) as pool:
        made = sorted(pool.map(work, range(3)))
    assert made == [0, 0, 2]
    assert len(books.send(inventory_pb2.ListAllocationsRequest()).allocations) == 2


def test_a_repeated_proposal_gets_its_first_answer_though_the_stock_is_gone(books: Books) -> None:
    books.live_through({BEKASI: steady(400)}, YESTERDAY)
    books.stock_up(10_000)
    request = pb.CreatePlanRequest(
        request_id=new_id(), scope="32", source="ID", reason="first quarter", operator="siti", available=9_000
    )
    first = books.send(request)
    books.ship("33", 10_000)
    assert books.send(request) == first


def test_those_who_wait_where_nothing_was_ever_used_get_their_cards(books: Books) -> None:
    """A regency that opens today: 2,000 wait there, and nobody knows how many will come."""
    books.live_through({DEPOK: steady(100)}, YESTERDAY)
    books.stock_up(4_000)
    waiting = pb.Demand(location=BEKASI, print_ready=2_000)
    books.send(pb.ReportDemandRequest(request_id=new_id(), demands=[waiting]))
    bekasi, depok = propose(books, source="ID").shares
    assert (bekasi.location, bekasi.waiting, bekasi.per_working_day) == (BEKASI, 2_000, 100)
    assert bekasi.units == pytest.approx(3_000, abs=50)
    assert depok.units == pytest.approx(1_000, abs=50)


def test_a_regency_that_runs_dry_before_its_delivery_is_told_for_how_long(desk: Books) -> None:
    desk.live_through({BEKASI: steady(100), DEPOK: steady(100)}, YESTERDAY)
    desk.stock_up(20_000)
    desk.ship(BEKASI, 300)
    desk.ship(DEPOK, 5_000)
    bekasi, depok = propose(desk, source="ID").shares
    assert bekasi.gap_days == pytest.approx(10 - 3, abs=0.3)
    assert f"it runs dry {bekasi.gap_days:.1f} working days before they can arrive" in bekasi.explanation
    assert depok.gap_days == 0


def test_regencies_lend_where_the_plan_lets_them(desk: Books) -> None:
    desk.live_through({BEKASI: steady(100), DEPOK: steady(100)}, YESTERDAY)
    desk.stock_up(10_000)
    desk.ship(BEKASI, 6_000)
    desk.ship("32", 1_000)
    plan = propose(desk, lending=True, lot=100)
    assert [share.units for share in plan.shares] == [-2_500, 3_500]
    assert {(move.from_location, move.to_location): move.units for move in plan.moves} == {
        ("32", DEPOK): 1_000,
        (BEKASI, DEPOK): 2_500,
    }


def test_a_rejected_plan_stays_with_its_reason(books: Books) -> None:
    books.live_through({BEKASI: steady(400)}, YESTERDAY)
    books.stock_up(10_000)
    plan = propose(books, source="ID")
    request = pb.RejectPlanRequest(
        request_id=new_id(), plan_id=plan.plan_id, operator="budi", reason="floods in Depok"
    )
    rejected = books.send(request).plan
    assert (rejected.state, rejected.decision) == (pb.PLAN_STATE_REJECTED, "floods in Depok")
    assert rejected.decided_by == "operator/cli:budi"
    with pytest.raises(FailedPrecondition):
        approve(books, plan.plan_id)


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"available": 1}, InvalidArgument, "MORE_THAN_FREE"),
        ({"scope": "33", "source": "ID"}, FailedPrecondition, "NOTHING_TO_SHARE"),
        ({"item": "gold"}, NotFound, "ITEM_UNKNOWN"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    desk: Books, changes: dict[str, Any], kind: type[Exception], reason: str
) -> None:
    desk.live_through({BEKASI: steady(400)}, YESTERDAY)
    with pytest.raises(kind) as refused:
        propose(desk, **changes)
    assert getattr(refused.value, "reason", None) == reason


def test_the_same_request_makes_one_plan(books: Books) -> None:
    books.live_through({BEKASI: steady(400)}, YESTERDAY)
    books.stock_up(10_000)
    request = pb.CreatePlanRequest(
        request_id=new_id(), scope="32", source="ID", reason="twice sent", operator="siti"
    )
    assert books.send(request).plan.plan_id == books.send(request).plan.plan_id
    request.lot = 7
    with pytest.raises(AlreadyExists):
        books.send(request)
    assert len(books.send(pb.ListPlansRequest()).plans) == 1


def test_a_site_that_closes_on_the_last_day_there_is_gets_its_share(desk: Books) -> None:
    desk.stock_up(1000)
    desk.open_site("32.16:fair", days=(date.max - desk.day()).days + 1)
    report = pb.Demand(location="32.16:fair", arrivals_28_days=100)
    desk.send(pb.ReportDemandRequest(request_id=new_id(), demands=[report]))
    (share,) = propose(desk, source="ID").shares
    assert share.units == 1000


def test_bekasis_target_over_rpc(desk: Books) -> None:
    target = pb.Target(
        cards=191_442,
        start="2020-02-04",
        deadline="2020-03-02",
        printers=24,
        operators=46,
        cards_per_printer_day=100,
        blanks=191_442,
    )
    verdict = desk.send(pb.AssessTargetRequest(target=target))
    assert not verdict.feasible
    assert round(verdict.needed_per_printer_day) == 399
    assert round(verdict.days_of_work) == 80
    assert verdict.printers_needed == 96
    assert verdict.advice[0].startswith("96 printers (72 more)")
    target.cards_per_printer_day, target.minutes_per_card = 0, 15
    slow = desk.send(pb.AssessTargetRequest(target=target))
    assert (slow.cards_per_day, round(slow.days_of_work)) == (768, 249)


@pytest.mark.parametrize(
    ("changes", "bottleneck", "advice"),
    [
        ({"cards": 7_000_000, "printers": 24}, pb.BOTTLENECK_PRINTERS, "3,500 printers (3,476 more) at"),
        ({"cards": 10**9, "spoilage": 0.5}, pb.BOTTLENECK_PRINTERS, "1,000,000 printers (999,999 more) at"),
        (
            {"cards": 10**6, "operators": 1, "operator_minutes_per_card": 1440},
            pb.BOTTLENECK_OPERATORS,
            "500 printers (499 more) at 100 cards a day each together with 150,000 operators",
        ),
    ],
)
def test_a_target_of_many_years_is_infeasible_and_says_what_would_do(
    desk: Books, changes: dict[str, Any], bottleneck: int, advice: str
) -> None:
    given = {"cards": 100, "start": "2020-02-04", "deadline": "2020-03-02", "printers": 1}
    target = pb.Target(**{**given, "cards_per_printer_day": 100, **changes})
    verdict = desk.send(pb.AssessTargetRequest(target=target))
    assert not verdict.feasible
    assert (verdict.finish, verdict.later_than, verdict.bottleneck) == ("", "2030-12-31", bottleneck)
    assert verdict.advice[0].startswith(advice)
    assert not [each for each in verdict.advice if each.startswith("until")]


def test_where_blanks_end_first_no_day_is_named_however_far_the_last_card_is(desk: Books) -> None:
    target = pb.Target(
        cards=7_000_000,
        start="2020-02-04",
        deadline="2020-03-02",
        printers=24,
        cards_per_printer_day=100,
        blanks=100,
    )
    verdict = desk.send(pb.AssessTargetRequest(target=target))
    assert (verdict.finish, verdict.later_than) == ("", "")
    assert verdict.bottleneck == pb.BOTTLENECK_BLANKS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cards_per_printer_day": 0}, "NO_RATE"),
        ({"deadline": "2020-02-03"}, "NO_WORKING_DAY"),
        ({"deadline": "2020-02-30"}, "DAY_MALFORMED"),
        ({"cards": 10**9, "cards_per_printer_day": 1e-9}, "TARGET_OUT_OF_SIGHT"),
        (
            {"cards_per_printer_day": 0, "hours_per_day": 5e-324, "minutes_per_card": 1440},
            "TARGET_OUT_OF_SIGHT",
        ),
        ({"hours_per_day": 5e-324, "operators": 1, "operator_minutes_per_card": 9}, "TARGET_OUT_OF_SIGHT"),
        ({"start": "9995-01-01", "deadline": "9999-12-31"}, "TARGET_OUT_OF_SIGHT"),
        ({"deadline": "9999-12-31"}, "TARGET_OUT_OF_SIGHT"),
    ],
)
def test_what_is_no_target_is_refused_with_its_field(
    desk: Books, changes: dict[str, Any], reason: str
) -> None:
    given = {"cards": 100, "start": "2020-02-04", "deadline": "2020-03-02", "printers": 1}
    target = pb.Target(**{**given, "cards_per_printer_day": 100, **changes})
    with pytest.raises(InvalidArgument) as refused:
        desk.send(pb.AssessTargetRequest(target=target))
    assert refused.value.reason == reason
    assert refused.value.field is not None
    assert refused.value.field.startswith("target.")


def test_a_restated_denominator_never_rewrites_history(books: Books) -> None:
    """Tempo, 29 March 2017: 172,046,898 of 178,207,350, which is 96.54 %."""

    def enter(day: str, recorded: int, obliged: int, source: str) -> None:
        coverage = pb.Coverage(location="ID", day=day, recorded=recorded, obliged=obliged, source=source)
        books.send(pb.ReportCoverageRequest(request_id=new_id(), coverage=coverage))

    enter("2017-03-29", 172_046_898, 178_207_350, "Tempo, 29 March 2017")
    then = books.clock.now()
    books.clock.advance(timedelta(days=30))
    enter("2017-03-29", 172_046_898, 182_000_000, "restated")
    now = books.send(pb.GetCoverageRequest(location="ID", goal=1.0, deadline="2018-12-31"))
    assert now.latest.obliged == 182_000_000
    assert [each.obliged for each in now.history] == [178_207_350, 182_000_000]
    request = pb.GetCoverageRequest(location="ID", goal=1.0, deadline="2018-12-31")
    request.known_at.FromDatetime(then)
    before = books.send(request)
    assert round(before.share, 4) == 0.9654
    assert before.missing == 6_160_452
    assert before.working_days == 419
    assert round(before.needed_per_working_day) == 14_703


def test_nobody_knows_what_will_be_known_of_the_coverage(desk: Books, clock: FixedClock) -> None:
    coverage = pb.Coverage(location="32", day="2017-03-29", recorded=9, obliged=10, source="Tempo")
    desk.send(pb.ReportCoverageRequest(request_id=new_id(), coverage=coverage))
    request = pb.GetCoverageRequest(location="32")
    request.known_at.FromDatetime(clock.now() + timedelta(hours=2))
    assert desk.send(request).latest.recorded == 9
    request.known_at.FromDatetime(clock.now() + timedelta(hours=2, seconds=1))
    with pytest.raises(InvalidArgument) as refused:
        desk.send(request)
    assert (refused.value.reason, refused.value.field) == ("TIME_IN_FUTURE", "known_at")


def test_nobody_has_counted_on_a_day_to_come(desk: Books, clock: FixedClock) -> None:
    """Such a figure would be the latest one until that day, and nothing entered is taken back."""
    tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
    coverage = pb.Coverage(location="32", day=tomorrow, recorded=9, obliged=10, source="typo")
    with pytest.raises(InvalidArgument) as error:
        desk.send(pb.ReportCoverageRequest(request_id=new_id(), coverage=coverage))
    assert (error.value.reason, error.value.field) == ("DAY_TO_COME", "coverage.day")


def test_coverage_above_all_is_refused_and_of_nowhere_unknown(desk: Books) -> None:
    coverage = pb.Coverage(location="32", day="2017-03-29", recorded=11, obliged=10, source="typo")
    with pytest.raises(InvalidArgument) as refused:
        desk.send(pb.ReportCoverageRequest(request_id=new_id(), coverage=coverage))
    assert refused.value.reason == "MORE_RECORDED_THAN_OBLIGED"
    with pytest.raises(NotFound):
        desk.send(pb.GetCoverageRequest(location="32"))


def test_a_goal_of_another_age_is_refused(desk: Books) -> None:
    coverage = pb.Coverage(location="32", day="2017-03-29", recorded=9, obliged=10, source="Tempo")
    desk.send(pb.ReportCoverageRequest(request_id=new_id(), coverage=coverage))
    with pytest.raises(InvalidArgument) as refused:
        desk.send(pb.GetCoverageRequest(location="32", goal=1.0, deadline="9999-12-31"))
    assert (refused.value.reason, refused.value.field) == ("GOAL_OUT_OF_SIGHT", "deadline")
