"""Requisitions, loans, sites and refusals as messages, and receipts as values."""

from __future__ import annotations

from tunggal.inventory.v1 import movements_pb2 as pb

from services.common.moments import timestamp
from services.inventory.adapter import ranges
from services.inventory.movements.loan import Loan, LoanState
from services.inventory.movements.refusal import Refusal
from services.inventory.movements.requisition import Requisition, RequisitionState
from services.inventory.movements.shipping import Parcel, Receipt
from services.inventory.movements.site import Site, SiteState

REQUISITION_STATES = {
    RequisitionState.REQUESTED: pb.REQUISITION_STATE_REQUESTED,
    RequisitionState.APPROVED: pb.REQUISITION_STATE_APPROVED,
    RequisitionState.REJECTED: pb.REQUISITION_STATE_REJECTED,
}
LOAN_STATES = {
    LoanState.PROPOSED: pb.LOAN_STATE_PROPOSED,
    LoanState.LENT: pb.LOAN_STATE_LENT,
    LoanState.SETTLED: pb.LOAN_STATE_SETTLED,
    LoanState.REJECTED: pb.LOAN_STATE_REJECTED,
    LoanState.CANCELLED: pb.LOAN_STATE_CANCELLED,
}


def receipt(request: pb.ReceiveShipmentRequest) -> Receipt:
    """What the receiver found."""
    return Receipt(
        _parcel(request.missing, "missing"),
        _parcel(request.damaged, "damaged"),
        _parcel(request.surplus, "surplus"),
        request.reason,
        request.operator,
    )


def requisition(value: Requisition) -> pb.Requisition:
    """A requisition."""
    return pb.Requisition(
        requisition_id=value.requisition_id,
        location=value.location,
        item=value.item,
        quantity=value.quantity,
        needed_by=value.needed_by.isoformat() if value.needed_by else "",
        reason=value.reason,
        state=REQUISITION_STATES[value.state],
        requested_by=value.requested_by,
        request_time=timestamp(value.request_time),
        decided_by=value.decided_by or "",
        decide_time=timestamp(value.decide_time),
        decision=value.decision,
        granted=value.granted,
        allocation_id=value.allocation_id or "",
    )


def loan(value: Loan) -> pb.Loan:
    """A loan."""
    return pb.Loan(
        loan_id=value.loan_id,
        lender=value.lender,
        borrower=value.borrower,
        item=value.item,
        quantity=value.quantity,
        owed=value.owed,
        due=value.due.isoformat(),
        reason=value.reason,
        state=LOAN_STATES[value.state],
        proposed_by=value.proposed_by,
        propose_time=timestamp(value.propose_time),
        approved_by=value.approved_by or "",
        approve_time=timestamp(value.approve_time),
    )


def site(value: Site) -> pb.Site:
    """A site."""
    return pb.Site(
        location=value.location,
        name=value.name,
        opens=value.opens.isoformat(),
        closes=value.closes.isoformat(),
        open=value.state is SiteState.OPEN,
        opened_by=value.opened_by,
        open_time=timestamp(value.open_time),
        close_time=timestamp(value.close_time),
    )


def refusal(value: Refusal) -> pb.Refusal:
    """A refusal, beside what the books said."""
    return pb.Refusal(
        refusal_id=value.refusal_id,
        location=value.location,
        item=value.item,
        people=value.people,
        reason=value.reason,
        event_time=timestamp(value.event_time),
        book_time=timestamp(value.book_time),
        recorded_by=value.person,
        on_hand=value.on_hand,
        contradicted=value.contradicted,
    )


def _parcel(given: pb.Parcel, field: str) -> Parcel:
    return Parcel(given.quantity, tuple(ranges(given.serials, f"{field}.serials")))
