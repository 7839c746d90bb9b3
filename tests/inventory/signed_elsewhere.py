"""A contract that was signed elsewhere, taken over by two people."""

from __future__ import annotations

from uuid import uuid4

import grpc
from tunggal.inventory.v1 import contracts_pb2, contracts_pb2_grpc, inventory_pb2, inventory_pb2_grpc

SCAN = "5c" * 32


def entering(contract_id: str, quantity: int, operator: str = "ani") -> inventory_pb2.CreateContractRequest:
    """What the first of them sends."""
    return inventory_pb2.CreateContractRequest(
        request_id=str(uuid4()),
        contract_id=contract_id,
        supplier="PT Kartu",
        quantity=quantity,
        scan_sha256=SCAN,
        operator=operator,
    )


def approving(change_id: str, operator: str = "budi") -> contracts_pb2.ApproveChangeRequest:
    """What the second of them sends."""
    return contracts_pb2.ApproveChangeRequest(request_id=str(uuid4()), change_id=change_id, operator=operator)


def take_over(channel: grpc.Channel, contract_id: str, quantity: int) -> None:
    """Both steps at a running inventory."""
    made = inventory_pb2_grpc.InventoryServiceStub(channel).CreateContract(entering(contract_id, quantity))
    contracts_pb2_grpc.ContractServiceStub(channel).ApproveChange(approving(made.change_id))
