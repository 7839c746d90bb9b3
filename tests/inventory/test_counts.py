"""Stock counts: blind, twice, approved by a third person, never applied to books that have moved."""

from __future__ import annotations

from typing import Any

import pytest
from tunggal.inventory.v1 import counts_pb2 as pb
from tunggal.inventory.v1 import movements_pb2, stock_pb2

from services.common.errors import FailedPrecondition, TunggalError
from tests.inventory.inventory_office import BEKASI, CENTRE, Office


@pytest.fixture
def stocked(office: Office) -> Office:
    """At Bekasi: blanks 1 to 1000 and 20 rolls of ribbon."""
    office.sign(5000)
    office.deliver(1, 5000)
    office.move(CENTRE, BEKASI, 1000)
    office.supply("ribbon", 20, BEKASI)
    return office


def begin(office: Office, item: str) -> str:
    count = office.do(pb.BeginCountRequest, location=BEKASI, item=item, operator="kepala").count
    return str(count.count_id)


def submit(
    office: Office, count_id: str, operator: str, quantity: int = 0, *ranges: tuple[int, int]
) -> pb.StockCount:
    serials = [stock_pb2.SerialRange(first=first, last=last) for first, last in ranges]
    count: pb.StockCount = office.do(
        pb.SubmitCountRequest, count_id=count_id, quantity=quantity, serials=serials, operator=operator
    ).count
    return count


def approve(office: Office, count_id: str, operator: str = "inspektur") -> pb.ApproveCountResponse:
    answer: pb.ApproveCountResponse = office.do(
        pb.ApproveCountRequest, count_id=count_id, reason="cupboard was searched", operator=operator
    )
    return answer


def reason_of(office: Office, request: type[Any], /, **fields: Any) -> str:
    with pytest.raises(TunggalError) as error:
        office.do(request, **fields)
    assert error.value.field
    assert error.value.remedy
    return error.value.reason


@pytest.mark.parametrize(("counted", "missing", "found"), [(17, 3, 0), (22, 0, 2), (20, 0, 0)])
def test_the_books_follow_what_two_people_counted_and_a_third_approved(
    stocked: Office, counted: int, missing: int, found: int
) -> None:
    count_id = begin(stocked, "ribbon")
    first = submit(stocked, count_id, "siti", counted)
    assert (first.state, first.rounds) == (pb.COUNT_STATE_COUNTING, 1)
    assert submit(stocked, count_id, "budi", counted).state == pb.COUNT_STATE_AGREED
    answer = approve(stocked, count_id)
    assert (answer.missing, answer.found) == (missing, found)
    balances = stocked.balances(BEKASI, "ribbon")
    assert balances["32.16/ribbon/on-hand"] == counted
    assert balances.get("32.16/ribbon/missing", 0) == missing
    assert balances.get("32.16/ribbon/found", 0) == -found
    stocked.check_books()


def test_nobody_sees_the_books_or_another_sheet_while_counting(stocked: Office) -> None:
    count_id = begin(stocked, "ribbon")
    submit(stocked, count_id, "siti", 19)
    blind = stocked.send(pb.GetCountRequest(count_id=count_id)).count
    assert (blind.expected, list(blind.sheets), blind.rounds) == (0, [], 1)
    submit(stocked, count_id, "budi", 19)
    seen = stocked.send(pb.GetCountRequest(count_id=count_id)).count
    assert seen.expected == 20
    assert [(sheet.quantity, sheet.counted_by) for sheet in seen.sheets] == [
        (19, "operator/cli:siti"),
        (19, "operator/cli:budi"),
    ]


def test_who_disagrees_is_counted_again_by_somebody_else(stocked: Office) -> None:
    count_id = begin(stocked, "ribbon")
    submit(stocked, count_id, "siti", 19)
    assert submit(stocked, count_id, "budi", 18).state == pb.COUNT_STATE_COUNTING
    assert reason_of(stocked, pb.SubmitCountRequest, count_id=count_id, quantity=18, operator="SITI") == (
        "SECOND_PERSON_NEEDED"
    )
    assert reason_of(stocked, pb.ApproveCountRequest, count_id=count_id, reason="r", operator="x1") == (
        "WRONG_COUNT_STATE"
    )
    assert submit(stocked, count_id, "citra", 18).state == pb.COUNT_STATE_AGREED
    assert reason_of(stocked, pb.ApproveCountRequest, count_id=count_id, reason="r", operator="citra") == (
        "SECOND_PERSON_NEEDED"
    )
    approve(stocked, count_id)
    assert stocked.balances(BEKASI, "ribbon")["32.16/ribbon/on-hand"] == 18


