"""What must stay shut: sites that closed, days that are over, debts that are on their way back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tunggal.inventory.v1 import contracts_pb2, ledger_pb2, movements_pb2

from services.common.clock import FixedClock
from services.common.errors import FailedPrecondition, TunggalError
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office
from tests.inventory.signed_elsewhere import approving, entering

FAIR = "31.71:jakarta-fair"


@pytest.fixture
def stocked(office: Office) -> Office:
    office.sign(1000)
    office.deliver(1, 1000)
    office.do(
        movements_pb2.OpenSiteRequest,
        location=FAIR,
        name="Jakarta Fair",
        opens="2026-03-01",
        closes="2026-03-09",
        operator="ani",
    )
    return office


def close(office: Office) -> None:
    office.do(movements_pb2.CloseSiteRequest, location=FAIR)


def refusal(work: Callable[[], Any]) -> TunggalError:
    with pytest.raises(TunggalError) as refused:
        work()
    assert refused.value.remedy
    return refused.value


def post(office: Office, clock: FixedClock, source: str, target: str, *, pending: bool = False) -> str:
    order = ledger_pb2.NewTransfer(
        item="blank", quantity=10, from_location=source, to_location=target, reason="need"
    )
    if pending:
        order.pending_until.FromDatetime(clock.now() + timedelta(days=1))
    answer = office.do(ledger_pb2.PostTransfersRequest, transfers=[order])
    return str(answer.transfers[0].transfer_id)


def test_what_was_set_aside_for_a_site_is_not_posted_after_it_closed(
    stocked: Office, clock: FixedClock
) -> None:
    stocked.move(CENTRE, DKI, 50)
    transfer_id = post(stocked, clock, DKI, FAIR, pending=True)
    close(stocked)
    refused = refusal(lambda: stocked.do(ledger_pb2.PostPendingRequest, transfer_id=transfer_id))
    assert refused.reason == "SITE_CLOSED"
    stocked.do(ledger_pb2.VoidPendingRequest, transfer_id=transfer_id, reason="the fair is over")
    assert stocked.level(DKI) == {"on_hand": 50}
    stocked.check_books()


def test_what_was_allocated_to_a_site_is_not_dispatched_after_it_closed(stocked: Office) -> None:
    allocation = stocked.allocate(CENTRE, FAIR, 10)
    close(stocked)
    assert refusal(lambda: stocked.dispatch(allocation.allocation_id)).reason == "SITE_CLOSED"
    stocked.cancel(allocation.allocation_id)
    assert stocked.level(CENTRE) == {"on_hand": 1000}


def test_nothing_goes_back_to_a_site_by_a_reversal_after_it_closed(
    stocked: Office, clock: FixedClock
) -> None:
    stocked.move(CENTRE, FAIR, 10)
    back = post(stocked, clock, FAIR, DKI)
    close(stocked)
    refused = refusal(
        lambda: stocked.do(ledger_pb2.ReverseTransferRequest, transfer_id=back, reason="mistake")
    )
    assert refused.reason == "SITE_CLOSED"
    assert stocked.level(FAIR) == {}


def test_a_dispatch_from_a_site_stands_after_it_closed(stocked: Office) -> None:
    stocked.move(CENTRE, FAIR, 10)
    allocation = stocked.allocate(FAIR, DKI, 10)
    stocked.dispatch(allocation.allocation_id)
    close(stocked)
    refused = refusal(
        lambda: stocked.do(
            movements_pb2.ReverseShipmentRequest, allocation_id=allocation.allocation_id, reason="mistake"
        )
    )
    assert refused.reason == "SITE_CLOSED"


def test_rolls_are_not_delivered_to_a_site_that_closed(stocked: Office) -> None:
    close(stocked)
    assert refusal(lambda: stocked.supply("ribbon", 5, FAIR)).reason == "SITE_CLOSED"


def test_a_replica_whose_clock_is_behind_books_nothing_on_a_closed_day_whatever_the_accounts(
    office: Office, clock: FixedClock
) -> None:
    """Accounts that are new were never closed themselves; their day was."""
    office.sign(1000)
    behind = FixedClock(clock.now())
    clock.advance(timedelta(days=2))
    office.upkeep.catch_up()
    late = Office(office.database.engine.url.render_as_string(hide_password=False), behind)
    try:
        refused = refusal(lambda: late.sign(500, "KTP-LATE"))
        assert refused.reason == "DAY_CLOSED"
    finally:
        late.database.dispose()
    office.check_books()
    moment = clock.now() - timedelta(days=2)
    assert office.balances(at=moment)["KTP-2017-03/blank/outstanding"] == 1000


def test_a_debt_is_not_given_back_twice_while_the_first_is_on_its_way(stocked: Office) -> None:
    stocked.move(CENTRE, DKI, 100)
    stocked.move(CENTRE, BEKASI, 100)
    loan_id = stocked.do(
        movements_pb2.ProposeLoanRequest,
        lender=DKI,
        borrower=BEKASI,
        item="blank",
        quantity=40,
        due="2027-01-01",
        reason="equal run-out",
        operator="siti",
    ).loan.loan_id
    lent = stocked.do(movements_pb2.ApproveLoanRequest, loan_id=loan_id, operator="budi").allocation
    stocked.dispatch(lent.allocation_id)
    stocked.receive(lent.allocation_id)
    back = stocked.do(movements_pb2.ReturnLoanRequest, loan_id=loan_id, quantity=30).allocation
    refused = refusal(lambda: stocked.do(movements_pb2.ReturnLoanRequest, loan_id=loan_id, quantity=11))
    assert (refused.reason, refused.metadata["owed"]) == ("MORE_THAN_OWED", "10")
    stocked.cancel(back.allocation_id)
    stocked.do(movements_pb2.ReturnLoanRequest, loan_id=loan_id, quantity=40)


def test_a_reversal_is_not_reversed(stocked: Office, clock: FixedClock) -> None:
    transfer_id = post(stocked, clock, CENTRE, DKI)
    opposite = stocked.do(
        ledger_pb2.ReverseTransferRequest, transfer_id=transfer_id, reason="mistake"
    ).transfer
    refused = refusal(
        lambda: stocked.do(
            ledger_pb2.ReverseTransferRequest, transfer_id=opposite.transfer_id, reason="no mistake"
        )
    )
    assert refused.reason == "NOT_REVERSIBLE"
    assert post(stocked, clock, CENTRE, DKI)
    stocked.check_books()


def test_a_moment_is_a_microsecond(stocked: Office, clock: FixedClock) -> None:
    tick = timedelta(microseconds=1)
    clock.advance(timedelta(hours=1))
    post(stocked, clock, CENTRE, DKI)
    booked = clock.now()
    clock.advance(tick)
    post(stocked, clock, CENTRE, DKI)
    found = [
        stocked.balances(DKI, at=moment).get("31/blank/on-hand", 0)
        for moment in (booked - tick, booked, booked + tick)
    ]
    assert found == [0, 10, 20]
    clock.advance(timedelta(days=3))
    stocked.upkeep.catch_up()
    after = [
        stocked.balances(DKI, at=moment).get("31/blank/on-hand", 0)
        for moment in (booked - tick, booked, booked + tick)
    ]
    assert after == found, "a closed day says the same"


def test_a_terminated_contract_keeps_what_was_delivered(stocked: Office) -> None:
    file = stocked.step("KTP-2017-03", "TERMINATE")
    assert (file.delivered, file.outstanding) == (1000, 0)
    stocked.sign(1000, "KTP-2")
    stocked.deliver(2001, 2300, "KTP-2")
    file = stocked.step("KTP-2", "TERMINATE")
    assert (file.delivered, file.outstanding) == (300, 0)
    assert file.terms.quantity == 1000
    stocked.check_books()


def test_a_contract_that_was_signed_elsewhere_binds_nobody_before_a_second_person_approves(
    office: Office,
) -> None:
    made = office.send(entering("KTP-2017-03", 7_000_000))
    assert (made.contract.delivered_quantity, made.contract.outstanding_quantity) == (0, 0)
    with pytest.raises(FailedPrecondition):
        office.deliver(1, 1)
    assert refusal(lambda: office.send(approving(made.change_id, "ANI"))).reason == "SECOND_PERSON_NEEDED"
    file = office.send(approving(made.change_id)).contract
    assert (file.state, file.outstanding) == (contracts_pb2.CONTRACT_STATE_ACTIVE, 7_000_000)
    assert [document.sha256 for document in file.documents] == ["5c" * 32]
    office.check_books()


def test_a_contract_is_not_taken_over_without_a_scan(office: Office) -> None:
    terms = contracts_pb2.ContractTerms(
        kind=contracts_pb2.CONTRACT_KIND_BLANKS, supplier="PT", item="blank", quantity=5, currency="IDR"
    )
    office.draft("KTP-X", terms)
    assert refusal(lambda: office.step("KTP-X", "TAKE_OVER")).reason == "SCAN_MISSING"
