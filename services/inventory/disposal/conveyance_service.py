"""The RPCs of conveyances to a destruction elsewhere: message → conveyance office → message."""

from __future__ import annotations

import grpc
import sqlalchemy as sa
from tunggal.inventory.v1 import conveyances_pb2 as pb
from tunggal.inventory.v1 import conveyances_pb2_grpc

from services.common import paging
from services.common.moments import timestamp
from services.inventory import messages
from services.inventory.adapter import OPERATORS, READERS, Adapter, after, by_number, ranges, token
from services.inventory.desk import Desk
from services.inventory.disposal import tables
from services.inventory.disposal.conveyance import Conveyance, ConveyanceState
from services.inventory.disposal.conveyance_office import ConveyanceOffice
from services.inventory.disposal.store import DisposalStore
from services.inventory.goods import Goods
from services.inventory.ledger.entries import Account, Condition
from services.inventory.location import parse

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "SendConveyance": OPERATORS,
    "ReceiveConveyance": OPERATORS,
    "ListConveyances": READERS,
    "GetScrap": READERS,
}
_STATES = {
    ConveyanceState.SENT: pb.CONVEYANCE_STATE_SENT,
    ConveyanceState.RECEIVED: pb.CONVEYANCE_STATE_RECEIVED,
}
_BY_NUMBER = by_number(_STATES)


class ConveyanceService(Adapter, conveyances_pb2_grpc.ConveyanceServiceServicer):
    """Adapter between the contract of this service and the conveyance office."""

    def SendConveyance(
        self, request: pb.SendConveyanceRequest, context: grpc.ServicerContext
    ) -> pb.SendConveyanceResponse:
        """Sends what is to be destroyed."""

        def work(desk: Desk) -> tuple[pb.SendConveyanceResponse, str]:
            source = parse(request.from_location, "from_location")
            sent = ConveyanceOffice(desk).send(
                Goods(source, request.item, request.quantity, ranges(request.serials)),
                parse(request.to_location, "to_location"),
                request.reason,
                request.operator,
            )
            return pb.SendConveyanceResponse(conveyance=_conveyance(sent)), _path(sent)

        return self._book(context, request, pb.SendConveyanceResponse, work)

    def ReceiveConveyance(
        self, request: pb.ReceiveConveyanceRequest, context: grpc.ServicerContext
    ) -> pb.ReceiveConveyanceResponse:
        """Confirms what arrived."""

        def work(desk: Desk) -> tuple[pb.ReceiveConveyanceResponse, str]:
            seen = ConveyanceOffice(desk).receive(
                request.conveyance_id,
                request.quantity,
                tuple(ranges(request.serials)),
                request.operator,
                returned=request.returned,
            )
            return pb.ReceiveConveyanceResponse(conveyance=_conveyance(seen)), _path(seen)

        return self._book(context, request, pb.ReceiveConveyanceResponse, work)

    def ListConveyances(
        self, request: pb.ListConveyancesRequest, context: grpc.ServicerContext
    ) -> pb.ListConveyancesResponse:
        """Lists conveyances in order of entry."""
        columns, wanted = tables.conveyance.c, []
        if request.location:
            place = parse(request.location, "location")
            wanted.append(sa.or_(columns.source == place, columns.target == place))
        if request.state:
            wanted.append(columns.state == _BY_NUMBER[request.state])
        with self._read() as store:
            page = DisposalStore(store.connection).conveyances.page(
                after(request.page_token), paging.page_size(request.page_size), *wanted
            )
        return pb.ListConveyancesResponse(
            conveyances=map(_conveyance, page.items), next_page_token=token(page)
        )

    def GetScrap(self, request: pb.GetScrapRequest, context: grpc.ServicerContext) -> pb.GetScrapResponse:
        """Tells what waits for its destruction."""
        place = parse(request.location, "location")
        spoiled = Account(place, Condition.SPOILED, request.item)
        with self._read() as store:
            store.item(request.item)
            known, books = DisposalStore(store.connection), store.books
            return pb.GetScrapResponse(
                spoiled=books.balance(spoiled),
                spoiled_serials=map(messages.serial_range, books.free(spoiled)),
                withdrawn_serials=map(messages.serial_range, books.free(spoiled.to(Condition.WITHDRAWN))),
                unaccepted=known.unaccepted(place, request.item),
            )


def _conveyance(value: Conveyance) -> pb.Conveyance:
    return pb.Conveyance(
        conveyance_id=value.conveyance_id,
        from_location=value.source,
        to_location=value.target,
        item=value.item,
        quantity=value.quantity,
        serials=map(messages.serial_range, value.ranges),
        serials_under_way=map(messages.serial_range, value.remaining),
        under_way=value.under_way,
        reason=value.reason,
        state=_STATES[value.state],
        sent_by=value.sent_by,
        send_time=timestamp(value.send_time),
        received_by=value.received_by or "",
        receive_time=timestamp(value.receive_time),
    )


def _path(value: Conveyance) -> str:
    return f"conveyances/{value.conveyance_id}"
