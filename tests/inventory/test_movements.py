"""Requisitions, receipts with differences, loans, sites of events, refusals at counters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.inventory.v1 import inventory_pb2, stock_pb2
from tunggal.inventory.v1 import movements_pb2 as pb

from services.common.clock import FixedClock
from services.common.errors import FailedPrecondition, PermissionDenied, TunggalError
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI, Office

KARAWANG = "32.15"
FAIR = "31.71:jakarta-fair"


@pytest.fixture
def stocked(office: Office) -> Office:
    """10,000 blanks and 100 rolls of ribbon at the centre."""
    office.sign(10_000)
    office.deliver(1, 10_000)
    office.supply("ribbon", 100)
    return office


def parcel(*ranges: tuple[int, int], quantity: int = 0) -> pb.Parcel:
    serials = [stock_pb2.SerialRange(first=first, last=last) for first, last in ranges]
    return pb.Parcel(quantity=quantity, serials=serials)


def refusal(office: Office, request: type[Any], /, **fields: Any) -> TunggalError:
    with pytest.raises(TunggalError) as error:
        office.do(request, **fields)
    assert error.value.field
    assert error.value.remedy
    return error.value


def requisition(office: Office, quantity: int = 500, item: str = "blank") -> pb.Requisition:
    asked: pb.Requisition = office.do(
        pb.CreateRequisitionRequest,
        location=BEKASI,
        item=item,
        quantity=quantity,
        needed_by="2026-03-10",
        reason="4,000 print-ready records wait",
        operator="siti",
    ).requisition
    return asked


def test_a_regency_asks_and_a_second_person_grants_what_there_is(stocked: Office) -> None:
    asked = requisition(stocked)
    assert (asked.state, asked.requested_by) == (pb.REQUISITION_STATE_REQUESTED, "operator/cli:siti")
    granting = {
        "requisition_id": asked.requisition_id,
        "from_location": CENTRE,
        "quantity": 300,
        "reason": "equal run-out with Karawang",
    }
    error = refusal(stocked, pb.ApproveRequisitionRequest, operator="siti", **granting)
    assert isinstance(error, PermissionDenied)
    answer = stocked.do(pb.ApproveRequisitionRequest, operator="budi", **granting)
    granted = answer.requisition
    assert (granted.state, granted.granted) == (pb.REQUISITION_STATE_APPROVED, 300)
    assert answer.allocation.allocation_id == granted.allocation_id
    stocked.dispatch(granted.allocation_id)
    stocked.receive(granted.allocation_id)
    assert stocked.level(BEKASI) == {"on_hand": 300}
    error = refusal(stocked, pb.ApproveRequisitionRequest, operator="budi", **granting)
    assert error.reason == "REQUISITION_DECIDED"
    listed = stocked.send(pb.ListRequisitionsRequest(location=BEKASI, state=pb.REQUISITION_STATE_APPROVED))
    assert list(listed.requisitions) == [granted]


def test_a_requisition_is_refused_with_its_reason(stocked: Office) -> None:
    asked = requisition(stocked, item="ribbon")
    answer = stocked.do(
        pb.RejectRequisitionRequest,
        requisition_id=asked.requisition_id,
        reason="you have 30 rolls",
        operator="budi",
    ).requisition
    assert (answer.state, answer.decision) == (pb.REQUISITION_STATE_REJECTED, "you have 30 rolls")
    assert list(stocked.send(pb.ListRequisitionsRequest()).requisitions) == [answer]
    granting = {"requisition_id": asked.requisition_id, "from_location": CENTRE, "reason": "after all"}
    error = refusal(stocked, pb.ApproveRequisitionRequest, operator="budi", **granting)
    assert error.reason == "REQUISITION_DECIDED"
    assert stocked.level(CENTRE) == {"on_hand": 10_000}


def test_no_more_is_granted_than_was_asked_for_or_is_there(stocked: Office) -> None:
    asked = requisition(stocked, 20_000)
    fields = {
        "requisition_id": asked.requisition_id,
        "from_location": CENTRE,
        "reason": "r",
        "operator": "budi",
    }
    assert refusal(stocked, pb.ApproveRequisitionRequest, quantity=20_001, **fields).reason == (
        "MORE_THAN_REQUESTED"
    )
    assert refusal(stocked, pb.ApproveRequisitionRequest, **fields).reason == "INSUFFICIENT_STOCK"
    waiting = stocked.send(pb.ListRequisitionsRequest(state=pb.REQUISITION_STATE_REQUESTED)).requisitions
    assert len(waiting) == 1


def sent(office: Office, quantity: int, item: str = "blank") -> str:
    allocation = office.do(
        pb.AllocateItemRequest,
        item=item,
        from_location=CENTRE,
        to_location=BEKASI,
        quantity=quantity,
        reason="run-out in 4 days",
    ).allocation
    office.dispatch(allocation.allocation_id)
    return str(allocation.allocation_id)


def test_a_receipt_tells_what_is_missing_damaged_and_too_much(stocked: Office) -> None:
    shipment = sent(stocked, 1000)
    received = stocked.do(
        pb.ReceiveShipmentRequest,
        allocation_id=shipment,
        missing=parcel((101, 150)),
        damaged=parcel((201, 203), (999, 1000)),
        surplus=parcel((1001, 1010)),
        reason="box 3 was open and wet",
        operator="siti",
    ).allocation
    assert (received.missing, received.damaged, received.surplus) == (50, 5, 10)
    assert stocked.level(BEKASI) == {"on_hand": 955, "spoiled": 5, "missing": 50}
    assert stocked.level(CENTRE) == {"on_hand": 8990}
    assert stocked.blank(120).blank.state == stock_pb2.BLANK_STATE_MISSING
    lost = stocked.blank(120).custody[-1]
    assert (lost.kind, lost.reason) == ("receipt.short", "box 3 was open and wet")
    assert stocked.blank(1005).custody[-1].kind == "receipt.surplus"
    assert stocked.stock().total.on_hand + 50 + 5 == 10_000
    stocked.check_books()


def test_a_shipment_of_ribbon_is_received_by_units(stocked: Office) -> None:
    stocked.do(
        pb.ReceiveShipmentRequest,
        allocation_id=sent(stocked, 40, "ribbon"),
        missing=parcel(quantity=3),
        damaged=parcel(quantity=2),
        surplus=parcel(quantity=1),
        operator="siti",
    )
    assert stocked.balances(BEKASI) == {
        "32.16/ribbon/missing": 3,
        "32.16/ribbon/on-hand": 36,
        "32.16/ribbon/spoiled": 2,
    }
    assert stocked.balances(item="ribbon")["ID/ribbon/on-hand"] == 59
    stocked.check_books()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"missing": parcel((1000, 1001))}, "MORE_THAN_WAS_SENT"),
        ({"missing": parcel((1, 1000)), "damaged": parcel((1000, 1000))}, "SERIALS_TWICE"),
        ({"missing": parcel(quantity=5)}, "SERIALS_NEEDED"),
        ({"surplus": parcel((500, 501))}, "SERIALS_NOT_THERE"),
        ({"surplus": parcel((20_000, 20_001))}, "SERIALS_NOT_THERE"),
        ({"damaged": parcel((9, 7))}, "SERIAL_RANGE_REVERSED"),
        ({"damaged": parcel((1, 1001)), "operator": "siti"}, "MORE_THAN_WAS_SENT"),
        ({"damaged": parcel((1, 2))}, "OPERATOR_NEEDED"),
    ],
)
def test_a_receipt_that_cannot_be_changes_nothing(
    stocked: Office, fields: dict[str, pb.Parcel], reason: str
) -> None:
    shipment = sent(stocked, 1000)
    assert refusal(stocked, pb.ReceiveShipmentRequest, allocation_id=shipment, **fields).reason == reason
    assert stocked.level(BEKASI) == {"in_transit": 1000}
    stocked.receive(shipment)
    stocked.check_books()


def test_a_shipment_that_never_arrived_is_missed_as_a_whole(stocked: Office) -> None:
    stocked.do(pb.ReceiveShipmentRequest, allocation_id=sent(stocked, 100), missing=parcel((1, 100)))
    assert stocked.level(BEKASI) == {"missing": 100}
    stocked.check_books()


def lent(office: Office, quantity: int) -> pb.Loan:
    """Karawang lends to Bekasi, which has received it."""
    office.move(CENTRE, KARAWANG, 2000)
    loan = office.do(
        pb.ProposeLoanRequest,
        lender=KARAWANG,
        borrower=BEKASI,
        item="blank",
        quantity=quantity,
        due="2026-04-30",
        reason="so that all of West Java run out together",
        operator="siti",
    ).loan
    answer = office.do(pb.ApproveLoanRequest, loan_id=loan.loan_id, operator="budi")
    office.dispatch(answer.allocation.allocation_id)
    office.receive(answer.allocation.allocation_id)
    return read(office, loan.loan_id)


def read(office: Office, loan_id: str) -> pb.Loan:
    found: list[pb.Loan] = list(office.send(pb.ListLoansRequest()).loans)
    return next(loan for loan in found if loan.loan_id == loan_id)


def test_a_regency_lends_to_another_and_gets_as_many_back(stocked: Office) -> None:
    loan = lent(stocked, 600)
    assert (loan.state, loan.owed) == (pb.LOAN_STATE_LENT, 600)
    with stocked.database.read():
        debts = {k: n for k, n in everything(stocked).items() if "lent" in k or "borrowed" in k}
    assert debts == {"32.15/lent": 600, "32.16/borrowed": -600}
    for quantity, owed in ((250, 350), (350, 0)):
        back = stocked.do(pb.ReturnLoanRequest, loan_id=loan.loan_id, quantity=quantity).allocation
        assert (back.from_location, back.to_location, back.loan_id) == (BEKASI, KARAWANG, loan.loan_id)
        stocked.dispatch(back.allocation_id)
        stocked.receive(back.allocation_id)
        assert read(stocked, loan.loan_id).owed == owed
    assert read(stocked, loan.loan_id).state == pb.LOAN_STATE_SETTLED
    assert stocked.level(KARAWANG) == {"on_hand": 2000}
    stocked.check_books()


def everything(office: Office) -> dict[str, int]:
    from services.inventory.ledger.balances import Balances

    with office.database.read() as connection:
        return {
            account.code: n
            for account, n in Balances(connection).at(datetime(2100, 1, 1, tzinfo=UTC)).items()
        }


def test_nobody_approves_a_loan_alone_or_gives_back_what_is_not_owed(stocked: Office) -> None:
    loan = lent(stocked, 600)
    assert (
        refusal(stocked, pb.ReturnLoanRequest, loan_id=loan.loan_id, quantity=601).reason == "MORE_THAN_OWED"
    )
    assert refusal(stocked, pb.ApproveLoanRequest, loan_id=loan.loan_id, operator="eka").reason == (
        "WRONG_LOAN_STATE"
    )
    other = stocked.do(
        pb.ProposeLoanRequest,
        lender=KARAWANG,
        borrower=BEKASI,
        item="ribbon",
        quantity=1,
        due="2026-04-30",
        reason="one roll",
        operator="siti",
    ).loan
    for step in (pb.ApproveLoanRequest, pb.RejectLoanRequest):
        error = refusal(stocked, step, loan_id=other.loan_id, operator="siti")
        assert error.reason == "SECOND_PERSON_NEEDED"
    refused = stocked.do(pb.RejectLoanRequest, loan_id=other.loan_id, operator="budi").loan
    assert refused.state == pb.LOAN_STATE_REJECTED


def test_what_was_lost_on_the_way_is_not_owed(stocked: Office) -> None:
    stocked.move(CENTRE, KARAWANG, 2000)
    loan = stocked.do(
        pb.ProposeLoanRequest,
        lender=KARAWANG,
        borrower=BEKASI,
        item="blank",
        quantity=100,
        due="2026-04-30",
        reason="until the next lot",
        operator="siti",
    ).loan
    shipment = stocked.do(pb.ApproveLoanRequest, loan_id=loan.loan_id, operator="budi").allocation
    stocked.dispatch(shipment.allocation_id)
    stocked.do(pb.ReceiveShipmentRequest, allocation_id=shipment.allocation_id, missing=parcel((91, 100)))
    assert read(stocked, loan.loan_id).owed == 90
    stocked.check_books()


def open_site(office: Office) -> pb.Site:
    site: pb.Site = office.do(
        pb.OpenSiteRequest,
        location=FAIR,
        name="Jakarta Fair",
        opens="2026-03-02",
        closes="2026-03-31",
        operator="siti",
    ).site
    return site


def test_31000_applicants_from_everywhere_are_charged_to_the_event(office: Office) -> None:
    """Printing out of domicile comes out of the site's stock, never out of the home region's."""
    office.sign(40_000)
    office.deliver(1, 40_000)
    open_site(office)
    office.move(CENTRE, DKI, 1000)
    office.move(CENTRE, BEKASI, 1000)
    office.move(CENTRE, FAIR, 31_000)
    for number, home in enumerate((DKI, BEKASI, BEKASI)):
        held = office.reserve(FAIR, f"card-job/{home}/{number}")
        office.consume(held.reservation_id, f"04A1B2C{number}")
    assert office.level(FAIR) == {"on_hand": 30_997, "consumed": 3}
    assert office.level(DKI) == office.level(BEKASI) == {"on_hand": 1000}
    error = refusal(office, pb.CloseSiteRequest, location=FAIR)
    assert (error.reason, error.metadata) == ("SITE_NOT_EMPTY", {f"{FAIR}/on-hand": "30997"})

    office.move(FAIR, CENTRE, 30_997)
    assert not office.do(pb.CloseSiteRequest, location=FAIR).site.open
    assert office.level(FAIR) == {"consumed": 3}
    with pytest.raises(FailedPrecondition) as closed:
        office.allocate(CENTRE, FAIR, 1)
    assert (closed.value.reason, closed.value.field) == ("SITE_CLOSED", "to_location")
    office.check_books()


def test_a_site_is_opened_once_and_below_a_regency(office: Office) -> None:
    assert open_site(office).open
    with pytest.raises(TunggalError) as error:
        open_site(office)
    assert error.value.reason == "SITE_EXISTS"
    fields = {"name": "x", "opens": "2026-03-02", "closes": "2026-03-01", "operator": "siti"}
    assert refusal(office, pb.OpenSiteRequest, location=BEKASI, **fields).reason == "NOT_A_SITE"
    assert refusal(office, pb.OpenSiteRequest, location=f"{BEKASI}:a", **fields).field == "closes"
    assert refusal(office, pb.CloseSiteRequest, location=f"{BEKASI}:a").reason == "SITE_UNKNOWN"
    assert [site.name for site in office.send(pb.ListSitesRequest()).sites] == ["Jakarta Fair"]


def turned_away(office: Office, at: datetime | None = None, people: int = 1) -> pb.Refusal:
    request = pb.RecordRefusalRequest(
        request_id=f"00000000-0000-4000-8000-{people:012}",
        location=BEKASI,
        item="blank",
        people=people,
        reason="blangko kosong",
        operator="loket-3",
    )
    if at is not None:
        request.event_time.CopyFrom(Timestamp(seconds=int(at.timestamp())))
    answer: pb.Refusal = office.send(request).refusal
    return answer


def test_told_empty_with_23000_in_stock_stands_beside_the_stock_of_that_moment(
    office: Office, clock: FixedClock
) -> None:
    office.sign(23_000)
    office.deliver(1, 23_000)
    honest = turned_away(office, people=1)
    before = clock.now()
    clock.advance(timedelta(hours=1))
    office.move(CENTRE, BEKASI, 23_000)
    clock.advance(timedelta(hours=1))
    lie = turned_away(office, people=40)
    late = turned_away(office, at=before, people=2)
    assert [(made.on_hand, made.contradicted) for made in (honest, lie, late)] == [
        (0, False),
        (23_000, True),
        (0, False),
    ]
    listed = office.send(pb.ListRefusalsRequest(location=BEKASI, contradicted_only=True)).refusals
    assert list(listed) == [lie]
    with pytest.raises(TunggalError) as error:
        turned_away(office, at=clock.now() + timedelta(minutes=5), people=3)
    assert error.value.reason == "EVENT_IN_FUTURE"


def test_an_unknown_item_or_id_is_refused_by_name(stocked: Office) -> None:
    absent = "00000000-0000-4000-8000-000000000000"
    for request, fields, reason in (
        (pb.ReturnLoanRequest, {"loan_id": absent, "quantity": 1}, "LOAN_UNKNOWN"),
        (
            pb.RejectRequisitionRequest,
            {"requisition_id": absent, "reason": "r", "operator": "budi"},
            "REQUISITION_UNKNOWN",
        ),
        (
            pb.AllocateItemRequest,
            {"item": "paper", "from_location": CENTRE, "to_location": DKI, "quantity": 1, "reason": "r"},
            "ITEM_UNKNOWN",
        ),
        (
            inventory_pb2.ReceiveAllocationRequest,
            {"allocation_id": absent},
            "ALLOCATION_UNKNOWN",
        ),
    ):
        assert refusal(stocked, request, **fields).reason == reason
