"""The blanks of the day: contract → lot → allocation → dispatch → receipt, and the account at its end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1.contracts_pb2 import ApproveChangeRequest
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from tunggal.inventory.v1.stock_pb2 import SerialRange, StockLevel

from cli.demo.calls import patiently
from cli.demo.result import Custody, Level, Stock
from cli.demo.steps import CENTRE, REGION, REGION_NAME, Progress, RequestIds

CONTRACT = "KTP-DEMO-01"
SUPPLIER = "PT Blangko Sejahtera"
FIRST_SERIAL = 32_160_001


def supply(
    inventory: InventoryServiceStub,
    contracts: ContractServiceStub,
    ids: RequestIds,
    people: int,
    progress: Progress,
) -> int:
    """Bring enough blanks for `people` cards to the regency; gives how many.

    The contract is for ten times as many: most of it is still to be delivered, as on any day.
    """
    quantity = max(10, -(-people * 3 // 2 // 10) * 10)
    progress.stage("Blanks: contract, lot, allocation", 5)
    contract = pb.CreateContractRequest(
        request_id=ids.of("contract"),
        contract_id=CONTRACT,
        supplier=SUPPLIER,
        quantity=quantity * 10,
        scan_sha256=hashlib.sha256(f"{CONTRACT} with {SUPPLIER}".encode()).hexdigest(),
        operator="siti",
    )
    proposed = patiently(lambda: inventory.CreateContract(contract)).change_id
    approval = ApproveChangeRequest(
        request_id=ids.of("contract-approved"), change_id=proposed, operator="budi"
    )
    patiently(lambda: contracts.ApproveChange(approval))
    progress.advance(f"contract {CONTRACT} for {quantity * 10}, approved by a second person")
    lot = pb.ReceiveLotRequest(
        request_id=ids.of("lot"),
        contract_id=CONTRACT,
        delivery_note="SJ-0001",
        serials=SerialRange(first=FIRST_SERIAL, last=FIRST_SERIAL + quantity - 1),
    )
    patiently(lambda: inventory.ReceiveLot(lot))
    progress.advance(f"lot of {quantity} received at the centre")
    allocate = pb.CreateAllocationRequest(
        request_id=ids.of("allocate"),
        from_location=CENTRE,
        to_location=REGION,
        quantity=quantity,
        reason=f"Backlog of print-ready records in {REGION_NAME}",
    )
    allocation = patiently(lambda: inventory.CreateAllocation(allocate)).allocation
    progress.advance(f"{quantity} allocated to {REGION_NAME}")
    dispatch = pb.DispatchAllocationRequest(
        request_id=ids.of("dispatch"), allocation_id=allocation.allocation_id
    )
    patiently(lambda: inventory.DispatchAllocation(dispatch))
    progress.advance("dispatched")
    receive = pb.ReceiveAllocationRequest(
        request_id=ids.of("receive"), allocation_id=allocation.allocation_id
    )
    patiently(lambda: inventory.ReceiveAllocation(receive))
    progress.advance("receipt confirmed")
    return quantity


def take_stock(inventory: InventoryServiceStub, allocated_to_region: int) -> Stock:
    """The account of all blanks."""
    contract = patiently(lambda: inventory.GetContract(pb.GetContractRequest(contract_id=CONTRACT))).contract
    answer = patiently(lambda: inventory.GetStock(pb.GetStockRequest()))
    return Stock(
        contracted=answer.contracted,
        received=answer.delivered,
        outstanding=contract.outstanding_quantity,
        allocated_to_region=allocated_to_region,
        levels=tuple(_level(level) for level in answer.levels),
        total=_level(answer.total),
    )


def bindings(inventory: InventoryServiceStub, serials: Iterable[int]) -> dict[int, str]:
    """The chip UID that the inventory has for each blank."""
    return {
        serial: patiently(
            lambda serial=serial: inventory.GetBlank(pb.GetBlankRequest(serial=serial))  # type: ignore[misc]
        ).blank.chip_uid
        for serial in serials
    }


def custody(inventory: InventoryServiceStub, serial: int) -> tuple[Custody, ...]:
    """The life of one blank."""
    answer = patiently(lambda: inventory.GetBlank(pb.GetBlankRequest(serial=serial)))
    return tuple(
        Custody(
            time=event.book_time.ToDatetime().strftime("%H:%M:%S"),
            kind=event.kind,
            source=event.from_account,
            target=event.to_account,
            actor=event.actor,
            reason=event.reason,
        )
        for event in answer.custody
    )


def _level(level: StockLevel) -> Level:
    return Level(
        location=level.location,
        on_hand=level.on_hand,
        allocated=level.allocated,
        in_transit=level.in_transit,
        reserved=level.reserved,
        consumed=level.consumed,
        spoiled=level.spoiled,
    )
