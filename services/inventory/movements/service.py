"""The RPCs of movements: message → movement office, shipping → message."""

from __future__ import annotations

import grpc
import sqlalchemy as sa
from tunggal.inventory.v1 import movements_pb2 as pb
from tunggal.inventory.v1 import movements_pb2_grpc

from services.common import paging
from services.common.moments import moment
from services.inventory import messages as stock
from services.inventory.adapter import OPERATORS, READERS, Adapter, after, by_number, day, day_or_none, token
from services.inventory.desk import Desk
from services.inventory.location import parse
from services.inventory.movements import messages, tables
from services.inventory.movements.office import MovementOffice, Want
from services.inventory.movements.shipment_reversal import ShipmentReversal
from services.inventory.movements.shipping import Shipping
from services.inventory.movements.store import MovementStore

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "CreateRequisition": OPERATORS,
    "ApproveRequisition": OPERATORS,
    "RejectRequisition": OPERATORS,
    "ListRequisitions": READERS,
    "AllocateItem": OPERATORS,
    "ReceiveShipment": OPERATORS,
    "ReverseShipment": OPERATORS,
    "ProposeLoan": OPERATORS,
    "ApproveLoan": OPERATORS,
    "RejectLoan": OPERATORS,
    "ReturnLoan": OPERATORS,
    "ListLoans": READERS,
    "OpenSite": OPERATORS,
    "CloseSite": OPERATORS,
    "ListSites": READERS,
    "RecordRefusal": OPERATORS,
    "ListRefusals": READERS,
}
_REQUISITIONS, _LOANS = by_number(messages.REQUISITION_STATES), by_number(messages.LOAN_STATES)


