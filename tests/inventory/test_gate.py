"""The gate that the country shares: room in the licence, its end, maintenance; letters in place of cards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tunggal.inventory.v1 import contracts_pb2, contracts_pb2_grpc, planning_pb2_grpc
from tunggal.inventory.v1 import planning_pb2 as pb

from services.common.client import channel
from services.common.clock import FixedClock
from services.common.errors import remote_error
from services.inventory.app import build
from services.inventory.contracts.contract import Contract, ContractKind, ContractState
from services.inventory.contracts.store import ContractStore
from services.inventory.planning.calendar import DayKind, indonesia
from services.inventory.settings import Settings
from tests.inventory.inventory_office import BEKASI, new_id
from tests.inventory.planning_books import Books

TODAY = date(2026, 3, 2)
FAR = date(2030, 12, 31)
DEPOK = "32.76"
CALENDAR = indonesia(2026, 2027)


@pytest.fixture
def books(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """An inventory with a million blanks in Bekasi."""
    made = Books(database_url, clock, tmp_path)
    made.stock_up(7_000_000)
    made.ship(BEKASI, 1_000_000)
    yield made
    made.database.dispose()


def put_on_file(
    books: Books, kind: ContractKind, until: date, state: ContractState = ContractState.ACTIVE, **terms: Any
) -> None:
    contract = Contract(
        contract_id=f"{kind.upper()}-{until}",
        supplier="PT Biometrik",
        quantity=0,
        create_time=books.clock.now(),
        kind=kind,
        state=state,
        item=None,
        valid_until=until,
        **terms,
    )
    with books.database.transaction() as connection:
        assert ContractStore(connection).add(contract)


def report(books: Books, *demands: pb.Demand) -> None:
    books.send(pb.ReportDemandRequest(request_id=new_id(), demands=demands))


def use(books: Books, people: int) -> contracts_pb2.Entitlement:
    request = contracts_pb2.ReportUseRequest(request_id=new_id(), people=people)
    entitlement: contracts_pb2.Entitlement = books.send(request).entitlement
    return entitlement


def forecast(books: Books, location: str = "", **more: Any) -> pb.GetForecastResponse:
    answer: pb.GetForecastResponse = books.send(pb.GetForecastRequest(location=location, **more))
    return answer


def arrivals(location: str, a_day: int) -> pb.Demand:
    """A report of so many new people on each of the working days of 28."""
    worked = CALENDAR.worked_between(TODAY - timedelta(27), TODAY)
    return pb.Demand(location=location, arrivals_28_days=a_day * worked)


def test_the_licence_is_full_when_its_room_is_used_up_by_those_who_come(books: Books) -> None:
    """172,046,898 are there; at 30,000 a day the licence for 3,000,000 more is full in 100 working days."""
    books.ship(BEKASI, 3_000_000)
    put_on_file(books, ContractKind.MAINTENANCE, FAR)
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR, max_people=175_046_898)
    use(books, 172_046_898)
    report(books, arrivals(BEKASI, 30_000))
    answer = forecast(books, horizon_days=365)
    assert answer.gate.full_on == CALENDAR.nth_worked(TODAY, 100).isoformat()
    assert (answer.gate.max_people, answer.gate.people) == (175_046_898, 172_046_898)
    assert answer.gate.arrivals_per_working_day == pytest.approx(30_000)
    (bekasi,) = answer.forecasts
    full = next(span for span in bekasi.spans if span.constraint == pb.CONSTRAINT_LICENCE_FULL)
    assert full.first_day >= answer.gate.full_on
    assert full.last_day == (TODAY + timedelta(364)).isoformat()


def test_a_licence_that_is_full_lets_nobody_through_with_2_7_million_blanks_in_stock(books: Books) -> None:
    put_on_file(books, ContractKind.MAINTENANCE, FAR)
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR, max_people=172_046_898)
    use(books, 172_046_898)
    report(books, pb.Demand(location=BEKASI, undeduplicated=4_500_000))
    (bekasi,) = forecast(books).forecasts
    assert [(span.constraint, span.first_day, span.held) for span in bekasi.spans] == [
        (pb.CONSTRAINT_LICENCE_FULL, TODAY.isoformat(), 4_500_000)
    ]
    assert not bekasi.run_dry


def test_a_ceiling_counts_for_nothing_before_the_abis_said_how_many_it_has(books: Books) -> None:
    put_on_file(books, ContractKind.MAINTENANCE, FAR)
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR, max_people=1)
    report(books, pb.Demand(location=BEKASI, undeduplicated=100))
    answer = forecast(books)
    assert not answer.gate.HasField("people_time")
    assert not answer.forecasts[0].spans


@pytest.mark.parametrize("state", [ContractState.SIGNED, ContractState.ACTIVE, ContractState.TERMINATED])
def test_one_contract_of_two_keeps_the_gate_shut_in_the_forecast_as_in_the_entitlement(
    books: Books, state: ContractState
) -> None:
    report(books, pb.Demand(location=BEKASI, undeduplicated=100))
    (open_to_all,) = forecast(books).forecasts
    assert not open_to_all.spans
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR, state=state)
    assert not use(books, 1).allowed
    (bekasi,) = forecast(books).forecasts
    assert bekasi.spans[0].constraint == pb.CONSTRAINT_MAINTENANCE
    assert bekasi.spans[0].first_day == TODAY.isoformat()


def test_a_regency_gets_its_share_of_the_room_and_not_all_of_it(books: Books) -> None:
    put_on_file(books, ContractKind.MAINTENANCE, FAR)
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR, max_people=1_000_000)
    use(books, 900_000)
    report(books, arrivals(BEKASI, 100), arrivals(DEPOK, 900))
    country, alone = forecast(books), forecast(books, BEKASI)
    assert alone.gate.full_on == country.gate.full_on == CALENDAR.nth_worked(TODAY, 100).isoformat()
    (bekasi,) = alone.forecasts
    assert bekasi.spans == next(f for f in country.forecasts if f.location == BEKASI).spans


def test_where_nobody_reports_the_rest_of_the_country_comes_as_it_came_lately(books: Books) -> None:
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR, max_people=1_000_000)
    use(books, 900_000)
    days = 560
    kinds = indonesia(2024, 2026).days(TODAY - timedelta(days), days).kinds
    books.live_through({DEPOK: np.where(kinds <= DayKind.FRIDAY, 900.0, 0.0)}, TODAY - timedelta(1))
    report(books, arrivals(BEKASI, 100))
    assert forecast(books, BEKASI).gate.arrivals_per_working_day == pytest.approx(1000, rel=0.1)


def test_maintenance_ends_on_its_date_and_the_successor_opens_the_gate_again(books: Books) -> None:
    """The ATS ended on 31 December; nothing was printed before the next contract."""
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR)
    put_on_file(books, ContractKind.MAINTENANCE, date(2026, 3, 31))
    put_on_file(books, ContractKind.MAINTENANCE, FAR, valid_from=date(2026, 5, 4))
    report(books, arrivals(BEKASI, 1000))
    answer = forecast(books)
    assert (answer.gate.maintenance_until, answer.gate.opens) == ("2026-03-31", "2026-05-04")
    spans = [(span.constraint, span.first_day) for span in answer.forecasts[0].spans]
    assert (pb.CONSTRAINT_MAINTENANCE, "2026-04-01") in spans
    assert max(s.last_day for s in answer.forecasts[0].spans) < "2026-05-06"


def test_doubles_among_those_who_wait_are_no_demand_for_blanks(books: Books) -> None:
    """ "Still doubles among them": of those who came lately one in ten was there already."""
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR)
    put_on_file(books, ContractKind.MAINTENANCE, FAR)
    report(
        books,
        pb.Demand(
            location=BEKASI, undeduplicated=1_100_000, arrivals_28_days=9_000, duplicates_28_days=1_000
        ),
    )
    answer = forecast(books, horizon_days=2)
    assert answer.gate.duplicates == pytest.approx(0.1)
    (bekasi,) = answer.forecasts
    assert not bekasi.run_dry, "990,000 cards of 1,000,000 blanks"


def test_a_share_of_doubles_is_told_by_a_hundred_records_and_not_by_one(books: Books) -> None:
    few = pb.Demand(location=BEKASI, undeduplicated=2_000_000, duplicates_28_days=3)
    report(books, few)
    answer = forecast(books)
    assert answer.gate.duplicates == 0
    assert answer.forecasts[0].run_dry == TODAY.isoformat()
    books.clock.advance(timedelta(minutes=1))
    report(books, pb.Demand(location=BEKASI, undeduplicated=2_000_000, duplicates_28_days=300))
    assert forecast(books).gate.duplicates == pytest.approx(0.99)


def test_the_newest_word_of_the_abis_counts(books: Books) -> None:
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR, max_people=100)
    assert use(books, 10).people == 10
    late = contracts_pb2.ReportUseRequest(request_id=new_id(), people=99)
    late.time.FromDatetime(books.clock.now() - timedelta(hours=1))
    assert books.send(late).entitlement.people == 10
    books.clock.advance(timedelta(days=1))
    assert use(books, 12).people == 12


def spans(books: Books) -> list[tuple[Any, str, str]]:
    (bekasi,) = forecast(books).forecasts
    return [(span.constraint, span.first_day, span.last_day) for span in bekasi.spans]


def test_the_licence_after_this_one_has_room_of_its_own(books: Books) -> None:
    put_on_file(books, ContractKind.MAINTENANCE, FAR)
    put_on_file(books, ContractKind.ABIS_LICENCE, date(2026, 3, 31), max_people=1_000_100)
    put_on_file(books, ContractKind.ABIS_LICENCE, FAR, valid_from=date(2026, 4, 1), max_people=1_002_350)
    use(books, 1_000_000)
    report(books, arrivals(BEKASI, 100))
    # 100 on the first day; those of March wait, and 2,250 in all are let through from April on.
    assert spans(books)[0] == (pb.CONSTRAINT_LICENCE_FULL, "2026-03-03", "2026-03-31")
    assert spans(books)[1][1] == CALENDAR.nth_worked(TODAY, 24).isoformat()
    assert forecast(books).gate.full_on == TODAY.isoformat()


def test_the_licence_that_opens_the_gate_again_has_its_ceilings(books: Books) -> None:
    put_on_file(books, ContractKind.MAINTENANCE, FAR)
    put_on_file(books, ContractKind.ABIS_LICENCE, date(2026, 2, 28))
    until = date(2026, 6, 30)
    put_on_file(books, ContractKind.ABIS_LICENCE, until, valid_from=date(2026, 4, 1), max_searches_per_day=10)
    report(books, arrivals(BEKASI, 100))
    assert [(which, first) for which, first, _ in spans(books)] == [
        (pb.CONSTRAINT_LICENCE, TODAY.isoformat()),
        (pb.CONSTRAINT_SEARCHES, "2026-04-01"),
        (pb.CONSTRAINT_LICENCE, "2026-07-01"),
    ]


def test_a_licence_for_ever_is_written_with_the_last_day_there_is(books: Books) -> None:
    for kind in (ContractKind.ABIS_LICENCE, ContractKind.MAINTENANCE):
        put_on_file(books, kind, date.max)
    report(books, arrivals(BEKASI, 100))
    assert forecast(books).gate.licence_until == "9999-12-31"
    assert not spans(books)


@pytest.fixture
def served(tmp_path: Path, tls_dir: Path) -> Iterator[str]:
    settings = Settings(
        listen="127.0.0.1:0", health_listen="", metrics_listen="", data_dir=tmp_path, tls_dir=tls_dir
    )
    server = build(settings).build().start()
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


def test_letters_in_place_of_cards_are_a_debt_in_blanks_as_soon_as_enroll_reports_them(
    served: str, tls_dir: Path
) -> None:
    with channel(served, tls_dir, "enroll", server="inventory") as connection:
        stub = planning_pb2_grpc.PlanningServiceStub(connection)
        before = pb.Demand(location=BEKASI, print_ready=300)
        stub.ReportDemand(pb.ReportDemandRequest(request_id=new_id(), demands=[before]))
        (without,) = stub.GetForecast(pb.GetForecastRequest(location=BEKASI)).forecasts
        after = pb.Demand(location=BEKASI, print_ready=300, suket_debt=1_200)
        stub.ReportDemand(pb.ReportDemandRequest(request_id=new_id(), demands=[after]))
        (found,) = stub.GetForecast(pb.GetForecastRequest(location=BEKASI)).forecasts
    assert (without.waiting, without.suket_debt) == (300, 0)
    assert (found.waiting, found.suket_debt) == (1_500, 1_200)
    assert found.reorder_point - without.reorder_point == 1_200
    assert found.spans[0].held == 1_500


def test_only_the_abis_says_how_many_people_it_has(served: str, tls_dir: Path) -> None:
    request = contracts_pb2.ReportUseRequest(request_id=new_id(), people=7)
    with channel(served, tls_dir, "abis", server="inventory") as connection:
        answer = contracts_pb2_grpc.ContractServiceStub(connection).ReportUse(request)
    assert answer.entitlement.people == 7
    with channel(served, tls_dir, "operator-cli", server="inventory") as connection:
        with pytest.raises(grpc.RpcError) as refused:
            contracts_pb2_grpc.ContractServiceStub(connection).ReportUse(request)
        assert remote_error(refused.value).code is grpc.StatusCode.PERMISSION_DENIED
