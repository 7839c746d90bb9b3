"""The numbers of 2015–2020 as stories: contract, delivery, allocation, dispatch, receipt, and the plan for
what is at the centre. ``docs/inventory.md`` names the test of every such story, here and elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import planning_pb2

from services.common.clock import FixedClock
from services.common.errors import FailedPrecondition
from services.inventory import tables
from services.inventory.planning.calendar import DayKind, indonesia
from tests.inventory.inventory_office import BEKASI, CENTRE, CONTRACT, DKI, Office, new_id
from tests.inventory.planning_books import Books

SEVEN_MILLION = 7_000_000
BOGOR, DEPOK = "32.01", "32.76"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def books(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """An inventory that plans."""
    made = Books(database_url, clock, tmp_path)
    yield made
    made.database.dispose()


def used(a_day: int) -> np.ndarray:
    """So many on each working day of a year and a half before the day of the clock."""
    first, length = date(2024, 8, 19), 560
    kinds = indonesia(2024, 2026).days(first, length).kinds
    return np.where(kinds <= DayKind.FRIDAY, float(a_day), 0.0)


def contract_of(office: Office) -> tuple[int, int]:
    found = office.send(pb.GetContractRequest(contract_id=CONTRACT)).contract
    return found.delivered_quantity, found.outstanding_quantity


def test_seven_million_blanks_are_owed_until_they_are_delivered(office: Office) -> None:
    office.sign(SEVEN_MILLION)
    assert contract_of(office) == (0, SEVEN_MILLION)
    office.deliver(1, 500_000)
    assert contract_of(office) == (500_000, 6_500_000)
    office.deliver(500_001, 3_000_000)
    assert contract_of(office) == (3_000_000, 4_000_000)
    office.deliver(3_000_001, SEVEN_MILLION)
    assert contract_of(office) == (SEVEN_MILLION, 0)
    assert office.level(CENTRE) == {"on_hand": SEVEN_MILLION}
    office.check_books()


def test_blank_number_seven_million_and_one_is_refused(office: Office) -> None:
    office.sign(SEVEN_MILLION)
    office.deliver(1, SEVEN_MILLION)
    with pytest.raises(FailedPrecondition) as refused:
        office.deliver(SEVEN_MILLION + 1, SEVEN_MILLION + 1)
    assert refused.value.reason == "MORE_THAN_OUTSTANDING"
    assert refused.value.field == "serials"
    assert refused.value.metadata["outstanding"] == "0"
    assert office.level(CENTRE) == {"on_hand": SEVEN_MILLION}
    office.check_books()


def test_a_lot_larger_than_what_is_owed_is_refused_as_a_whole(office: Office) -> None:
    office.sign(SEVEN_MILLION)
    with pytest.raises(FailedPrecondition, match="7000000 outstanding"):
        office.deliver(1, SEVEN_MILLION + 1)
    assert contract_of(office) == (0, SEVEN_MILLION)
    assert office.stock().total.on_hand == 0


def test_jakarta_goes_up_only_when_it_confirms_the_receipt(office: Office) -> None:
    office.sign(SEVEN_MILLION)
    office.deliver(1, SEVEN_MILLION)

    allocation = office.allocate(CENTRE, DKI, 200_000, "end of March, capital first to be ready")
    assert office.level(CENTRE) == {"on_hand": 6_800_000, "allocated": 200_000}
    assert office.level(DKI) == {}

    office.dispatch(allocation.allocation_id)
    assert office.level(CENTRE) == {"on_hand": 6_800_000}
    assert office.level(DKI) == {"in_transit": 200_000}

    received = office.receive(allocation.allocation_id)
    assert office.level(CENTRE) == {"on_hand": 6_800_000}
    assert office.level(DKI) == {"on_hand": 200_000}
    assert received.reason == "end of March, capital first to be ready"
    assert [(serials.first, serials.last) for serials in received.serials] == [(1, 200_000)]
    office.check_books()


def test_an_allocation_withdrawn_before_dispatch_is_free_stock_again(office: Office) -> None:
    office.sign(SEVEN_MILLION)
    office.deliver(1, SEVEN_MILLION)
    office.cancel(office.allocate(CENTRE, DKI, 200_000).allocation_id)
    assert office.level(CENTRE) == {"on_hand": SEVEN_MILLION}
    assert office.holdings() == [(1, SEVEN_MILLION, "ID/on-hand")]
    office.check_books()


def test_blanks_in_transit_can_be_used_by_nobody(office: Office) -> None:
    office.sign(1000)
    office.deliver(1, 1000)
    office.dispatch(office.allocate(CENTRE, DKI, 1000).allocation_id)
    for location in (CENTRE, DKI):
        with pytest.raises(FailedPrecondition) as refused:
            office.reserve(location)
        assert refused.value.reason == "INSUFFICIENT_STOCK"


def test_191442_blanks_reach_bekasi_and_its_event_site(office: Office) -> None:
    office.sign(SEVEN_MILLION)
    office.deliver(1, SEVEN_MILLION)
    office.move(CENTRE, "32", 191_442)
    office.move("32", BEKASI, 191_442)
    office.move(BEKASI, f"{BEKASI}:mall-01", 1_442)
    west_java = office.stock("32")
    assert [(level.location, level.on_hand) for level in west_java.levels] == [
        ("32", 0),
        (BEKASI, 190_000),
        (f"{BEKASI}:mall-01", 1_442),
    ]
    assert west_java.total.on_hand == 191_442
    assert office.stock(BEKASI).total.on_hand == 191_442
    assert office.stock(f"{BEKASI}:mall-01").total.on_hand == 1_442


def test_empty_with_23000_in_stock_cannot_be_said(office: Office) -> None:
    office.sign(23_000)
    office.deliver(1, 23_000)
    office.move(CENTRE, BEKASI, 23_000)
    assert office.reserve(BEKASI).serial == 1
    with pytest.raises(FailedPrecondition) as refused:
        office.allocate(BEKASI, "32", 23_000)
    assert refused.value.metadata == {"location": BEKASI, "has": "22999", "asked": "23000"}
    assert "32.16 has 22999 free blanks, asked for 23000" in refused.value.message


def test_seven_million_blanks_cost_rows_by_movement_and_not_by_card(office: Office) -> None:
    office.sign(SEVEN_MILLION)
    office.deliver(1, SEVEN_MILLION)
    provinces = [f"{code:02}" for code in range(11, 45)]
    for province in provinces:
        office.move(CENTRE, province, 200_000)
    assert office.rows(tables.transfer) == 2 + 3 * len(provinces)
    assert office.rows(tables.line) == 2 + 3 * len(provinces)
    assert office.rows(tables.holding) == len(provinces) + 1
    assert office.stock().total.on_hand == SEVEN_MILLION
    office.check_books()


def at_the_centre(books: Books) -> tuple[int, int]:
    levels = books.send(pb.GetStockRequest()).levels
    (centre,) = (level for level in levels if level.location == CENTRE)
    return centre.on_hand, centre.allocated


def test_2_7_million_at_the_centre_reach_those_who_run_low_and_all_run_out_together(books: Books) -> None:
    today = date(2026, 3, 2)
    use = {BEKASI: 400, DEPOK: 100, BOGOR: 200}
    books.live_through({place: used(a_day) for place, a_day in use.items()}, today - timedelta(1))
    books.stock_up(2_720_000)
    for place, quantity in ((BEKASI, 4_000), (DEPOK, 6_000), (BOGOR, 10_000)):
        books.ship(place, quantity)

    found = {each.location: each for each in books.send(planning_pb2.GetForecastRequest()).forecasts}
    # Ten working days are left in Bekasi and a delivery takes as long: it is warned while there is stock.
    assert found[BEKASI].order_by == today.isoformat() < found[BEKASI].run_dry
    assert today.isoformat() < found[BOGOR].order_by < found[BOGOR].run_dry < found[DEPOK].run_dry

    request = planning_pb2.CreatePlanRequest(
        request_id=new_id(),
        scope="32",
        source=CENTRE,
        available=60_000,
        lot=100,
        reason="those who run low fetch more",
        operator="siti",
    )
    plan = books.send(request).plan
    shares = {share.location: share for share in plan.shares}
    assert sum(share.units for share in shares.values()) == 60_000
    # 80,000 in all are enough for 114 working days at 700 a day; a box of 100 is a day in Depok.
    assert all(share.days_after == pytest.approx(80_000 / 700, abs=3) for share in shares.values())
    assert max(s.days_after for s in shares.values()) - min(s.days_after for s in shares.values()) <= 1
    assert all(str(f"{share.units:,}") in share.explanation for share in shares.values())

    assert at_the_centre(books) == (2_700_000, 0)  # nothing moves before somebody approves
    approval = planning_pb2.ApprovePlanRequest(request_id=new_id(), plan_id=plan.plan_id, operator="budi")
    books.send(approval)
    books.send(planning_pb2.CarryOutPlanRequest(request_id=new_id(), plan_id=plan.plan_id, operator="siti"))
    assert at_the_centre(books) == (2_640_000, 60_000)


def test_every_story_in_the_documentation_has_its_test() -> None:
    text = (ROOT / "docs/inventory.md").read_text("utf-8")
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", text)
    assert len(named) >= 15
    for module, test in named:
        assert f"def {test}(" in (ROOT / module).read_text("utf-8"), f"{module}::{test}"


def test_a_second_shift_at_bekasi_makes_twice_the_cards_of_one(books: Books) -> None:
    target = planning_pb2.Target(
        cards=191_442, start="2020-02-04", deadline="2020-03-02", printers=24, minutes_per_card=15
    )
    one = books.send(planning_pb2.AssessTargetRequest(target=target))
    target.hours_per_day = 16
    two = books.send(planning_pb2.AssessTargetRequest(target=target))
    assert (one.cards_per_day, two.cards_per_day) == (768, 1536)
