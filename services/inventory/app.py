"""The inventory put together: database, bookkeeping, adapters and allow-lists."""

from __future__ import annotations

from datetime import timedelta

from tunggal.inventory.v1 import (
    cards_pb2,
    cards_pb2_grpc,
    chips_pb2,
    chips_pb2_grpc,
    contracts_pb2,
    contracts_pb2_grpc,
    conveyances_pb2,
    conveyances_pb2_grpc,
    counts_pb2,
    counts_pb2_grpc,
    exchange_pb2,
    exchange_pb2_grpc,
    inventory_pb2,
    inventory_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    movements_pb2,
    movements_pb2_grpc,
    planning_pb2,
    planning_pb2_grpc,
    reconciliation_pb2,
    reconciliation_pb2_grpc,
    reversals_pb2,
    reversals_pb2_grpc,
    spoilage_pb2,
    spoilage_pb2_grpc,
    statements_pb2,
    statements_pb2_grpc,
    withdrawals_pb2,
    withdrawals_pb2_grpc,
)

from services.common.clock import Clock, SystemClock
from services.common.db import Database
from services.common.server import ServerBuilder
from services.inventory import service
from services.inventory.blanks import card_service, chip_service
from services.inventory.clock_metrics import ClockDistance
from services.inventory.contracts import service as contract_service
from services.inventory.counts import service as count_service
from services.inventory.disposal import conveyance_service, withdrawal_service
from services.inventory.disposal import service as spoilage_service
from services.inventory.exchange import reconciliation_service
from services.inventory.exchange import service as exchange_service
from services.inventory.journal import Journal
from services.inventory.ledger import clocks
from services.inventory.ledger.clocks import Clocks
from services.inventory.metrics import Stock, Transfers
from services.inventory.movements import service as movement_service
from services.inventory.planning import service as planning_service
from services.inventory.refusal_metrics import Refusals
from services.inventory.reversals import service as reversal_service
from services.inventory.settings import Settings
from services.inventory.statement import service as statement_service
from services.inventory.statement.clerk import StatementClerk
from services.inventory.statement.signing import Signer
from services.inventory.transfers import service as ledger_service
from services.inventory.upkeep import Upkeep


def build(settings: Settings, clock: Clock | None = None, *, statements: bool = True) -> ServerBuilder:
    """A builder of the inventory's server; its database is migrated when the server starts.

    Without ``statements`` closed days get none, which a measurement of anything else would wait for.
    """
    database = Database(settings.database_url)
    # A clock that was given shows whatever time it was told to; the machine's can be compared.
    database_time = clocks.of_database(database) if clock is None else None
    clock = clock or SystemClock()
    builder = ServerBuilder(settings, clock)
    tolerance = timedelta(seconds=settings.clock_tolerance_seconds)
    checked = Clocks(clock, database_time, tolerance, builder.registry)
    journal = Journal(database, clock, Transfers(builder.registry), checked)
    upkeep = Upkeep(database, journal, clock)
    signer = Signer.load(settings.signing_key_file)
    clerk = StatementClerk(database, journal, signer, clock)

    def start() -> None:
        database.migrate("services.inventory")
        builder.registry.register(Stock(database))
        builder.registry.register(Refusals(database, clock))
        builder.registry.register(ClockDistance(database, clock, checked))
        upkeep.begin()

    builder = (
        builder.add(
            inventory_pb2.DESCRIPTOR.services_by_name["InventoryService"],
            inventory_pb2_grpc.add_InventoryServiceServicer_to_server,
            service.InventoryService(database, journal),
            service.ALLOW,
        )
        .add(
            contracts_pb2.DESCRIPTOR.services_by_name["ContractService"],
            contracts_pb2_grpc.add_ContractServiceServicer_to_server,
            contract_service.ContractService(database, journal, clock),
            contract_service.ALLOW,
        )
        .add(
            ledger_pb2.DESCRIPTOR.services_by_name["LedgerService"],
            ledger_pb2_grpc.add_LedgerServiceServicer_to_server,
            ledger_service.LedgerService(database, journal),
            ledger_service.ALLOW,
        )
        .add(
            movements_pb2.DESCRIPTOR.services_by_name["MovementService"],
            movements_pb2_grpc.add_MovementServiceServicer_to_server,
            movement_service.MovementService(database, journal),
            movement_service.ALLOW,
        )
        .add(
            counts_pb2.DESCRIPTOR.services_by_name["CountService"],
            counts_pb2_grpc.add_CountServiceServicer_to_server,
            count_service.CountService(database, journal),
            count_service.ALLOW,
        )
        .add(
            spoilage_pb2.DESCRIPTOR.services_by_name["SpoilageService"],
            spoilage_pb2_grpc.add_SpoilageServiceServicer_to_server,
            spoilage_service.SpoilageService(database, journal, signer),
            spoilage_service.ALLOW,
        )
        .add(
            cards_pb2.DESCRIPTOR.services_by_name["CardService"],
            cards_pb2_grpc.add_CardServiceServicer_to_server,
            card_service.CardService(database, journal),
            card_service.ALLOW,
        )
        .add(
            chips_pb2.DESCRIPTOR.services_by_name["ChipService"],
            chips_pb2_grpc.add_ChipServiceServicer_to_server,
            chip_service.ChipService(database, journal),
            chip_service.ALLOW,
        )
        .add(
            withdrawals_pb2.DESCRIPTOR.services_by_name["WithdrawalService"],
            withdrawals_pb2_grpc.add_WithdrawalServiceServicer_to_server,
            withdrawal_service.WithdrawalService(database, journal),
            withdrawal_service.ALLOW,
        )
        .add(
            conveyances_pb2.DESCRIPTOR.services_by_name["ConveyanceService"],
            conveyances_pb2_grpc.add_ConveyanceServiceServicer_to_server,
            conveyance_service.ConveyanceService(database, journal),
            conveyance_service.ALLOW,
        )
        .add(
            reversals_pb2.DESCRIPTOR.services_by_name["ReversalService"],
            reversals_pb2_grpc.add_ReversalServiceServicer_to_server,
            reversal_service.ReversalService(database, journal),
            reversal_service.ALLOW,
        )
        .add(
            planning_pb2.DESCRIPTOR.services_by_name["PlanningService"],
            planning_pb2_grpc.add_PlanningServiceServicer_to_server,
            planning_service.PlanningService(database, journal, clock, settings.lead_days),
            planning_service.ALLOW,
        )
        .add(
            statements_pb2.DESCRIPTOR.services_by_name["StatementService"],
            statements_pb2_grpc.add_StatementServiceServicer_to_server,
            statement_service.StatementService(database, journal, signer),
            statement_service.ALLOW,
        )
        .add(
            exchange_pb2.DESCRIPTOR.services_by_name["ExchangeService"],
            exchange_pb2_grpc.add_ExchangeServiceServicer_to_server,
            exchange_service.ExchangeService(database, journal),
            exchange_service.ALLOW,
        )
        .add(
            reconciliation_pb2.DESCRIPTOR.services_by_name["ReconciliationService"],
            reconciliation_pb2_grpc.add_ReconciliationServiceServicer_to_server,
            reconciliation_service.ReconciliationService(database, journal),
            reconciliation_service.ALLOW,
        )
        .on_start(start)
        .background("upkeep", upkeep.run)
        .on_close(database.dispose)
    )
    return builder.background("statements", clerk.run) if statements else builder
