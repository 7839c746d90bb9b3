"""The ABIS put together: database, keys, gallery, adapter and allow-list."""

from __future__ import annotations

from tunggal.abis.v1 import abis_pb2, abis_pb2_grpc

from services.abis.calibration import Calibration, engine
from services.abis.deduplicate import Deduplication
from services.abis.drift import Drift
from services.abis.entitlement import Gate, InventorySource, LicensedDeduplication
from services.abis.fingerprint import enhance
from services.abis.fusion import Thresholds
from services.abis.gallery import Gallery
from services.abis.gauges import GalleryGauges
from services.abis.identify import Identification
from services.abis.references import References
from services.abis.samples import Reader
from services.abis.search.index import SearchIndex
from services.abis.service import ALLOW, AbisService
from services.abis.settings import Settings
from services.abis.store import Store
from services.abis.thresholds import Policy
from services.abis.usage import UseReporter
from services.common import logs
from services.common.clock import Clock, SystemClock
from services.common.crypto import KeyRing
from services.common.db import Database
from services.common.server import ServerBuilder

_log = logs.get_logger()


def build(settings: Settings, clock: Clock | None = None) -> ServerBuilder:
    """A builder of the ABIS's server; at its start the database is migrated and the gallery brought level.

    Kernels are compiled by then: their signatures are explicit, so importing them is enough.
    """
    clock = clock or SystemClock()
    database = Database(settings.database_url)
    keys = KeyRing.load(settings.key_file)
    store = Store(keys)
    references = References(database, store)
    index = SearchIndex(
        settings.data_dir / "search",
        keys,
        threads=settings.search_threads,
        words=settings.abis_index == "words",
    )
    gallery = Gallery(index, references)
    reader = Reader(settings.search_threads)
    identification = Identification(database, store, gallery, references)
    calibration = Calibration.load(settings.calibration_file)
    if calibration.engine != engine():
        _log.warning("calibration_of_another_engine", made_for=calibration.engine, engine=engine())
    least = Thresholds(settings.adjudicate_threshold, settings.duplicate_threshold)
    policy = Policy(calibration, least, settings.duplicate_fpir, settings.adjudicate_fpir)
    deduplication = Deduplication(identification, store, policy)
    builder = ServerBuilder(settings, clock)
    if settings.inventory_endpoint:
        to_inventory = builder.peer("inventory", settings.inventory_endpoint)
        gate = Gate(InventorySource(to_inventory), database, clock)
        deduplication = LicensedDeduplication(identification, store, policy, gate)
        builder.background("report-use", UseReporter(identification.persons, to_inventory).run)
    builder.registry.register(GalleryGauges(gallery, store))
    service = AbisService(
        database,
        store,
        identification,
        deduplication,
        reader,
        Drift(calibration, builder.registry),
        settings.verify_threshold,
        clock,
    )

    def start() -> None:
        database.migrate("services.abis")
        enhance.bank()
        gallery.restore()
        identification.start()

    return (
        builder.add(
            abis_pb2.DESCRIPTOR.services_by_name["AbisService"],
            abis_pb2_grpc.add_AbisServiceServicer_to_server,
            service,
            ALLOW,
        )
        .on_start(start)
        .background("seal-search-index", identification.keep_written)
        .on_close(database.dispose)
        .on_close(gallery.close)
        .on_close(reader.close)
    )
