"""Card personalization put together: database, keys, neighbours, workers, adapter and allow-list."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

from tunggal.cardperso.v1 import (
    cardperso_pb2,
    cardperso_pb2_grpc,
    journal_pb2,
    journal_pb2_grpc,
    production_pb2,
    production_pb2_grpc,
    reader_pb2,
    reader_pb2_grpc,
    reconciliation_pb2,
    reconciliation_pb2_grpc,
    verification_pb2,
    verification_pb2_grpc,
)

from services.cardperso import (
    journal_service,
    pcsc,
    reader_service,
    reconciliation_service,
    verification_service,
)
from services.cardperso.attempts import Attempts
from services.cardperso.chip import profile as profiles
from services.cardperso.chip.plan import encode
from services.cardperso.custodian import Custodian
from services.cardperso.desk import Desk
from services.cardperso.encoder import Encoder
from services.cardperso.globalplatform import AttemptGuard
from services.cardperso.issuer import Issuer, configured
from services.cardperso.jobs import Jobs
from services.cardperso.journal import Journal
from services.cardperso.keys.errors import KeystoreDamaged, KeystoreLocked, KeystoreUnavailable
from services.cardperso.metrics import ChipMeter, JobCollector
from services.cardperso.peers import GrpcEnroll, GrpcInventory
from services.cardperso.personalizer import Personalizer, Policy
from services.cardperso.ports import Enroll, Inventory
from services.cardperso.printing import CardPrinter, NoPrinter, Retention, SpoolPrinter
from services.cardperso.production import service as production_service
from services.cardperso.production.floor import Floor
from services.cardperso.production.service import ProductionService
from services.cardperso.service import ALLOW, CardPersoService
from services.cardperso.settings import Settings
from services.cardperso.station import Station, StationLock
from services.cardperso.store import Store
from services.cardperso.verify.inspection import LOOK_SECONDS, Inspector
from services.common.bell import Bell
from services.common.clock import Clock, SystemClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.errors import ConfigurationError
from services.common.logs import get_logger
from services.common.server import ServerBuilder

_log = get_logger()


def build(
    settings: Settings,
    clock: Clock | None = None,
    enroll: Enroll | None = None,
    inventory: Inventory | None = None,
) -> ServerBuilder:
    """A builder of the card personalization server; its database is migrated when the server starts.

    Args:
        settings: Settings.
        clock: The machine's clock unless given.
        enroll: The service at `settings.enroll_endpoint` unless given.
        inventory: The service at `settings.inventory_endpoint` unless given.
    """
    clock = clock or SystemClock()
    database = Database(settings.database_url)
    keys = KeyRing.load(settings.key_file)
    store, bell = Store(keys), Bell()
    jobs = Jobs(database, store, clock, bell)
    journal = Journal(database, settings.data_dir / "journal", clock, keys)
    issuer = configured(settings, clock)
    profile = profiles.find(settings.chip_profile)
    guard = AttemptGuard(settings.card_attempts, Attempts(database, clock))
    builder = ServerBuilder(settings, clock)
    printer = _printer(settings, keys, builder.stopping)
    if enroll is None:
        enroll = GrpcEnroll(builder.peer("enroll", settings.enroll_endpoint), settings.call_seconds)
    if inventory is None:
        to_inventory = builder.peer("inventory", settings.inventory_endpoint)
        inventory = GrpcInventory(to_inventory, settings.call_seconds)
    neighbours = (enroll, inventory)
    meter = ChipMeter(builder.registry)
    policy = Policy(
        card_wait=settings.card_wait_seconds,
        resume_wait=settings.resume_wait_seconds,
        mark=settings.card_mark,
        quality_check=settings.quality_check,
    )
    floor = Floor(
        database,
        store,
        settings.station,
        clock,
        dt.timedelta(seconds=settings.station_lease_seconds),
        lambda: [found.name for found in pcsc.readers()],
    )
    station = Station(
        settings.station,
        jobs,
        bell,
        lambda: Personalizer(
            jobs,
            Encoder(issuer, guard, journal, settings.apdu_seconds, settings.session_seconds),
            lambda holder: encode(profile, holder, issuer.signer()),
            *neighbours,
            meter,
            policy,
            printer,
        ),
        floor,
        poll_seconds=settings.poll_seconds,
    )
    desk = Desk(settings.station, jobs, enroll, clock)
    service = CardPersoService(
        database,
        store,
        desk,
        clock,
        bell,
        builder.stopping,
        max_watchers=settings.max_watchers,
        poll_seconds=settings.poll_seconds,
    )
    # Before anything looks for readers; the helpers start when something does.
    pcsc.SYSTEM.use(pcsc.parse_sockets(settings.pcsc_sockets))
    watcher = pcsc.ReaderWatcher()
    readers = reader_service.ReaderService(
        watcher,
        desk.readers_in_use,
        builder.stopping,
        max_watchers=settings.max_watchers,
        poll_seconds=settings.poll_seconds,
    )
    verification = verification_service.VerificationService(
        _inspector(settings, issuer, profile), database, clock, lambda uid: jobs.job_of_chip(uid, but="")
    )
    alone = StationLock(settings.data_dir / "station.lock")

    def prepare() -> None:
        alone.acquire()
        _prepare(issuer)
        database.migrate("services.cardperso")
        journal.recover()
        builder.registry.register(JobCollector(database))

    return (
        builder.add(
            cardperso_pb2.DESCRIPTOR.services_by_name["CardPersoService"],
            cardperso_pb2_grpc.add_CardPersoServiceServicer_to_server,
            service,
            ALLOW,
        )
        .add(
            reader_pb2.DESCRIPTOR.services_by_name["ReaderService"],
            reader_pb2_grpc.add_ReaderServiceServicer_to_server,
            readers,
            reader_service.ALLOW,
        )
        .add(
            verification_pb2.DESCRIPTOR.services_by_name["VerificationService"],
            verification_pb2_grpc.add_VerificationServiceServicer_to_server,
            verification,
            verification_service.ALLOW,
        )
        .add(
            journal_pb2.DESCRIPTOR.services_by_name["JournalService"],
            journal_pb2_grpc.add_JournalServiceServicer_to_server,
            journal_service.JournalService(database, store, journal, clock),
            journal_service.ALLOW,
        )
        .add(
            production_pb2.DESCRIPTOR.services_by_name["ProductionService"],
            production_pb2_grpc.add_ProductionServiceServicer_to_server,
            ProductionService(database, store, desk, floor, clock, bell, settings.card_attempts),
            production_service.ALLOW,
        )
        .add(
            reconciliation_pb2.DESCRIPTOR.services_by_name["ReconciliationService"],
            reconciliation_pb2_grpc.add_ReconciliationServiceServicer_to_server,
            reconciliation_service.ReconciliationService(
                database,
                clock,
                dt.timedelta(seconds=settings.station_lease_seconds + settings.card_wait_seconds),
            ),
            reconciliation_service.ALLOW,
        )
        .background("readers", watcher.run)
        .background("station", station.run)
        .background("custodian", Custodian(jobs, *neighbours, bell, poll_seconds=settings.poll_seconds).run)
        .background("retention", Retention(printer, jobs.is_over).run)
        .on_start(prepare)
        .on_close(alone.release)
        .on_close(issuer.close)
        .on_close(pcsc.SYSTEM.close)
        .on_close(database.dispose)
    )


def _inspector(settings: Settings, issuer: Issuer, profile: profiles.Profile) -> Inspector:
    """Reads cards of our own profile and of all that are shipped."""
    others = (profiles.find(name) for name in profiles.shipped() if name != profile.name)
    return Inspector(
        [profile, *others],
        issuer.trust,
        issuer.authorities.signers,
        issuer.reader_keys,
        wait_seconds=LOOK_SECONDS,
        apdu_seconds=settings.apdu_seconds,
    )


def _printer(settings: Settings, keys: KeyRing, stopping: threading.Event) -> CardPrinter:
    if settings.printer:
        # Imported late: only who prints by CUPS needs its library.
        from services.cardperso.printing.cups_printer import CupsPrinter

        return CupsPrinter(
            settings.printer,
            settings.print_server,
            settings.data_dir / "sent",
            dpi=settings.print_dpi,
            seconds=settings.print_seconds,
            stop=stopping,
        )
    if not settings.spool:
        return NoPrinter()
    return SpoolPrinter(Path(settings.spool), settings.print_dpi, None if settings.spool_plain else keys)


def _prepare(issuer: Issuer) -> None:
    """See to the keys. A token that is away does not keep the service from starting: jobs wait and say so.

    Raises:
        ConfigurationError: passphrase or PIN is wrong, or keys are missing.
    """
    try:
        issuer.prepare()
    except KeystoreUnavailable as error:
        _log.warning("keystore_unavailable", detail=error.message)
    except (KeystoreLocked, KeystoreDamaged) as error:
        raise ConfigurationError(f"{error.message} {error.remedy}") from None
