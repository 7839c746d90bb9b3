"""Debts follow what arrived, whatever is withdrawn, lost, taken back or given twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import inventory_pb2, ledger_pb2, stock_pb2
from tunggal.inventory.v1 import movements_pb2 as pb

from services.common.clock import FixedClock
from services.common.errors import TunggalError
from services.inventory.movements import tables as movement_tables
from tests.inventory.inventory_office import BEKASI, CENTRE, Office

KARAWANG = "32.15"


@pytest.fixture
def lending(office: Office) -> Office:
    """At Karawang: 200 blanks and 50 rolls of ribbon; at Bekasi 20 rolls of its own."""
    office.sign(1000)
    office.deliver(1, 1000)
    office.move(CENTRE, KARAWANG, 200)
    office.supply("ribbon", 50, KARAWANG)
    office.supply("ribbon", 20, BEKASI)
    return office


def lend(office: Office, quantity: int, item: str = "blank") -> tuple[str, str]:
    """The loan and the allocation of what is lent."""
    loan = office.do(
        pb.ProposeLoanRequest,
        lender=KARAWANG,
        borrower=BEKASI,
        item=item,
        quantity=quantity,
        due="2026-12-31",
        reason="equal run-out",
        operator="siti",
    ).loan
    approved = office.do(pb.ApproveLoanRequest, loan_id=loan.loan_id, operator="budi")
    return loan.loan_id, approved.allocation.allocation_id


def arrive(office: Office, allocation_id: str, **differences: Any) -> None:
    office.dispatch(allocation_id)
    office.do(pb.ReceiveShipmentRequest, allocation_id=allocation_id, **differences)


def give_back(office: Office, loan_id: str, quantity: int) -> stock_pb2.Allocation:
    back: stock_pb2.Allocation = office.do(
        pb.ReturnLoanRequest, loan_id=loan_id, quantity=quantity
    ).allocation
    return back


def reverse(office: Office, allocation_id: str) -> None:
    office.do(pb.ReverseShipmentRequest, allocation_id=allocation_id, reason="wrong box")


def told(office: Office, loan_id: str) -> tuple[int, int]:
    """Units owed, and the state."""
    (loan,) = (each for each in office.send(pb.ListLoansRequest()).loans if each.loan_id == loan_id)
    debts = {code: n for code, n in office.balances().items() if code.endswith(("/lent", "/borrowed"))}
    assert sum(abs(n) for n in debts.values()) == 2 * loan.owed
    return loan.owed, loan.state


def reason_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(TunggalError) as error:
        call(*arguments)
    assert error.value.field
    assert error.value.remedy
    return error.value.reason


def test_a_loan_names_the_two_people_who_made_it(lending: Office) -> None:
    lend(lending, 100)
    (loan,) = lending.send(pb.ListLoansRequest()).loans
    assert (loan.proposed_by, loan.approved_by) == ("operator/cli:siti", "operator/cli:budi")


def test_what_was_agreed_is_agreed_and_not_refused_afterwards(lending: Office) -> None:
    loan_id, _ = lend(lending, 100)
    for kind in (pb.RejectLoanRequest, pb.ApproveLoanRequest):
        with pytest.raises(TunggalError) as error:
            lending.do(kind, loan_id=loan_id, operator="citra")
        assert error.value.reason == "WRONG_LOAN_STATE"
    assert told(lending, loan_id) == (0, pb.LOAN_STATE_LENT)


def test_a_loan_is_listed_where_it_is_from_and_where_it_goes(lending: Office) -> None:
    loan_id, _ = lend(lending, 100)

    def listed(location: str) -> list[str]:
        return [loan.loan_id for loan in lending.send(pb.ListLoansRequest(location=location)).loans]

    assert [listed(place) for place in (KARAWANG, BEKASI, CENTRE)] == [[loan_id], [loan_id], []]


def test_a_loan_that_never_left_is_over(lending: Office) -> None:
    loan_id, allocation_id = lend(lending, 40)
    lending.cancel(allocation_id)
    assert told(lending, loan_id) == (0, pb.LOAN_STATE_CANCELLED)
    assert reason_of(give_back, lending, loan_id, 1) == "WRONG_LOAN_STATE"
    assert lending.level(KARAWANG) == {"on_hand": 200}


def test_a_return_that_never_left_is_owed_still(lending: Office) -> None:
    loan_id, allocation_id = lend(lending, 40)
    arrive(lending, allocation_id)
    lending.cancel(give_back(lending, loan_id, 40).allocation_id)
    assert told(lending, loan_id) == (40, pb.LOAN_STATE_LENT)
    assert give_back(lending, loan_id, 40).quantity == 40


def test_of_a_loan_that_was_lost_on_the_way_nothing_is_owed(lending: Office) -> None:
    loan_id, allocation_id = lend(lending, 40)
    lost = pb.Parcel(serials=[stock_pb2.SerialRange(first=1, last=40)])
    arrive(lending, allocation_id, missing=lost)
    assert told(lending, loan_id) == (0, pb.LOAN_STATE_SETTLED)
    reverse(lending, allocation_id)
    lending.receive(allocation_id)
    assert told(lending, loan_id) == (40, pb.LOAN_STATE_LENT)
    lending.check_books()


def test_what_is_on_its_way_back_keeps_the_receipt_in_place(lending: Office) -> None:
    """Rolls are all alike: the borrower's own could pay back a loan whose receipt is then taken back."""
    loan_id, allocation_id = lend(lending, 10, "ribbon")
    arrive(lending, allocation_id)
    back = give_back(lending, loan_id, 10)
    assert reason_of(reverse, lending, allocation_id) == "LOAN_GIVEN_BACK"
    lending.dispatch(back.allocation_id)
    assert reason_of(reverse, lending, allocation_id) == "LOAN_GIVEN_BACK"
    lending.receive(back.allocation_id)
    assert reason_of(reverse, lending, allocation_id) == "LOAN_GIVEN_BACK"
    assert told(lending, loan_id) == (0, pb.LOAN_STATE_SETTLED)
    lending.check_books()


