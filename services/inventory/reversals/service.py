"""The RPCs of reversals by two people: message → reversal office → message."""

from __future__ import annotations

import grpc
from tunggal.inventory.v1 import reversals_pb2 as pb
from tunggal.inventory.v1 import reversals_pb2_grpc

from services.common import paging
from services.common.moments import timestamp
from services.inventory.adapter import OPERATORS, READERS, Adapter, after, by_number, token
from services.inventory.desk import Desk
from services.inventory.reversals import tables
from services.inventory.reversals.office import ReversalOffice
from services.inventory.reversals.reversal import Reversal, ReversalState, stale_because
from services.inventory.reversals.store import ReversalStore

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "ProposeReversal": OPERATORS,
    "ApproveReversal": OPERATORS,
    "RejectReversal": OPERATORS,
    "ListReversals": READERS,
}
_STATES = {
    ReversalState.PROPOSED: pb.REVERSAL_STATE_PROPOSED,
    ReversalState.APPROVED: pb.REVERSAL_STATE_APPROVED,
    ReversalState.REJECTED: pb.REVERSAL_STATE_REJECTED,
}
_BY_NUMBER = by_number(_STATES)


class ReversalService(Adapter, reversals_pb2_grpc.ReversalServiceServicer):
    """Adapter between the contract of this service and the reversal office."""

    def ProposeReversal(
        self, request: pb.ProposeReversalRequest, context: grpc.ServicerContext
    ) -> pb.ProposeReversalResponse:
        """Proposes to take something back."""

        def work(desk: Desk) -> tuple[pb.ProposeReversalResponse, str]:
            made = ReversalOffice(desk).propose(
                request.transfer_id, request.allocation_id, request.reason, request.operator
            )
            return pb.ProposeReversalResponse(reversal=_reversal(made)), _path(made)

        return self._book(context, request, pb.ProposeReversalResponse, work)

    def ApproveReversal(
        self, request: pb.ApproveReversalRequest, context: grpc.ServicerContext
    ) -> pb.ApproveReversalResponse:
        """Takes it back as a second person."""

        def work(desk: Desk) -> tuple[pb.ApproveReversalResponse, str]:
            done = ReversalOffice(desk).approve(request.reversal_id, request.operator)
            return pb.ApproveReversalResponse(reversal=_reversal(done)), _path(done)

        return self._book(context, request, pb.ApproveReversalResponse, work)

    def RejectReversal(
        self, request: pb.RejectReversalRequest, context: grpc.ServicerContext
    ) -> pb.RejectReversalResponse:
        """Lets it stand as a second person."""

        def work(desk: Desk) -> tuple[pb.RejectReversalResponse, str]:
            done = ReversalOffice(desk).reject(request.reversal_id, request.operator)
            return pb.RejectReversalResponse(reversal=_reversal(done)), _path(done)

        return self._book(context, request, pb.RejectReversalResponse, work)

    def ListReversals(
        self, request: pb.ListReversalsRequest, context: grpc.ServicerContext
    ) -> pb.ListReversalsResponse:
        """Lists reversals in order of entry."""
        columns = tables.reversal.c
        wanted = [columns.state == _BY_NUMBER[request.state]] if request.state else []
        with self._read() as store:
            page = ReversalStore(store.connection).reversals.page(
                after(request.page_token), paging.page_size(request.page_size), *wanted
            )
            stale = stale_because(store.books, page.items)
        found = [_reversal(each, why) for each, why in zip(page.items, stale, strict=True)]
        return pb.ListReversalsResponse(reversals=found, next_page_token=token(page))


def _reversal(value: Reversal, stale: str = "") -> pb.Reversal:
    return pb.Reversal(
        reversal_id=value.reversal_id,
        transfer_id=value.transfer_id,
        allocation_id=value.allocation_id or "",
        kind=value.kind,
        reason=value.reason,
        state=_STATES[value.state],
        proposed_by=value.proposed_by,
        propose_time=timestamp(value.propose_time),
        decided_by=value.decided_by or "",
        decide_time=timestamp(value.decide_time),
        stale=stale,
    )


def _path(value: Reversal) -> str:
    return f"reversals/{value.reversal_id}"
