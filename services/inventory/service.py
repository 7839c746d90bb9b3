"""The RPCs of the inventory: message → bookkeeper → message."""

from __future__ import annotations

import grpc
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2_grpc

from services.common import paging
from services.inventory import messages
from services.inventory.adapter import CARD_STATIONS, OPERATORS, READERS, Adapter, after, token
from services.inventory.blanks import blank
from services.inventory.blanks.bookkeeper import Bookkeeper
from services.inventory.contracts import contract
from services.inventory.contracts.office import ContractOffice
from services.inventory.contracts.store import ContractStore
from services.inventory.desk import Desk
from services.inventory.ledger import custody
from services.inventory.ledger.balances import Balances
from services.inventory.ledger.entries import BLANK
from services.inventory.ledger.serials import SerialRange
from services.inventory.location import CENTRE, parse
from services.inventory.movements.shipping import Shipping

#: Who may call what: SPIFFE paths by method.
ALLOW = {
    "CreateContract": OPERATORS,
    "GetContract": READERS,
    "ListContracts": READERS,
    "ReceiveLot": OPERATORS,
    "ListLots": READERS,
    "CreateAllocation": OPERATORS,
    "CancelAllocation": OPERATORS,
    "DispatchAllocation": OPERATORS,
    "ReceiveAllocation": OPERATORS,
    "GetAllocation": READERS,
    "ListAllocations": READERS,
    "ReserveBlank": CARD_STATIONS,
    "ReleaseBlank": CARD_STATIONS,
    "ConsumeBlank": CARD_STATIONS,
    "SpoilBlank": CARD_STATIONS,
    "GetBlank": READERS,
    "GetStock": READERS,
}