@pytest.mark.parametrize("net", [0, 5])
def test_a_count_is_never_applied_to_books_that_have_moved(stocked: Office, net: int) -> None:
    count_id = begin(stocked, "blank")
    for operator in ("siti", "budi"):
        submit(stocked, count_id, operator, 0, (1, 990))
    held = stocked.reserve(BEKASI)
    if net == 0:  # the same balance as before, and yet other books
        stocked.release(held.reservation_id)
    with pytest.raises(FailedPrecondition) as error:
        approve(stocked, count_id)
    assert error.value.reason == "COUNT_STALE"
    assert "missing" not in stocked.level(BEKASI)
    dropped = stocked.do(pb.RejectCountRequest, count_id=count_id, reason="moved", operator="kepala").count
    assert dropped.state == pb.COUNT_STATE_REJECTED
    stocked.check_books()


@pytest.mark.parametrize("item", ["ribbon", "blank"])
def test_a_count_stands_while_only_other_stock_moves(stocked: Office, item: str) -> None:
    count_id = begin(stocked, item)
    counted: list[tuple[int, int]] = [(1, 995)] if item == "blank" else []
    for operator in ("siti", "budi"):
        submit(stocked, count_id, operator, 0 if counted else 15, *counted)
    stocked.move(CENTRE, "32.15", 10)
    stocked.supply("ribbon" if item == "blank" else "film", 3, BEKASI)
    assert approve(stocked, count_id).missing == 5
    stocked.check_books()


def test_what_the_books_never_had_is_found_to_the_last_roll(stocked: Office) -> None:
    count_id = begin(stocked, "film")
    for operator in ("siti", "budi"):
        submit(stocked, count_id, operator, 5)
    assert stocked.send(pb.GetCountRequest(count_id=count_id)).count.expected == 0
    assert approve(stocked, count_id).found == 5
    assert stocked.balances(BEKASI, "film") == {"32.16/film/on-hand": 5, "32.16/film/found": -5}
    stocked.check_books()


def test_nobody_counts_what_the_catalogue_does_not_have(stocked: Office) -> None:
    assert reason_of(stocked, pb.BeginCountRequest, location=BEKASI, item="gold", operator="kepala") == (
        "ITEM_UNKNOWN"
    )


def test_a_count_of_blanks_names_the_ones_that_are_missing_and_finds_them_later(stocked: Office) -> None:
    count_id = begin(stocked, "blank")
    for operator in ("siti", "budi"):
        submit(stocked, count_id, operator, 0, (1, 400), (411, 1000))
    assert approve(stocked, count_id).missing == 10
    assert stocked.level(BEKASI) == {"on_hand": 990, "missing": 10}
    assert stocked.blank(405).blank.state == stock_pb2.BLANK_STATE_MISSING
    assert stocked.blank(405).custody[-1].kind == "count.adjusted"

    again = begin(stocked, "blank")
    for operator in ("siti", "budi"):
        submit(stocked, again, operator, 0, (1, 405), (411, 1000))
    assert approve(stocked, again).found == 5
    assert stocked.level(BEKASI) == {"on_hand": 995, "missing": 5}
    stocked.check_books()


def test_blanks_that_the_books_have_elsewhere_are_not_conjured_up(stocked: Office) -> None:
    count_id = begin(stocked, "blank")
    for operator in ("siti", "budi"):
        submit(stocked, count_id, operator, 0, (1, 1003))
    with pytest.raises(FailedPrecondition) as error:
        approve(stocked, count_id)
    assert error.value.metadata == {"first": "1001", "last": "1003", "location": "ID/on-hand"}
    assert stocked.level(BEKASI) == {"on_hand": 1000}


