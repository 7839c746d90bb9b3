"""The RPCs of the inventory: message → bookkeeper → message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2_grpc

from services.common import paging
from services.common.db import Database
from services.common.errors import InvalidArgument
from services.common.identity import caller
from services.inventory import allocation, blank, contract, messages
from services.inventory.bookkeeper import Bookkeeper
from services.inventory.journal import Journal
from services.inventory.location import CENTRE, parse
from services.inventory.serials import SerialRange
from services.inventory.store import Page, Store

_OPERATORS = frozenset({"operator/*"})
_CARD_STATIONS = frozenset({"service/cardperso", "operator/*"})
_READERS = frozenset({"service/*", "operator/*"})

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "CreateContract": _OPERATORS,
    "GetContract": _READERS,
    "ListContracts": _READERS,
    "ReceiveLot": _OPERATORS,
    "ListLots": _READERS,
    "CreateAllocation": _OPERATORS,
    "CancelAllocation": _OPERATORS,
    "DispatchAllocation": _OPERATORS,
    "ReceiveAllocation": _OPERATORS,
    "GetAllocation": _READERS,
    "ListAllocations": _READERS,
    "ReserveBlank": _CARD_STATIONS,
    "ReleaseBlank": _CARD_STATIONS,
    "ConsumeBlank": _CARD_STATIONS,
    "SpoilBlank": _CARD_STATIONS,
    "GetBlank": _READERS,
    "GetStock": _READERS,
}


class InventoryService(inventory_pb2_grpc.InventoryServiceServicer):
    """Adapter between the contract and the bookkeeper."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal

    def CreateContract(
        self, request: pb.CreateContractRequest, context: grpc.ServicerContext
    ) -> pb.CreateContractResponse:
        """Enters a signed contract."""

        def work(book: Bookkeeper) -> tuple[pb.CreateContractResponse, str]:
            signed = book.sign_contract(request.contract_id, request.supplier, request.quantity)
            answer = pb.CreateContractResponse(contract=messages.contract(signed))
            return answer, f"contracts/{signed.contract_id}"

        return self._journal.book(caller(context), request, pb.CreateContractResponse, work)

    def GetContract(
        self, request: pb.GetContractRequest, context: grpc.ServicerContext
    ) -> pb.GetContractResponse:
        """Reads one contract."""
        with self._read() as store:
            found = store.contract(request.contract_id)
        if found is None:
            raise contract.unknown(request.contract_id)
        return pb.GetContractResponse(contract=messages.contract(found))

    def ListContracts(
        self, request: pb.ListContractsRequest, context: grpc.ServicerContext
    ) -> pb.ListContractsResponse:
        """Lists contracts in order of entry."""
        with self._read() as store:
            page = store.contracts(_after(request.page_token), paging.page_size(request.page_size))
        return pb.ListContractsResponse(
            contracts=map(messages.contract, page.items), next_page_token=_token(page)
        )

    def ReceiveLot(
        self, request: pb.ReceiveLotRequest, context: grpc.ServicerContext
    ) -> pb.ReceiveLotResponse:
        """Takes a lot into stock."""

        def work(book: Bookkeeper) -> tuple[pb.ReceiveLotResponse, str]:
            serials = SerialRange(request.serials.first, request.serials.last)
            lot = book.receive_lot(request.contract_id, request.delivery_note, serials)
            return pb.ReceiveLotResponse(lot=messages.lot(lot)), f"lots/{lot.lot_id}"

        return self._journal.book(caller(context), request, pb.ReceiveLotResponse, work)

    def ListLots(self, request: pb.ListLotsRequest, context: grpc.ServicerContext) -> pb.ListLotsResponse:
        """Lists lots in order of receipt."""
        with self._read() as store:
            page = store.lots(
                request.contract_id, _after(request.page_token), paging.page_size(request.page_size)
            )
        return pb.ListLotsResponse(lots=map(messages.lot, page.items), next_page_token=_token(page))

    def CreateAllocation(
        self, request: pb.CreateAllocationRequest, context: grpc.ServicerContext
    ) -> pb.CreateAllocationResponse:
        """Sets blanks aside for another location."""

        def work(book: Bookkeeper) -> tuple[pb.CreateAllocationResponse, str]:
            source = parse(request.from_location, "from_location")
            target = parse(request.to_location, "to_location")
            made = book.allocate(source, target, request.quantity, request.reason)
            answer = pb.CreateAllocationResponse(allocation=messages.allocation(made))
            return answer, f"allocations/{made.allocation_id}"

        return self._journal.book(caller(context), request, pb.CreateAllocationResponse, work)

    def CancelAllocation(
        self, request: pb.CancelAllocationRequest, context: grpc.ServicerContext
    ) -> pb.CancelAllocationResponse:
        """Withdraws an allocation."""

        def work(book: Bookkeeper) -> tuple[pb.CancelAllocationResponse, str]:
            changed = book.cancel(request.allocation_id, request.reason)
            answer = pb.CancelAllocationResponse(allocation=messages.allocation(changed))
            return answer, f"allocations/{changed.allocation_id}"

        return self._journal.book(caller(context), request, pb.CancelAllocationResponse, work)

    def DispatchAllocation(
        self, request: pb.DispatchAllocationRequest, context: grpc.ServicerContext
    ) -> pb.DispatchAllocationResponse:
        """Sends an allocation."""

        def work(book: Bookkeeper) -> tuple[pb.DispatchAllocationResponse, str]:
            changed = book.dispatch(request.allocation_id)
            answer = pb.DispatchAllocationResponse(allocation=messages.allocation(changed))
            return answer, f"allocations/{changed.allocation_id}"

        return self._journal.book(caller(context), request, pb.DispatchAllocationResponse, work)

    def ReceiveAllocation(
        self, request: pb.ReceiveAllocationRequest, context: grpc.ServicerContext
    ) -> pb.ReceiveAllocationResponse:
        """Confirms the receipt of an allocation."""

        def work(book: Bookkeeper) -> tuple[pb.ReceiveAllocationResponse, str]:
            changed = book.receive(request.allocation_id)
            answer = pb.ReceiveAllocationResponse(allocation=messages.allocation(changed))
            return answer, f"allocations/{changed.allocation_id}"

        return self._journal.book(caller(context), request, pb.ReceiveAllocationResponse, work)

    def GetAllocation(
        self, request: pb.GetAllocationRequest, context: grpc.ServicerContext
    ) -> pb.GetAllocationResponse:
        """Reads one allocation."""
        with self._read() as store:
            found = store.allocation(request.allocation_id)
        if found is None:
            raise allocation.unknown(request.allocation_id)
        return pb.GetAllocationResponse(allocation=messages.allocation(found))

    def ListAllocations(
        self, request: pb.ListAllocationsRequest, context: grpc.ServicerContext
    ) -> pb.ListAllocationsResponse:
        """Lists allocations in order of decision."""
        location = parse(request.location, "location") if request.location else None
        with self._read() as store:
            page = store.allocations(
                location,
                messages.allocation_state(request.state),
                _after(request.page_token),
                paging.page_size(request.page_size),
            )
        return pb.ListAllocationsResponse(
            allocations=map(messages.allocation, page.items), next_page_token=_token(page)
        )

    def ReserveBlank(
        self, request: pb.ReserveBlankRequest, context: grpc.ServicerContext
    ) -> pb.ReserveBlankResponse:
        """Holds one free blank."""

        def work(book: Bookkeeper) -> tuple[pb.ReserveBlankResponse, str]:
            held = book.reserve(parse(request.location, "location"), request.purpose)
            return pb.ReserveBlankResponse(blank=messages.blank(held)), f"blanks/{held.serial}"

        return self._journal.book(caller(context), request, pb.ReserveBlankResponse, work)

    def ReleaseBlank(
        self, request: pb.ReleaseBlankRequest, context: grpc.ServicerContext
    ) -> pb.ReleaseBlankResponse:
        """Gives a held blank back."""

        def work(book: Bookkeeper) -> tuple[pb.ReleaseBlankResponse, str]:
            free = book.release(request.reservation_id, request.reason)
            return pb.ReleaseBlankResponse(blank=messages.blank(free)), f"blanks/{free.serial}"

        return self._journal.book(caller(context), request, pb.ReleaseBlankResponse, work)

    def ConsumeBlank(
        self, request: pb.ConsumeBlankRequest, context: grpc.ServicerContext
    ) -> pb.ConsumeBlankResponse:
        """Turns a held blank into a card."""

        def work(book: Bookkeeper) -> tuple[pb.ConsumeBlankResponse, str]:
            card = book.consume(request.reservation_id, request.chip_uid)
            return pb.ConsumeBlankResponse(blank=messages.blank(card)), f"blanks/{card.serial}"

        return self._journal.book(caller(context), request, pb.ConsumeBlankResponse, work)

    def SpoilBlank(
        self, request: pb.SpoilBlankRequest, context: grpc.ServicerContext
    ) -> pb.SpoilBlankResponse:
        """Books a held blank as spoiled."""

        def work(book: Bookkeeper) -> tuple[pb.SpoilBlankResponse, str]:
            spoiled = book.spoil(request.reservation_id, request.reason, request.chip_uid)
            return pb.SpoilBlankResponse(blank=messages.blank(spoiled)), f"blanks/{spoiled.serial}"

        return self._journal.book(caller(context), request, pb.SpoilBlankResponse, work)

    def GetBlank(self, request: pb.GetBlankRequest, context: grpc.ServicerContext) -> pb.GetBlankResponse:
        """Answers where a blank is and who held it."""
        with self._read() as store:
            found = store.blank(request.serial)
            if found is None:
                raise blank.unknown(request.serial)
            steps = store.books.custody(request.serial)
        return pb.GetBlankResponse(blank=messages.blank(found), custody=map(messages.custody, steps))

    def GetStock(self, request: pb.GetStockRequest, context: grpc.ServicerContext) -> pb.GetStockResponse:
        """Counts blanks by location and condition."""
        region = parse(request.location or CENTRE, "location")
        with self._read() as store:
            balances = store.books.balances(region)
            contracted, outstanding = store.books.promised()
        return pb.GetStockResponse(
            levels=messages.levels(balances),
            total=messages.total(balances, region),
            contracted=contracted,
            delivered=contracted - outstanding,
        )

    @contextmanager
    def _read(self) -> Iterator[Store]:
        with self._database.read() as connection:
            yield Store(connection)


def _after(page_token: str) -> int:
    after = paging.decode_token(page_token).get("after", 0)
    if not isinstance(after, int) or not 0 <= after < 1 << 63:
        raise InvalidArgument(
            "PAGE_TOKEN_BROKEN",
            "The page token was not made by this service.",
            field="page_token",
            remedy="Send next_page_token of the previous answer unchanged, or nothing to start again.",
        )
    return after


def _token(page: Page[Any]) -> str:
    return "" if page.next_after is None else paging.encode_token({"after": page.next_after})