class InventoryService(Adapter, inventory_pb2_grpc.InventoryServiceServicer):
    """Adapter between the contract and the bookkeeper."""

    def CreateContract(
        self, request: pb.CreateContractRequest, context: grpc.ServicerContext
    ) -> pb.CreateContractResponse:
        """Enters a contract that was signed elsewhere."""

        def work(desk: Desk) -> tuple[pb.CreateContractResponse, str]:
            draft, proposed = ContractOffice(desk).enter_signed(
                request.contract_id,
                request.supplier,
                request.quantity,
                request.scan_sha256,
                request.operator,
            )
            answer = pb.CreateContractResponse(
                contract=messages.contract(draft), change_id=proposed.change_id
            )
            return answer, f"contracts/{draft.contract_id}"

        return self._book(context, request, pb.CreateContractResponse, work)

    def GetContract(
        self, request: pb.GetContractRequest, context: grpc.ServicerContext
    ) -> pb.GetContractResponse:
        """Reads one contract."""
        with self._read() as store:
            found = ContractStore(store.connection).find(request.contract_id)
        if found is None:
            raise contract.unknown(request.contract_id)
        return pb.GetContractResponse(contract=messages.contract(found))

    def ListContracts(
        self, request: pb.ListContractsRequest, context: grpc.ServicerContext
    ) -> pb.ListContractsResponse:
        """Lists contracts in order of entry."""
        with self._read() as store:
            page = ContractStore(store.connection).page(
                after(request.page_token), paging.page_size(request.page_size)
            )
        return pb.ListContractsResponse(
            contracts=map(messages.contract, page.items), next_page_token=token(page)
        )

    def ReceiveLot(
        self, request: pb.ReceiveLotRequest, context: grpc.ServicerContext
    ) -> pb.ReceiveLotResponse:
        """Takes a lot into stock."""

        def work(desk: Desk) -> tuple[pb.ReceiveLotResponse, str]:
            serials = SerialRange(request.serials.first, request.serials.last)
            lot = Bookkeeper(desk).receive_lot(request.contract_id, request.delivery_note, serials)
            return pb.ReceiveLotResponse(lot=messages.lot(lot)), f"lots/{lot.lot_id}"

        return self._book(context, request, pb.ReceiveLotResponse, work)

    def ListLots(self, request: pb.ListLotsRequest, context: grpc.ServicerContext) -> pb.ListLotsResponse:
        """Lists lots in order of receipt."""
        with self._read() as store:
            page = store.lots(
                request.contract_id, after(request.page_token), paging.page_size(request.page_size)
            )
        return pb.ListLotsResponse(lots=map(messages.lot, page.items), next_page_token=token(page))

    def CreateAllocation(
        self, request: pb.CreateAllocationRequest, context: grpc.ServicerContext
    ) -> pb.CreateAllocationResponse:
        """Sets blanks aside for another location."""

        def work(desk: Desk) -> tuple[pb.CreateAllocationResponse, str]:
            source = parse(request.from_location, "from_location")
            target = parse(request.to_location, "to_location")
            made = Shipping(desk).allocate(source, target, request.quantity, request.reason)
            answer = pb.CreateAllocationResponse(allocation=messages.allocation(made))
            return answer, f"allocations/{made.allocation_id}"

        return self._book(context, request, pb.CreateAllocationResponse, work)

    def CancelAllocation(
        self, request: pb.CancelAllocationRequest, context: grpc.ServicerContext
    ) -> pb.CancelAllocationResponse:
        """Withdraws an allocation."""

        def work(desk: Desk) -> tuple[pb.CancelAllocationResponse, str]:
            changed = Shipping(desk).cancel(request.allocation_id, request.reason)
            answer = pb.CancelAllocationResponse(allocation=messages.allocation(changed))
            return answer, f"allocations/{changed.allocation_id}"

        return self._book(context, request, pb.CancelAllocationResponse, work)

    def DispatchAllocation(
        self, request: pb.DispatchAllocationRequest, context: grpc.ServicerContext
    ) -> pb.DispatchAllocationResponse:
        """Sends an allocation."""

        def work(desk: Desk) -> tuple[pb.DispatchAllocationResponse, str]:
            changed = Shipping(desk).dispatch(request.allocation_id)
            answer = pb.DispatchAllocationResponse(allocation=messages.allocation(changed))
            return answer, f"allocations/{changed.allocation_id}"

        return self._book(context, request, pb.DispatchAllocationResponse, work)

    def ReceiveAllocation(
        self, request: pb.ReceiveAllocationRequest, context: grpc.ServicerContext
    ) -> pb.ReceiveAllocationResponse:
        """Confirms the receipt of an allocation."""

        def work(desk: Desk) -> tuple[pb.ReceiveAllocationResponse, str]:
            changed = Shipping(desk).receive(request.allocation_id)
            answer = pb.ReceiveAllocationResponse(allocation=messages.allocation(changed))
            return answer, f"allocations/{changed.allocation_id}"

        return self._book(context, request, pb.ReceiveAllocationResponse, work)

    def GetAllocation(
        self, request: pb.GetAllocationRequest, context: grpc.ServicerContext
    ) -> pb.GetAllocationResponse:
        """Reads one allocation."""
        with self._read() as store:
            found = store.allocation(request.allocation_id)
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
                after(request.page_token),
                paging.page_size(request.page_size),
            )
        return pb.ListAllocationsResponse(
            allocations=map(messages.allocation, page.items), next_page_token=token(page)
        )

    def ReserveBlank(
        self, request: pb.ReserveBlankRequest, context: grpc.ServicerContext
    ) -> pb.ReserveBlankResponse:
        """Holds one free blank."""

        def work(desk: Desk) -> tuple[pb.ReserveBlankResponse, str]:
            held = Bookkeeper(desk).reserve(parse(request.location, "location"), request.purpose)
            return pb.ReserveBlankResponse(blank=messages.blank(held)), f"blanks/{held.serial}"

        return self._book(context, request, pb.ReserveBlankResponse, work)

    def ReleaseBlank(
        self, request: pb.ReleaseBlankRequest, context: grpc.ServicerContext
    ) -> pb.ReleaseBlankResponse:
        """Gives a held blank back."""

        def work(desk: Desk) -> tuple[pb.ReleaseBlankResponse, str]:
            free = Bookkeeper(desk).release(request.reservation_id, request.reason)
            return pb.ReleaseBlankResponse(blank=messages.blank(free)), f"blanks/{free.serial}"

        return self._book(context, request, pb.ReleaseBlankResponse, work)

    def ConsumeBlank(
        self, request: pb.ConsumeBlankRequest, context: grpc.ServicerContext
    ) -> pb.ConsumeBlankResponse:
        """Turns a held blank into a card."""

        def work(desk: Desk) -> tuple[pb.ConsumeBlankResponse, str]:
            card = Bookkeeper(desk).consume(request.reservation_id, request.chip_uid)
            return pb.ConsumeBlankResponse(blank=messages.blank(card)), f"blanks/{card.serial}"

        return self._book(context, request, pb.ConsumeBlankResponse, work)

    def SpoilBlank(
        self, request: pb.SpoilBlankRequest, context: grpc.ServicerContext
    ) -> pb.SpoilBlankResponse:
        """Books a held blank as spoiled."""

        def work(desk: Desk) -> tuple[pb.SpoilBlankResponse, str]:
            spoiled, spoilage = Bookkeeper(desk).spoil(
                request.reservation_id, request.reason, request.chip_uid, request.operator
            )
            answer = pb.SpoilBlankResponse(blank=messages.blank(spoiled), spoilage_id=spoilage.spoilage_id)
            return answer, f"blanks/{spoiled.serial}"

        return self._book(context, request, pb.SpoilBlankResponse, work)

    def GetBlank(self, request: pb.GetBlankRequest, context: grpc.ServicerContext) -> pb.GetBlankResponse:
        """Answers where a blank is and who held it."""
        with self._read() as store:
            found = store.blank(request.serial)
            if found is None:
                taken_back = ContractStore(store.connection).taken_back(request.serial)
                raise blank.unknown(request.serial, taken_back)
            steps = custody.steps(store.connection, request.serial)
        answer = pb.GetBlankResponse(blank=messages.blank(found), custody=map(messages.custody, steps))
        answer.blank.spoil_reason = blank.scrap_reason(found.account, steps)
        return answer

    def GetStock(self, request: pb.GetStockRequest, context: grpc.ServicerContext) -> pb.GetStockResponse:
        """Counts blanks by location and condition."""
        region, item = parse(request.location or CENTRE, "location"), request.item or BLANK
        with self._read() as store:
            store.item(item)
            balances = Balances(store.connection).stock(region, item)
            contracted, outstanding = Balances(store.connection).promised(item)
        return pb.GetStockResponse(
            levels=messages.levels(balances),
            total=messages.total(balances, region),
            contracted=contracted,
            delivered=contracted - outstanding,
        )
