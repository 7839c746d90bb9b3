"""Enrolment put together: database, keys, domain, pipeline and adapter."""

from __future__ import annotations

from datetime import timedelta

from tunggal.enroll.v1 import (
    cards_pb2,
    cards_pb2_grpc,
    enroll_pb2,
    enroll_pb2_grpc,
    reconciliation_pb2,
    reconciliation_pb2_grpc,
)

from services.common.bell import Bell
from services.common.clock import Clock, SystemClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.server import ServerBuilder
from services.enroll import card_service, reconciliation_service, regions
from services.enroll.abis_client import GrpcAbis
from services.enroll.deduplication import Abis
from services.enroll.demand import DemandReporter
from services.enroll.feed import Feed
from services.enroll.gauges import FunnelCollector
from services.enroll.intake import Intake
from services.enroll.pipeline import Pipeline
from services.enroll.queue import CardQueue
from services.enroll.service import ALLOW, EnrollService
from services.enroll.settings import Settings
from services.enroll.store import Store
from services.enroll.vault import Vault


def build(settings: Settings, clock: Clock | None = None, abis: Abis | None = None) -> ServerBuilder:
    """Makes a builder of the enrolment server; its database is migrated when the server starts.

    Args:
        settings: Settings.
        clock: The machine's clock unless given.
        abis: The ABIS at ``settings.abis_endpoint`` unless given.
    """
    clock = clock or SystemClock()
    db = Database(settings.database_url)
    keys = KeyRing.load(settings.key_file)
    store, vault, bell = Store(keys), Vault(keys), Bell()
    builder = ServerBuilder(settings, clock)
    if abis is None:
        abis = GrpcAbis(builder.peer("abis", settings.abis_endpoint), settings.abis_deadline_seconds)
    pipeline = Pipeline(
        db,
        store,
        vault,
        abis,
        clock,
        bell,
        lease=timedelta(seconds=settings.pipeline_lease_seconds),
        poll_seconds=settings.poll_seconds,
    )
    queue = CardQueue(
        db,
        store,
        clock,
        bell,
        claim_time=timedelta(seconds=settings.claim_seconds),
        poll_seconds=settings.poll_seconds,
    )
    feed = Feed(db, store, bell, max_followers=settings.max_followers, poll_seconds=settings.poll_seconds)
    table = regions.bundled()
    service = EnrollService(
        db,
        store,
        vault,
        Intake(store, vault, table, clock),
        queue,
        feed,
        table,
        clock,
        bell,
        settings.max_submission_bytes,
    )

    if settings.inventory_endpoint:
        inventory = builder.peer("inventory", settings.inventory_endpoint)
        builder.background("demand", DemandReporter(db, clock, inventory).run)

    def prepare() -> None:
        db.migrate("services.enroll")
        builder.registry.register(FunnelCollector(db, store, clock))

    builder.add(
        enroll_pb2.DESCRIPTOR.services_by_name["EnrollService"],
        enroll_pb2_grpc.add_EnrollServiceServicer_to_server,
        service,
        ALLOW,
    )
    builder.add(
        cards_pb2.DESCRIPTOR.services_by_name["CardService"],
        cards_pb2_grpc.add_CardServiceServicer_to_server,
        card_service.CardService(db, store, clock, bell),
        card_service.ALLOW,
    )
    builder.add(
        reconciliation_pb2.DESCRIPTOR.services_by_name["ReconciliationService"],
        reconciliation_pb2_grpc.add_ReconciliationServiceServicer_to_server,
        reconciliation_service.ReconciliationService(db, clock),
        reconciliation_service.ALLOW,
    )
    for number in range(settings.pipeline_workers):
        builder.background(f"pipeline-{number}", pipeline.run)
    return (
        builder.background("pipeline-leases", pipeline.keep_leases)
        .background("claims", queue.run)
        .background("feed", feed.close_with)
        .on_start(prepare)
        .on_close(db.dispose)
    )