def test_what_was_lost_on_the_way_can_be_found_by_a_count_elsewhere(stocked: Office) -> None:
    shipment = stocked.dispatch(stocked.allocate(CENTRE, "32.15", 10).allocation_id).allocation_id
    stocked.do(
        movements_pb2.ReceiveShipmentRequest,
        allocation_id=shipment,
        missing=movements_pb2.Parcel(serials=[stock_pb2.SerialRange(first=1001, last=1010)]),
    )
    count_id = begin(stocked, "blank")
    for operator in ("siti", "budi"):
        submit(stocked, count_id, operator, 0, (1, 1010))
    assert approve(stocked, count_id).found == 10
    assert stocked.level(BEKASI) == {"on_hand": 1010}
    assert stocked.level("32.15") == {}
    stocked.check_books()


def test_blanks_are_counted_by_serials_and_rolls_are_not(stocked: Office) -> None:
    blanks, rolls = begin(stocked, "blank"), begin(stocked, "ribbon")
    assert reason_of(stocked, pb.SubmitCountRequest, count_id=blanks, quantity=5, operator="siti") == (
        "SERIALS_NEEDED"
    )
    serials = [stock_pb2.SerialRange(first=1, last=2)]
    assert reason_of(stocked, pb.SubmitCountRequest, count_id=rolls, serials=serials, operator="siti") == (
        "SERIALS_UNWANTED"
    )


def test_who_counted_drops_no_count(stocked: Office) -> None:
    """A thief who counted would have the sheet that convicts them thrown away."""
    count_id = begin(stocked, "ribbon")
    submit(stocked, count_id, "siti", 17)
    for operator in ("siti", "S-I-T-I"):
        own = reason_of(stocked, pb.RejectCountRequest, count_id=count_id, reason="typo", operator=operator)
        assert own == "SECOND_PERSON_NEEDED"
    submit(stocked, count_id, "budi", 17)
    own = reason_of(stocked, pb.RejectCountRequest, count_id=count_id, reason="no", operator="budi")
    assert own == "SECOND_PERSON_NEEDED"
    stocked.do(pb.RejectCountRequest, count_id=count_id, reason="count again", operator="kepala")


def test_a_sheet_that_tells_two_numbers_is_refused(stocked: Office) -> None:
    serials = [stock_pb2.SerialRange(first=1, last=99)]
    refused = reason_of(
        stocked,
        pb.SubmitCountRequest,
        count_id=begin(stocked, "blank"),
        quantity=100,
        serials=serials,
        operator="siti",
    )
    assert refused == "SERIALS_NEEDED"


def test_stock_is_not_found_at_a_site_that_has_closed(stocked: Office) -> None:
    fair = "32.16:fair"
    stocked.do(
        movements_pb2.OpenSiteRequest,
        location=fair,
        name="Fair",
        opens="2026-01-01",
        closes="2026-12-31",
        operator="kepala",
    )
    count_id = stocked.do(
        pb.BeginCountRequest, location=fair, item="ribbon", operator="kepala"
    ).count.count_id
    for operator in ("siti", "budi"):
        submit(stocked, count_id, operator, 3)
    stocked.do(movements_pb2.CloseSiteRequest, location=fair)
    refused = reason_of(stocked, pb.ApproveCountRequest, count_id=count_id, reason="r", operator="x1")
    assert refused == "SITE_CLOSED"
    begun = reason_of(stocked, pb.BeginCountRequest, location=fair, item="ribbon", operator="kepala")
    assert begun == "SITE_CLOSED"


def test_counts_are_listed_as_blind_as_they_are(stocked: Office) -> None:
    count_id = begin(stocked, "ribbon")
    submit(stocked, count_id, "siti", 19)
    (listed,) = stocked.send(pb.ListCountsRequest(location=BEKASI, state=pb.COUNT_STATE_COUNTING)).counts
    assert (listed.count_id, listed.expected, list(listed.sheets)) == (count_id, 0, [])
    assert not stocked.send(pb.ListCountsRequest(state=pb.COUNT_STATE_AGREED)).counts
    submit(stocked, count_id, "budi", 19)
    (listed,) = stocked.send(pb.ListCountsRequest(location=BEKASI)).counts
    assert (listed.expected, [sheet.quantity for sheet in listed.sheets]) == (20, [19, 19])
    assert not stocked.send(pb.ListCountsRequest(location=CENTRE)).counts
