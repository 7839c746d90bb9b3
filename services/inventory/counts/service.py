"""The RPCs of stock counts: message → count office → message."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from tunggal.inventory.v1 import counts_pb2 as pb
from tunggal.inventory.v1 import counts_pb2_grpc

from services.common import paging
from services.common.moments import timestamp
from services.inventory import messages
from services.inventory.adapter import OPERATORS, Adapter, after, by_number, ranges, token
from services.inventory.counts import stock_count as counts
from services.inventory.counts import tables
from services.inventory.counts.office import CountOffice
from services.inventory.counts.stock_count import CountState, Sheet, StockCount
from services.inventory.counts.store import CountStore
from services.inventory.desk import Desk
from services.inventory.location import parse

#: Who may call what: SPIFFE paths by method.
ALLOW = dict.fromkeys(
    ("BeginCount", "SubmitCount", "ApproveCount", "RejectCount", "GetCount", "ListCounts"), OPERATORS
)
_STATES = {
    CountState.COUNTING: pb.COUNT_STATE_COUNTING,
    CountState.AGREED: pb.COUNT_STATE_AGREED,
    CountState.APPLIED: pb.COUNT_STATE_APPLIED,
    CountState.REJECTED: pb.COUNT_STATE_REJECTED,
}
_BY_NUMBER = by_number(_STATES)


class CountService(Adapter, counts_pb2_grpc.CountServiceServicer):
    """Adapter between the contract of this service and the count office."""

    def BeginCount(
        self, request: pb.BeginCountRequest, context: grpc.ServicerContext
    ) -> pb.BeginCountResponse:
        """Begins a count."""

        def work(desk: Desk) -> tuple[pb.BeginCountResponse, str]:
            begun = CountOffice(desk).begin(
                parse(request.location, "location"), request.item, request.operator
            )
            return pb.BeginCountResponse(count=_count(begun, ())), _path(begun.count_id)

        return self._book(context, request, pb.BeginCountResponse, work)

    def SubmitCount(
        self, request: pb.SubmitCountRequest, context: grpc.ServicerContext
    ) -> pb.SubmitCountResponse:
        """Hands in what one person counted."""

        def work(desk: Desk) -> tuple[pb.SubmitCountResponse, str]:
            counted = CountOffice(desk).submit(
                request.count_id, request.quantity, ranges(request.serials), request.operator
            )
            return pb.SubmitCountResponse(count=_seen(desk, counted)), _path(request.count_id)

        return self._book(context, request, pb.SubmitCountResponse, work)

    def ApproveCount(
        self, request: pb.ApproveCountRequest, context: grpc.ServicerContext
    ) -> pb.ApproveCountResponse:
        """Lets the books follow a count."""

        def work(desk: Desk) -> tuple[pb.ApproveCountResponse, str]:
            counted, variance = CountOffice(desk).approve(request.count_id, request.reason, request.operator)
            answer = pb.ApproveCountResponse(
                count=_seen(desk, counted), missing=variance.missing, found=variance.found
            )
            return answer, _path(request.count_id)

        return self._book(context, request, pb.ApproveCountResponse, work)

    def RejectCount(
        self, request: pb.RejectCountRequest, context: grpc.ServicerContext
    ) -> pb.RejectCountResponse:
        """Drops a count."""

        def work(desk: Desk) -> tuple[pb.RejectCountResponse, str]:
            counted = CountOffice(desk).reject(request.count_id, request.reason, request.operator)
            return pb.RejectCountResponse(count=_seen(desk, counted)), _path(request.count_id)

        return self._book(context, request, pb.RejectCountResponse, work)

    def GetCount(self, request: pb.GetCountRequest, context: grpc.ServicerContext) -> pb.GetCountResponse:
        """Reads a count."""
        with self._read() as store:
            known = CountStore(store.connection)
            found = known.counts.get(request.count_id)
            if found is None:
                raise counts.unknown(request.count_id)
            return pb.GetCountResponse(count=_count(found, known.sheets_of(found.count_id)))

    def ListCounts(
        self, request: pb.ListCountsRequest, context: grpc.ServicerContext
    ) -> pb.ListCountsResponse:
        """Lists counts in order of entry."""
        columns = tables.stock_count.c
        wanted = [columns.location == parse(request.location, "location")] if request.location else []
        wanted += [columns.state == _BY_NUMBER[request.state]] if request.state else []
        with self._read() as store:
            known = CountStore(store.connection)
            page = known.counts.page(after(request.page_token), paging.page_size(request.page_size), *wanted)
            sheets = known.sheets_by_count([count.count_id for count in page.items])
        found = [_count(count, sheets[count.count_id]) for count in page.items]
        return pb.ListCountsResponse(counts=found, next_page_token=token(page))


def _seen(desk: Desk, value: StockCount) -> pb.StockCount:
    return _count(value, CountStore(desk.store.connection).sheets_of(value.count_id))


def _count(value: StockCount, sheets: Sequence[Sheet]) -> pb.StockCount:
    """A count; while people count, neither the books nor anybody's sheet can be seen."""
    blind = value.state is CountState.COUNTING
    return pb.StockCount(
        count_id=value.count_id,
        location=value.location,
        item=value.item,
        state=_STATES[value.state],
        begun_by=value.begun_by,
        begin_time=timestamp(value.begin_time),
        expected=0 if blind else value.expected,
        sheets=[] if blind else map(_sheet, sheets),
        decided_by=value.decided_by or "",
        decide_time=timestamp(value.decide_time),
        decision=value.decision,
        rounds=len(sheets),
    )


def _sheet(value: Sheet) -> pb.CountSheet:
    return pb.CountSheet(
        round=value.round,
        quantity=value.quantity,
        serials=map(messages.serial_range, value.ranges),
        counted_by=value.person,
        time=timestamp(value.at),
    )


def _path(count_id: str) -> str:
    return f"counts/{count_id}"
