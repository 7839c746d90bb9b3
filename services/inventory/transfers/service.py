"""The RPCs of the ledger: message → transfer office, balances, closing, inspection → message."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from tunggal.inventory.v1 import ledger_pb2 as pb
from tunggal.inventory.v1 import ledger_pb2_grpc

from services.common.errors import InvalidArgument
from services.common.moments import moment, timestamp
from services.inventory import messages
from services.inventory.adapter import OPERATORS, READERS, Adapter, day
from services.inventory.desk import Desk
from services.inventory.inspection import findings
from services.inventory.items import Item
from services.inventory.ledger.balances import Balances
from services.inventory.ledger.books import Books
from services.inventory.ledger.closing import Closing
from services.inventory.ledger.entries import Transfer
from services.inventory.location import CENTRE, parse
from services.inventory.transfers import pending
from services.inventory.transfers.office import Order, TransferOffice
from services.inventory.transfers.pending import Pending, PendingState

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "AddItem": OPERATORS,
    "ListItems": READERS,
    "PostTransfers": OPERATORS,
    "PostPending": OPERATORS,
    "VoidPending": OPERATORS,
    "ReverseTransfer": OPERATORS,
    "GetTransfer": READERS,
    "GetBalances": READERS,
    "CloseDays": OPERATORS,
    "CheckBooks": OPERATORS,
}
_PENDING = {
    PendingState.PENDING: pb.PENDING_STATE_PENDING,
    PendingState.POSTED: pb.PENDING_STATE_POSTED,
    PendingState.VOIDED: pb.PENDING_STATE_VOIDED,
    PendingState.EXPIRED: pb.PENDING_STATE_EXPIRED,
}


class LedgerService(Adapter, ledger_pb2_grpc.LedgerServiceServicer):
    """Adapter between the contract of this service and the books."""

    def AddItem(self, request: pb.AddItemRequest, context: grpc.ServicerContext) -> pb.AddItemResponse:
        """Adds an item to the catalogue."""
        given = request.item
        if given.serialised:
            raise InvalidArgument(
                "ONLY_BLANKS_HAVE_SERIALS",
                "Only blank cards are followed one by one.",
                field="item.serialised",
                remedy="Leave serialised out; the item is counted by units.",
            )

        def work(desk: Desk) -> tuple[pb.AddItemResponse, str]:
            item = Item(given.item_id, given.name, given.unit, False, given.cards_per_unit)
            return pb.AddItemResponse(item=_item(desk.add_item(item))), f"items/{given.item_id}"

        return self._book(context, request, pb.AddItemResponse, work)

    def ListItems(self, request: pb.ListItemsRequest, context: grpc.ServicerContext) -> pb.ListItemsResponse:
        """Lists the catalogue."""
        with self._read() as store:
            return pb.ListItemsResponse(items=map(_item, store.items()))

    def PostTransfers(
        self, request: pb.PostTransfersRequest, context: grpc.ServicerContext
    ) -> pb.PostTransfersResponse:
        """Books linked transfers, all or none."""

        def work(desk: Desk) -> tuple[pb.PostTransfersResponse, str]:
            batch, transfers = TransferOffice(desk).post(_orders(request.transfers))
            answer = pb.PostTransfersResponse(batch_id=batch, transfers=map(_transfer, transfers))
            return answer, f"batches/{batch}"

        return self._book(context, request, pb.PostTransfersResponse, work)

    def PostPending(
        self, request: pb.PostPendingRequest, context: grpc.ServicerContext
    ) -> pb.PostPendingResponse:
        """Posts a two-phase transfer."""

        def work(desk: Desk) -> tuple[pb.PostPendingResponse, str]:
            ended = TransferOffice(desk).decide(request.transfer_id, posted=True, reason="")
            return pb.PostPendingResponse(pending=_pending(ended)), _path(request.transfer_id)

        return self._book(context, request, pb.PostPendingResponse, work)

    def VoidPending(
        self, request: pb.VoidPendingRequest, context: grpc.ServicerContext
    ) -> pb.VoidPendingResponse:
        """Voids a two-phase transfer."""

        def work(desk: Desk) -> tuple[pb.VoidPendingResponse, str]:
            ended = TransferOffice(desk).decide(request.transfer_id, posted=False, reason=request.reason)
            return pb.VoidPendingResponse(pending=_pending(ended)), _path(request.transfer_id)

        return self._book(context, request, pb.VoidPendingResponse, work)

    def ReverseTransfer(
        self, request: pb.ReverseTransferRequest, context: grpc.ServicerContext
    ) -> pb.ReverseTransferResponse:
        """Takes a transfer back."""

        def work(desk: Desk) -> tuple[pb.ReverseTransferResponse, str]:
            opposite = TransferOffice(desk).reverse(request.transfer_id, request.reason)
            return pb.ReverseTransferResponse(transfer=_transfer(opposite)), _path(request.transfer_id)

        return self._book(context, request, pb.ReverseTransferResponse, work)

    def GetTransfer(
        self, request: pb.GetTransferRequest, context: grpc.ServicerContext
    ) -> pb.GetTransferResponse:
        """Reads one transfer."""
        with self._read() as store:
            books = Books(store.connection)
            found = books.transfer(request.transfer_id)
            if found is None:
                raise pending.unknown(request.transfer_id)
            return pb.GetTransferResponse(
                transfer=_transfer(found, books.reversal_of(request.transfer_id) or "")
            )

    def GetBalances(
        self, request: pb.GetBalancesRequest, context: grpc.ServicerContext
    ) -> pb.GetBalancesResponse:
        """Reads balances at a moment."""
        region = parse(request.location or CENTRE, "location")
        at = self._past(request, "at")
        with self._read() as store:
            balances = Balances(store.connection)
            if at is None:
                found = {account: n for account, n in balances.now(region, request.item).items() if n}
            elif request.as_happened:
                found = balances.as_happened(at, region, request.item)
            else:
                found = balances.at(at, region, request.item)
        return pb.GetBalancesResponse(
            balances=[
                pb.Balance(
                    location=account.place, item=account.item, condition=account.condition, balance=balance
                )
                for account, balance in found.items()
            ]
        )

    def CloseDays(self, request: pb.CloseDaysRequest, context: grpc.ServicerContext) -> pb.CloseDaysResponse:
        """Closes days that are over."""
        through = day(request.through, "through")

        def work(desk: Desk) -> tuple[pb.CloseDaysResponse, str]:
            closed = Closing(desk.store.connection).close(through, desk.clerk.now)
            return pb.CloseDaysResponse(days=[one.isoformat() for one in closed]), f"days/{through}"

        return self._book(context, request, pb.CloseDaysResponse, work)

    def CheckBooks(
        self, request: pb.CheckBooksRequest, context: grpc.ServicerContext
    ) -> pb.CheckBooksResponse:
        """Checks all books."""
        with self._read() as store:
            return pb.CheckBooksResponse(findings=findings(store.connection))


def _orders(given: Sequence[pb.NewTransfer]) -> list[Order]:
    return [
        Order(
            item=one.item,
            quantity=one.quantity,
            source=parse(one.from_location, f"transfers[{n}].from_location"),
            target=parse(one.to_location, f"transfers[{n}].to_location") if one.to_location else None,
            reason=one.reason,
            pending_until=moment(one, "pending_until"),
            event_time=moment(one, "event_time"),
        )
        for n, one in enumerate(given)
    ]


def _item(value: Item) -> pb.Item:
    return pb.Item(
        item_id=value.item_id,
        name=value.name,
        unit=value.unit,
        serialised=value.serialised,
        cards_per_unit=value.cards_per_unit,
    )


def _transfer(value: Transfer, reversed_by: str = "") -> pb.Transfer:
    return pb.Transfer(
        transfer_id=value.transfer_id,
        kind=value.kind,
        subject=value.subject,
        actor=value.actor,
        reason=value.reason,
        book_time=timestamp(value.book_time),
        event_time=timestamp(value.event_time or value.book_time),
        reverses=value.reverses or "",
        reversed_by=reversed_by,
        lines=[
            pb.TransferLine(
                from_account=line.source.code,
                to_account=line.target.code,
                quantity=line.quantity,
                serials=messages.serial_range(line.serials) if line.serials else None,
            )
            for line in value.lines
        ],
    )


def _pending(value: Pending) -> pb.PendingTransfer:
    return pb.PendingTransfer(
        transfer_id=value.transfer_id,
        from_account=value.source.code,
        to_account=value.target.code,
        quantity=value.quantity,
        expire_time=timestamp(value.expire_time),
        state=_PENDING[value.state],
        end_time=timestamp(value.end_time),
    )


def _path(transfer_id: str) -> str:
    return f"transfers/{transfer_id}"
