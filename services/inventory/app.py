"""The inventory put together: database, bookkeeping, adapter and allow-list."""

from __future__ import annotations

from tunggal.inventory.v1 import inventory_pb2, inventory_pb2_grpc

from services.common.clock import Clock, SystemClock
from services.common.db import Database
from services.common.server import ServerBuilder
from services.inventory.journal import Journal
from services.inventory.metrics import Stock, Transfers
from services.inventory.service import ALLOW, InventoryService
from services.inventory.settings import Settings


def build(settings: Settings, clock: Clock | None = None) -> ServerBuilder:
    """A builder of the inventory's server; its database is migrated when the server starts."""
    clock = clock or SystemClock()
    database = Database(settings.database_url)
    builder = ServerBuilder(settings, clock)
    journal = Journal(database, clock, Transfers(builder.registry))

    def migrate() -> None:
        database.migrate("services.inventory")
        builder.registry.register(Stock(database))

    return (
        builder.add(
            inventory_pb2.DESCRIPTOR.services_by_name["InventoryService"],
            inventory_pb2_grpc.add_InventoryServiceServicer_to_server,
            InventoryService(database, journal),
            ALLOW,
        )
        .on_start(migrate)
        .on_close(database.dispose)
    )