def test_two_returns_of_one_moment_are_taken_back_each_with_its_own_debt(lending: Office) -> None:
    loan_id, allocation_id = lend(lending, 40)
    arrive(lending, allocation_id)
    first, second = (give_back(lending, loan_id, quantity) for quantity in (10, 30))
    for back in (first, second):
        lending.dispatch(back.allocation_id)
    for back in (first, second):
        lending.receive(back.allocation_id)
    reverse(lending, second.allocation_id)
    assert told(lending, loan_id) == (30, pb.LOAN_STATE_LENT)
    reverse(lending, first.allocation_id)
    assert told(lending, loan_id) == (40, pb.LOAN_STATE_LENT)
    lending.check_books()


def test_a_return_that_was_lost_by_mistake_leaves_a_settled_loan_settled(
    lending: Office, clock: FixedClock
) -> None:
    """Others went in its place; now that it is under way after all, the loan owes no more than before."""
    loan_id, allocation_id = lend(lending, 40, "ribbon")
    arrive(lending, allocation_id)
    lost = give_back(lending, loan_id, 40)
    arrive(lending, lost.allocation_id, missing=pb.Parcel(quantity=40))
    assert told(lending, loan_id) == (40, pb.LOAN_STATE_LENT)
    lending.supply("ribbon", 40, BEKASI)
    clock.advance(timedelta(minutes=1))
    arrive(lending, give_back(lending, loan_id, 40).allocation_id)
    assert told(lending, loan_id) == (0, pb.LOAN_STATE_SETTLED)
    reverse(lending, lost.allocation_id)
    assert told(lending, loan_id) == (0, pb.LOAN_STATE_SETTLED)
    lending.check_books()


def test_a_loan_goes_back_to_its_lender_and_nowhere_else(lending: Office) -> None:
    loan_id, allocation_id = lend(lending, 40)
    arrive(lending, allocation_id)
    lending.move(BEKASI, CENTRE, 40)
    assert told(lending, loan_id) == (40, pb.LOAN_STATE_LENT)
    assert reason_of(give_back, lending, loan_id, 40) == "INSUFFICIENT_STOCK"
    lending.move(CENTRE, BEKASI, 40)
    back = give_back(lending, loan_id, 40)
    assert (back.from_location, back.to_location) == (BEKASI, KARAWANG)


def test_what_goes_back_of_one_loan_is_not_taken_for_that_of_another(lending: Office) -> None:
    loans = []
    for _ in range(2):
        loan_id, sent = lend(lending, 60)
        arrive(lending, sent)
        loans.append(loan_id)
    for loan_id in loans:
        give_back(lending, loan_id, 60)
        assert reason_of(give_back, lending, loan_id, 1) == "MORE_THAN_OWED"
    lending.check_books()


def test_what_comes_back_beyond_the_debt_is_a_gift(lending: Office) -> None:
    loan_id, allocation_id = lend(lending, 10, "ribbon")
    arrive(lending, allocation_id)
    back = give_back(lending, loan_id, 10)
    arrive(lending, back.allocation_id, surplus=pb.Parcel(quantity=5))
    assert told(lending, loan_id) == (0, pb.LOAN_STATE_SETTLED)
    reverse(lending, back.allocation_id)
    assert told(lending, loan_id) == (10, pb.LOAN_STATE_LENT)
    lending.check_books()


