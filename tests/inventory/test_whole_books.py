"""What the books answer for the whole country, and what they refuse to take in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import movements_pb2, planning_pb2, stock_pb2

from services.common import validation
from services.common.clock import FixedClock
from services.common.errors import FailedPrecondition, InvalidArgument
from services.inventory.ledger.clocks import TOLERANCE
from services.inventory.planning import targets
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office, new_id
from tests.inventory.signed_elsewhere import entering

FAIR = f"{BEKASI}:fair"


def open_fair(office: Office) -> None:
    office.do(
        movements_pb2.OpenSiteRequest,
        location=FAIR,
        name="Fair",
        opens="2026-03-01",
        closes="2026-03-31",
        operator="ani",
    )


def lend_to_the_fair(office: Office, quantity: int) -> None:
    """DKI lends to the site, and the site has it."""
    office.move(CENTRE, DKI, quantity)
    loan = office.do(
        movements_pb2.ProposeLoanRequest,
        lender=DKI,
        borrower=FAIR,
        item="blank",
        quantity=quantity,
        due="2026-04-30",
        reason="crowd",
        operator="ani",
    ).loan
    allocation = office.do(movements_pb2.ApproveLoanRequest, loan_id=loan.loan_id, operator="budi").allocation
    office.dispatch(allocation.allocation_id)
    office.receive(allocation.allocation_id)


def test_balances_of_now_are_those_of_this_moment_with_contracts_and_loans(
    office: Office, clock: FixedClock
) -> None:
    office.sign(100)
    office.deliver(1, 40)
    open_fair(office)
    lend_to_the_fair(office, 3)
    now = office.balances()
    assert now == office.balances(at=clock.now())
    assert now == {
        "KTP-2017-03/blank/contracted": -100,
        "KTP-2017-03/blank/outstanding": 60,
        "ID/blank/on-hand": 37,
        "31/blank/lent": 3,
        f"{FAIR}/blank/borrowed": -3,
        f"{FAIR}/blank/on-hand": 3,
    }
    assert sum(now.values()) == 0
    assert sum(one.on_hand for one in office.stock().levels) == 40


def test_a_site_stays_open_while_it_owes_a_loan(office: Office) -> None:
    office.sign(100)
    office.deliver(1, 40)
    open_fair(office)
    lend_to_the_fair(office, 1)
    office.consume(office.reserve(FAIR).reservation_id, "04A1B2C3")
    with pytest.raises(FailedPrecondition) as error:
        office.do(movements_pb2.CloseSiteRequest, location=FAIR)
    assert (error.value.reason, error.value.metadata) == ("SITE_NOT_EMPTY", {f"{FAIR}/borrowed": "-1"})


def test_no_contract_has_the_number_of_a_regency(office: Office) -> None:
    with pytest.raises(InvalidArgument) as error:
        office.send(entering(BEKASI, 5))
    assert (error.value.reason, error.value.field) == ("CONTRACT_NUMBER_IS_A_LOCATION", "contract_id")
    assert office.balances() == {}


@pytest.mark.parametrize("as_happened", [False, True])
def test_moments_at_both_ends_of_the_calendar_are_answered_or_refused(
    office: Office, as_happened: bool
) -> None:
    office.sign(100)
    office.deliver(1, 40)
    assert office.balances(at=datetime(1, 1, 1, tzinfo=UTC), as_happened=as_happened) == {}
    with pytest.raises(InvalidArgument) as error:
        office.balances(at=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), as_happened=as_happened)
    assert (error.value.reason, error.value.field) == ("TIME_IN_FUTURE", "at")


@pytest.mark.parametrize("as_happened", [False, True])
def test_nobody_knows_the_books_later_than_clocks_may_be_ahead(
    office: Office, clock: FixedClock, as_happened: bool
) -> None:
    office.sign(100)
    office.deliver(1, 40)
    ahead = clock.now() + TOLERANCE
    assert office.balances(at=ahead, as_happened=as_happened) == office.balances()
    with pytest.raises(InvalidArgument) as error:
        office.balances(at=ahead + timedelta(seconds=1), as_happened=as_happened)
    assert error.value.remedy == "Send a moment that is past, or none for now."


def test_a_target_at_the_end_of_the_calendar_is_refused() -> None:
    target = planning_pb2.Target(
        cards=5, start="9999-12-31", deadline="9999-12-31", printers=1, cards_per_printer_day=100
    )
    with pytest.raises(InvalidArgument) as error:
        targets.read(target)
    assert (error.value.reason, error.value.field) == ("TARGET_OUT_OF_SIGHT", "target.start")


@pytest.mark.parametrize(
    "request_",
    [
        pb.GetContractRequest(contract_id="KTP\x00"),
        pb.ListLotsRequest(contract_id="KTP\x00"),
        pb.ReceiveLotRequest(
            request_id=new_id(),
            contract_id="KTP\x00",
            delivery_note="SJ-1",
            serials=stock_pb2.SerialRange(first=1, last=2),
        ),
    ],
)
def test_no_contract_is_looked_for_by_what_no_database_can_hold(request_: Any) -> None:
    with pytest.raises(InvalidArgument) as error:
        validation.check(request_)
    assert error.value.field == "contract_id"
