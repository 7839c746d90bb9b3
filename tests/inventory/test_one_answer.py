"""A place is told one forecast, whoever asks for it: alone, with its province, with the country."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import contracts_pb2
from tunggal.inventory.v1 import planning_pb2 as pb

from services.common.clock import FixedClock
from services.inventory.contracts.contract import Contract, ContractKind, ContractState
from services.inventory.contracts.store import ContractStore
from services.inventory.planning.calendar import indonesia
from tests.inventory.inventory_office import BEKASI, new_id
from tests.inventory.planning_books import Books

YESTERDAY = date(2026, 3, 1)
DEPOK = "32.76"
SEMARANG = "33.74"
FAIR = f"{BEKASI}:fair"
NEW = "36.71"
DAYS = 430
WEEK = np.array([1.3, 1.1, 1.0, 0.9, 0.7, 0.1, 0, 0, 0])


@pytest.fixture
def books(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """A country of fifteen regencies in four provinces, where Bekasi has twice its use since five weeks."""
    made = Books(database_url, clock, tmp_path)
    made.stock_up(1_000_000)
    kinds = indonesia(2024, 2026).days(YESTERDAY - timedelta(DAYS - 1), DAYS).kinds
    rng = np.random.default_rng(3)
    others = [f"{province}.{number:02}" for province in (32, 33, 34, 35) for number in range(1, 4)]
    used = {
        place: rng.poisson(rng.uniform(20, 200) * WEEK[kinds] * rng.gamma(12, 1 / 12, DAYS)).astype(float)
        for place in (BEKASI, DEPOK, SEMARANG, FAIR, *others)
    }
    used[BEKASI][-35:] *= 2
    used["34.01"][-60:-30] = np.nan
    made.live_through(used, YESTERDAY)
    made.open_site(FAIR, days=10)
    made.ship(BEKASI, 3_000)
    made.ship(SEMARANG, 1_500, arrives=False)
    made.roll_out(DEPOK, 1, under_way=4)
    capacity = pb.Capacity(location=DEPOK, printers=1, cards_per_printer_day=90, lead_days=60)
    made.send(pb.SetCapacityRequest(request_id=new_id(), capacity=capacity))
    yield made
    made.database.dispose()


def report(books: Books) -> None:
    """What enroll says of those who wait and come, also where nothing was ever used."""
    demands = [
        pb.Demand(location=BEKASI, undeduplicated=900, print_ready=400, suket_debt=70, duplicates_28_days=30),
        pb.Demand(location=SEMARANG, undeduplicated=5_000, arrivals_28_days=4_000),
        pb.Demand(location=NEW, undeduplicated=300, arrivals_28_days=1_000),
    ]
    books.send(pb.ReportDemandRequest(request_id=new_id(), demands=demands))


def license_for(books: Books, room: int, **terms: Any) -> None:
    """A licence and maintenance; there is room for so many people more."""
    for kind, more in (
        (ContractKind.MAINTENANCE, {}),
        (ContractKind.ABIS_LICENCE, {"max_people": 10_000 + room, **terms}),
    ):
        contract = Contract(
            contract_id=kind.upper(),
            supplier="PT Biometrik",
            quantity=0,
            create_time=books.clock.now(),
            kind=kind,
            state=ContractState.ACTIVE,
            item=None,
            valid_until=date(2026, 7, 31),
            **more,
        )
        with books.database.transaction() as connection:
            assert ContractStore(connection).add(contract)
    books.send(contracts_pb2.ReportUseRequest(request_id=new_id(), people=10_000))


def ask(books: Books, location: str = "") -> pb.GetForecastResponse:
    answer: pb.GetForecastResponse = books.send(pb.GetForecastRequest(location=location, with_path=True))
    return answer


@pytest.mark.parametrize("gate", ["open", "full one day", "so many a day, later"])
def test_a_place_asked_for_alone_is_what_it_is_in_the_country(books: Books, gate: str) -> None:
    if gate == "full one day":
        license_for(books, 40_000)
    elif gate == "so many a day, later":
        license_for(books, 10_000_000, max_searches_per_day=1_500, valid_from=date(2026, 4, 1))
    require_one_answer(books)
    report(books)
    country = require_one_answer(books)
    found = {each.location: each for each in country.forecasts}
    assert found[BEKASI].changed_since, "the jump is told"
    assert found[SEMARANG].from_reports
    assert bool(country.gate.full_on) == (gate == "full one day")
    binding = {span.constraint for each in country.forecasts for span in each.spans}
    assert (pb.CONSTRAINT_SEARCHES in binding) == (gate == "so many a day, later")


def require_one_answer(books: Books) -> pb.GetForecastResponse:
    country = ask(books)
    for asked in (BEKASI, FAIR, DEPOK, SEMARANG, "34.01", NEW, "32", "33"):
        answer = ask(books, asked)
        below = f"{asked}.", f"{asked}:"
        assert list(answer.forecasts) == [
            each for each in country.forecasts if each.location == asked or each.location.startswith(below)
        ]
        assert answer.gate == country.gate
    return country


def test_a_plan_of_a_province_reckons_with_what_the_forecast_of_the_country_says(books: Books) -> None:
    said = {each.location: each.per_working_day for each in ask(books).forecasts}
    request = pb.CreatePlanRequest(
        request_id=new_id(), scope="32", source="ID", reason="quarter", operator="siti", available=1_000
    )
    shares = books.send(request).plan.shares
    assert {each.location: each.per_working_day for each in shares} == {
        place: a_day for place, a_day in said.items() if place.startswith("32")
    }


def test_what_was_used_today_counts_once_the_day_is_closed(books: Books) -> None:
    before = ask(books, DEPOK)
    books.ship(DEPOK, 50)
    books.print_card(DEPOK, "04AA000001")
    assert ask(books, DEPOK).forecasts[0].used == before.forecasts[0].used
    books.close_day()
    after = ask(books, DEPOK)
    assert (before.history_until, after.history_until) == ("2026-03-01", "2026-03-02")
    assert after.forecasts[0].used == [*before.forecasts[0].used[1:], 1]


def test_whoever_reports_for_the_first_time_is_forecast_at_once(books: Books) -> None:
    assert not ask(books, NEW).forecasts
    report(books)
    (new,) = ask(books, NEW).forecasts
    assert new.from_reports


def test_closed_days_are_read_once_for_all_who_ask_in_the_morning(books: Books) -> None:
    read: list[str] = []

    @sa.event.listens_for(books.database.engine, "before_cursor_execute")
    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "account_day" in statement:
            read.append(statement)

    start = Barrier(4)

    def first_thing(place: str) -> pb.GetForecastResponse:
        start.wait()
        return ask(books, place)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(first_thing, (BEKASI, BEKASI, "32", "")))
    once = len(read)
    assert once == 3, "cards, spoilage, what was on the shelf"
    assert answers[0] == answers[1]
    assert ask(books, "33").forecasts
    assert len(read) == once
    books.close_day()
    assert ask(books, "33").forecasts
    assert len(read) > once