class MovementService(Adapter, movements_pb2_grpc.MovementServiceServicer):
    """Adapter between the contract of this service and the movement office."""

    def CreateRequisition(
        self, request: pb.CreateRequisitionRequest, context: grpc.ServicerContext
    ) -> pb.CreateRequisitionResponse:
        """Asks for stock."""

        def work(desk: Desk) -> tuple[pb.CreateRequisitionResponse, str]:
            made = MovementOffice(desk).request(
                parse(request.location, "location"),
                Want(request.item, request.quantity, request.reason),
                day_or_none(request.needed_by, "needed_by"),
                request.operator,
            )
            answer = pb.CreateRequisitionResponse(requisition=messages.requisition(made))
            return answer, f"requisitions/{made.requisition_id}"

        return self._book(context, request, pb.CreateRequisitionResponse, work)

    def ApproveRequisition(
        self, request: pb.ApproveRequisitionRequest, context: grpc.ServicerContext
    ) -> pb.ApproveRequisitionResponse:
        """Grants a requisition."""

        def work(desk: Desk) -> tuple[pb.ApproveRequisitionResponse, str]:
            granted, allocation = MovementOffice(desk).grant(
                request.requisition_id,
                parse(request.from_location, "from_location"),
                request.quantity,
                request.reason,
                request.operator,
            )
            answer = pb.ApproveRequisitionResponse(
                requisition=messages.requisition(granted), allocation=stock.allocation(allocation)
            )
            return answer, f"requisitions/{granted.requisition_id}"

        return self._book(context, request, pb.ApproveRequisitionResponse, work)

    def RejectRequisition(
        self, request: pb.RejectRequisitionRequest, context: grpc.ServicerContext
    ) -> pb.RejectRequisitionResponse:
        """Refuses a requisition."""

        def work(desk: Desk) -> tuple[pb.RejectRequisitionResponse, str]:
            refused = MovementOffice(desk).reject(request.requisition_id, request.reason, request.operator)
            answer = pb.RejectRequisitionResponse(requisition=messages.requisition(refused))
            return answer, f"requisitions/{refused.requisition_id}"

        return self._book(context, request, pb.RejectRequisitionResponse, work)

    def ListRequisitions(
        self, request: pb.ListRequisitionsRequest, context: grpc.ServicerContext
    ) -> pb.ListRequisitionsResponse:
        """Lists requisitions."""
        columns = tables.requisition.c
        wanted = [columns.location == parse(request.location, "location")] if request.location else []
        wanted += [columns.state == _REQUISITIONS[request.state]] if request.state else []
        with self._read() as store:
            page = MovementStore(store.connection).requisitions.page(
                after(request.page_token), paging.page_size(request.page_size), *wanted
            )
        return pb.ListRequisitionsResponse(
            requisitions=map(messages.requisition, page.items), next_page_token=token(page)
        )

    def AllocateItem(
        self, request: pb.AllocateItemRequest, context: grpc.ServicerContext
    ) -> pb.AllocateItemResponse:
        """Sets stock of any item aside for another location."""

        def work(desk: Desk) -> tuple[pb.AllocateItemResponse, str]:
            made = Shipping(desk).allocate(
                parse(request.from_location, "from_location"),
                parse(request.to_location, "to_location"),
                request.quantity,
                request.reason,
                request.item,
            )
            answer = pb.AllocateItemResponse(allocation=stock.allocation(made))
            return answer, f"allocations/{made.allocation_id}"

        return self._book(context, request, pb.AllocateItemResponse, work)

    def ReceiveShipment(
        self, request: pb.ReceiveShipmentRequest, context: grpc.ServicerContext
    ) -> pb.ReceiveShipmentResponse:
        """Confirms a receipt with its differences."""

        def work(desk: Desk) -> tuple[pb.ReceiveShipmentResponse, str]:
            received = Shipping(desk).receive(request.allocation_id, messages.receipt(request))
            answer = pb.ReceiveShipmentResponse(allocation=stock.allocation(received))
            return answer, f"allocations/{received.allocation_id}"

        return self._book(context, request, pb.ReceiveShipmentResponse, work)

    def ReverseShipment(
        self, request: pb.ReverseShipmentRequest, context: grpc.ServicerContext
    ) -> pb.ReverseShipmentResponse:
        """Takes the last step of a shipment back."""

        def work(desk: Desk) -> tuple[pb.ReverseShipmentResponse, str]:
            again = ShipmentReversal(desk).reverse(request.allocation_id, request.reason)
            answer = pb.ReverseShipmentResponse(allocation=stock.allocation(again))
            return answer, f"allocations/{again.allocation_id}"

        return self._book(context, request, pb.ReverseShipmentResponse, work)

    def ProposeLoan(
        self, request: pb.ProposeLoanRequest, context: grpc.ServicerContext
    ) -> pb.ProposeLoanResponse:
        """Proposes a loan."""

        def work(desk: Desk) -> tuple[pb.ProposeLoanResponse, str]:
            made = MovementOffice(desk).propose_loan(
                parse(request.lender, "lender"),
                parse(request.borrower, "borrower"),
                Want(request.item, request.quantity, request.reason),
                day(request.due, "due"),
                request.operator,
            )
            return pb.ProposeLoanResponse(loan=messages.loan(made)), f"loans/{made.loan_id}"

        return self._book(context, request, pb.ProposeLoanResponse, work)

    def ApproveLoan(
        self, request: pb.ApproveLoanRequest, context: grpc.ServicerContext
    ) -> pb.ApproveLoanResponse:
        """Approves a loan."""

        def work(desk: Desk) -> tuple[pb.ApproveLoanResponse, str]:
            lent, allocation = MovementOffice(desk).approve_loan(request.loan_id, request.operator)
            answer = pb.ApproveLoanResponse(loan=messages.loan(lent), allocation=stock.allocation(allocation))
            return answer, f"loans/{lent.loan_id}"

        return self._book(context, request, pb.ApproveLoanResponse, work)

    def RejectLoan(
        self, request: pb.RejectLoanRequest, context: grpc.ServicerContext
    ) -> pb.RejectLoanResponse:
        """Refuses a loan."""

        def work(desk: Desk) -> tuple[pb.RejectLoanResponse, str]:
            refused = MovementOffice(desk).reject_loan(request.loan_id, request.operator)
            return pb.RejectLoanResponse(loan=messages.loan(refused)), f"loans/{refused.loan_id}"

        return self._book(context, request, pb.RejectLoanResponse, work)

    def ReturnLoan(
        self, request: pb.ReturnLoanRequest, context: grpc.ServicerContext
    ) -> pb.ReturnLoanResponse:
        """Sets aside what goes back."""

        def work(desk: Desk) -> tuple[pb.ReturnLoanResponse, str]:
            lent, allocation = MovementOffice(desk).return_loan(request.loan_id, request.quantity)
            answer = pb.ReturnLoanResponse(loan=messages.loan(lent), allocation=stock.allocation(allocation))
            return answer, f"loans/{lent.loan_id}"

        return self._book(context, request, pb.ReturnLoanResponse, work)

    def ListLoans(self, request: pb.ListLoansRequest, context: grpc.ServicerContext) -> pb.ListLoansResponse:
        """Lists loans."""
        columns, wanted = tables.loan.c, []
        if request.location:
            place = parse(request.location, "location")
            wanted.append(sa.or_(columns.lender == place, columns.borrower == place))
        if request.state:
            wanted.append(columns.state == _LOANS[request.state])
        with self._read() as store:
            page = MovementStore(store.connection).loans.page(
                after(request.page_token), paging.page_size(request.page_size), *wanted
            )
        return pb.ListLoansResponse(loans=map(messages.loan, page.items), next_page_token=token(page))

    def OpenSite(self, request: pb.OpenSiteRequest, context: grpc.ServicerContext) -> pb.OpenSiteResponse:
        """Opens a site."""

        def work(desk: Desk) -> tuple[pb.OpenSiteResponse, str]:
            site = MovementOffice(desk).open_site(
                parse(request.location, "location"),
                request.name,
                day(request.opens, "opens"),
                day(request.closes, "closes"),
                request.operator,
            )
            return pb.OpenSiteResponse(site=messages.site(site)), f"sites/{site.location}"

        return self._book(context, request, pb.OpenSiteResponse, work)

    def CloseSite(self, request: pb.CloseSiteRequest, context: grpc.ServicerContext) -> pb.CloseSiteResponse:
        """Closes a site."""

        def work(desk: Desk) -> tuple[pb.CloseSiteResponse, str]:
            site = MovementOffice(desk).close_site(parse(request.location, "location"))
            return pb.CloseSiteResponse(site=messages.site(site)), f"sites/{site.location}"

        return self._book(context, request, pb.CloseSiteResponse, work)

    def ListSites(self, request: pb.ListSitesRequest, context: grpc.ServicerContext) -> pb.ListSitesResponse:
        """Lists sites."""
        with self._read() as store:
            return pb.ListSitesResponse(sites=map(messages.site, MovementStore(store.connection).all_sites()))

    def RecordRefusal(
        self, request: pb.RecordRefusalRequest, context: grpc.ServicerContext
    ) -> pb.RecordRefusalResponse:
        """Records that people were sent away."""

        def work(desk: Desk) -> tuple[pb.RecordRefusalResponse, str]:
            made = MovementOffice(desk).refuse(
                parse(request.location, "location"),
                request.item,
                request.people,
                request.reason,
                moment(request, "event_time"),
                request.operator,
            )
            return pb.RecordRefusalResponse(refusal=messages.refusal(made)), f"refusals/{made.refusal_id}"

        return self._book(context, request, pb.RecordRefusalResponse, work)

    def ListRefusals(
        self, request: pb.ListRefusalsRequest, context: grpc.ServicerContext
    ) -> pb.ListRefusalsResponse:
        """Lists refusals."""
        columns = tables.refusal.c
        wanted = [columns.location == parse(request.location, "location")] if request.location else []
        wanted += [columns.on_hand > 0] if request.contradicted_only else []
        with self._read() as store:
            page = MovementStore(store.connection).refusals.page(
                after(request.page_token), paging.page_size(request.page_size), *wanted
            )
        return pb.ListRefusalsResponse(
            refusals=map(messages.refusal, page.items), next_page_token=token(page)
        )