def test_a_site_that_owes_stays_open(office: Office) -> None:
    fair = "32.16:fair"
    office.sign(100)
    office.deliver(1, 100)
    office.move(CENTRE, KARAWANG, 10)
    office.do(
        pb.OpenSiteRequest,
        location=fair,
        name="Fair",
        opens="2026-01-01",
        closes="2026-12-31",
        operator="siti",
    )
    loan = office.do(
        pb.ProposeLoanRequest,
        lender=KARAWANG,
        borrower=fair,
        item="blank",
        quantity=1,
        due="2026-12-31",
        reason="r",
        operator="siti",
    ).loan
    sent = office.do(pb.ApproveLoanRequest, loan_id=loan.loan_id, operator="budi").allocation
    arrive(office, sent.allocation_id)
    office.consume(office.reserve(fair).reservation_id, "04A1B2C3")

    def close() -> None:
        office.do(pb.CloseSiteRequest, location=fair)

    assert reason_of(close) == "SITE_NOT_EMPTY"
    office.move(CENTRE, fair, 1)
    back = office.do(pb.ReturnLoanRequest, loan_id=loan.loan_id, quantity=1).allocation
    arrive(office, back.allocation_id)
    close()
    office.send(inventory_pb2.GetAllocationRequest(allocation_id=back.allocation_id))
    office.check_books()


def test_a_site_stays_open_while_what_it_lent_is_under_way(office: Office) -> None:
    """By the books it is the borrower's by then: the site has nothing, and will be owed all of it."""
    fair = "32.16:fair"
    office.sign(100)
    office.deliver(1, 100)
    office.do(
        pb.OpenSiteRequest,
        location=fair,
        name="Fair",
        opens="2026-01-01",
        closes="2026-12-31",
        operator="siti",
    )
    office.move(CENTRE, fair, 1)
    loan = office.do(
        pb.ProposeLoanRequest,
        lender=fair,
        borrower=BEKASI,
        item="blank",
        quantity=1,
        due="2026-12-31",
        reason="r",
        operator="siti",
    ).loan
    sent = office.do(pb.ApproveLoanRequest, loan_id=loan.loan_id, operator="budi").allocation
    office.dispatch(sent.allocation_id)
    assert office.level(fair) == {}

    def close() -> None:
        office.do(pb.CloseSiteRequest, location=fair)

    assert reason_of(close) == "SITE_STILL_LENDS"
    office.do(pb.ReceiveShipmentRequest, allocation_id=sent.allocation_id)
    assert reason_of(close) == "SITE_NOT_EMPTY"
    back = give_back(office, loan.loan_id, 1)
    arrive(office, back.allocation_id)
    office.move(fair, CENTRE, 1)
    close()
    office.check_books()


def test_a_loan_that_was_lost_by_mistake_is_under_way_again(lending: Office) -> None:
    loan_id, sent = lend(lending, 10, "ribbon")
    arrive(lending, sent, missing=pb.Parcel(quantity=10))
    assert told(lending, loan_id) == (0, pb.LOAN_STATE_SETTLED)
    reverse(lending, sent)
    assert told(lending, loan_id) == (0, pb.LOAN_STATE_LENT)
    lending.receive(sent)
    assert told(lending, loan_id) == (10, pb.LOAN_STATE_LENT)
    lending.check_books()


def test_the_inspection_finds_a_debt_that_no_loan_knows(lending: Office) -> None:
    loan_id, sent = lend(lending, 10, "ribbon")
    arrive(lending, sent)
    table = movement_tables.loan
    with lending.database.transaction() as connection:
        connection.execute(sa.update(table).where(table.c.loan_id == loan_id).values(owed=7))
    assert list(lending.send(ledger_pb2.CheckBooksRequest()).findings) == [
        "32.15/ribbon/lent has 10, but the loans of that place add up to 7.",
        "32.16/ribbon/borrowed has -10, but the loans of that place add up to -7.",
    ]


def test_nothing_arrives_at_a_site_again_once_it_closed(office: Office) -> None:
    """A receipt at which all was missing leaves a site empty; taking it back would fill a closed site."""
    fair = "32.16:fair"
    office.sign(100)
    office.deliver(1, 100)
    office.do(
        pb.OpenSiteRequest,
        location=fair,
        name="Fair",
        opens="2026-01-01",
        closes="2026-12-31",
        operator="siti",
    )
    sent = office.allocate(CENTRE, fair, 5).allocation_id
    arrive(office, sent, missing=pb.Parcel(serials=[stock_pb2.SerialRange(first=1, last=5)]))
    office.do(pb.CloseSiteRequest, location=fair)
    assert reason_of(reverse, office, sent) == "SITE_CLOSED"
