"""What one demo run is made of: its services, its seed, and the request ids that follow from it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Protocol

from tunggal.abis.v1.abis_pb2_grpc import AbisServiceStub
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub
from tunggal.cardperso.v1.journal_pb2_grpc import JournalServiceStub
from tunggal.cardperso.v1.production_pb2_grpc import ProductionServiceStub
from tunggal.enroll.v1.enroll_pb2_grpc import EnrollServiceStub
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub

REGION = "32.16"
REGION_NAME = "Kabupaten Bekasi"
CENTRE = "ID"

_NAMESPACE = uuid.UUID("6f1c7e0a-3f0b-5a53-9d5e-0f2f4a0c3216")


@dataclass(frozen=True)
class Services:
    """Stubs of the four services; two are of the inventory, and the last three of the card station."""

    inventory: InventoryServiceStub
    contracts: ContractServiceStub
    abis: AbisServiceStub
    enroll: EnrollServiceStub
    cardperso: CardPersoServiceStub
    production: ProductionServiceStub
    journal: JournalServiceStub


class RequestIds:
    """Request ids made of the seed and of what is asked for: sent again, a request has the same one."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def of(self, *what: str | int) -> str:
        """The id of the request that does `what`."""
        return str(uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in (self._seed, *what))))


class Progress(Protocol):
    """Where the stages report to."""

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of `total` steps; the one before is over."""

    def advance(self, detail: str = "") -> None:
        """One step of the stage is done."""

    def say(self, text: str) -> None:
        """Tell people something that is no step."""
