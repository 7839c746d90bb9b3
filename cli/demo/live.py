"""The day itself, stage by stage, from an empty directory to the facts that it is judged by."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

from cryptography import x509
from tunggal.abis.v1.abis_pb2_grpc import AbisServiceStub
from tunggal.cardperso.v1.cardperso_pb2_grpc import CardPersoServiceStub
from tunggal.cardperso.v1.journal_pb2_grpc import JournalServiceStub
from tunggal.cardperso.v1.production_pb2_grpc import ProductionServiceStub
from tunggal.enroll.v1.enroll_pb2_grpc import EnrollServiceStub
from tunggal.inventory.v1.contracts_pb2_grpc import ContractServiceStub
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub

from cli.demo import counter, supply
from cli.demo.calls import Stopwatch
from cli.demo.checks import MADE
from cli.demo.chip import inspect_chip
from cli.demo.console import Screen
from cli.demo.journal import read_journal
from cli.demo.licences import license_abis
from cli.demo.outcome import UNIQUE
from cli.demo.pair import compare_record, matched_pair
from cli.demo.result import DayResult, Faces
from cli.demo.station import Station
from cli.demo.steps import REGION, REGION_NAME, RequestIds, Services
from cli.demo.suite import Suite
from cli.options import connect
from services.common.errors import FailedPrecondition
from sim.card import PcscMissingError, ReaderBank
from sim.demo.day import Day
from sim.demo.feeder import CardFeeder

WIB = timezone(timedelta(hours=7), "WIB")
"""Local time of the regency."""

MakeDay = Callable[[Callable[[str], None]], Day]
"""Makes the images of the day and tells the name of each visitor as it goes."""


def live(
    home: Path,
    make_day: MakeDay,
    visits: int,
    *,
    seed: int,
    source: str,
    supervise: bool,
    database: str | None,
    screen: Screen,
) -> DayResult:
    """Live the day in the empty directory `home`.

    Args:
        home: everything of this day.
        make_day: the images.
        visits: how many submissions that will be, for the progress bar.
        seed: of all request ids and chip UIDs.
        source: where real fingerprints come from; empty for synthetic ones.
        supervise: start services again that die.
        database: URL of the services' databases with {service} in it; None for SQLite files in `home`.
        screen: what the visitor sees.
    """
    ids = RequestIds(seed)
    stopwatch = Stopwatch()
    started = datetime.now(WIB)
    screen.begin("start")
    screen.stage("Services: pcscd, inventory, abis, enroll, cardperso", 5)
    with _readers(home) as bank, _suite(home, bank, supervise, database, screen) as suite:
        screen.advance("pcscd with a virtual reader")
        for service in suite.restarts:
            with _patience(service, screen):
                suite.wait_ready(service)
            screen.advance(f"{service} at {suite.endpoint(service)}")
        with _services(suite, stopwatch) as services:
            screen.begin("people")
            screen.stage("People: fingers, faces, signatures", visits)
            day = make_day(screen.advance)

            screen.begin("licences")
            screen.stage("Contracts of the ABIS: licence, maintenance", 2)
            license_abis(services.contracts, ids, started.date(), screen)

            screen.begin("stock")
            supplied = supply.supply(services.inventory, services.contracts, ids, day.people, screen)

            screen.begin("enrol")
            outcomes = counter.submit(services.enroll, ids, day, screen)
            by_key = {submission.key: submission for submission in day.submissions}
            submissions = {outcome.record_id: by_key[outcome.key] for outcome in outcomes}

            screen.begin("deduplicate")
            outcomes = counter.follow(services.enroll, outcomes, screen)

            screen.begin("cards")
            feeder = CardFeeder(bank.readers[0].port, home / "cards", seed)
            anchor = x509.load_pem_x509_certificate(suite.anchor.read_bytes())
            compare = partial(compare_record, services.abis)
            inspect = partial(inspect_chip, compare=compare, anchor=anchor)
            station = Station(services, ids, bank.readers[0].name, feeder, inspect, submissions)
            production = station.serve_queue(sum(o.status == UNIQUE for o in outcomes), screen)

            screen.begin("reconcile")
            screen.stage("Reconciliation: stock, custody, journal, records", 5)
            stock = supply.take_stock(services.inventory, supplied)
            screen.advance("stock")
            made = [card for card in production.cards if card.state in MADE]
            bound = supply.bindings(services.inventory, [card.serial for card in made])
            screen.advance("custody of every blank used")
            spoiled = [card.serial for card in production.cards if card.state == "SPOILED" and card.serial]
            custody = supply.custody(services.inventory, spoiled[0]) if spoiled else ()
            told = read_journal(services.journal, production.cards)
            screen.advance("journal of every command to every card")
            final = counter.statuses(services.enroll, outcomes)
            screen.advance("records")
            matched = matched_pair(services.abis, outcomes, submissions)
            screen.advance("a duplicate to look at")
            _keep_faces(home / "faces", production.faces)
            screen.finish()
    return DayResult(
        region=REGION,
        region_name=REGION_NAME,
        seed=seed,
        fingerprints=source,
        started=f"{started:%-d %B %Y, %H:%M} WIB",
        machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        people=day.people,
        outcomes=tuple(outcomes),
        cards=production.cards,
        bindings=bound,
        journal=told,
        final_status=final,
        stock=stock,
        spoiled_custody=custody,
        matched=matched,
        faces=production.faces,
        seconds=dict(screen.seconds),
        rpc=stopwatch.summary(),
        restarts=suite.restarts,
    )


@contextlib.contextmanager
def _patience(service: str, screen: Screen) -> Iterator[None]:
    """Say why it takes so long where it does: kernels are compiled at the first start on a machine."""
    timer = threading.Timer(
        10, screen.say, [f"{service} is not ready yet; a first start compiles kernels, which takes a minute"]
    )
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def _readers(home: Path) -> Iterator[ReaderBank]:
    try:
        bank = ReaderBank(1)
        bank.start()
    except PcscMissingError as error:
        raise FailedPrecondition(
            "PCSC_MISSING", str(error), remedy="'make setup' installs what is needed."
        ) from error
    try:
        yield bank
    finally:
        with contextlib.suppress(OSError):
            (home / "logs").mkdir(exist_ok=True)
            (home / "logs" / "pcscd.log").write_bytes(bank.log.read_bytes())
        bank.stop()


@contextlib.contextmanager
def _suite(
    home: Path, bank: ReaderBank, supervise: bool, database: str | None, screen: Screen
) -> Iterator[Suite]:
    # The day's faulty blank never comes back to be finished: its job need not wait long for it.
    environment = {**bank.environment, "TUNGGAL_RESUME_WAIT_SECONDS": "3"}
    suite = Suite(home, supervise=supervise, environment=environment, say=screen.say, database=database)
    try:
        yield suite.start()
    finally:
        suite.stop()


@contextlib.contextmanager
def _services(suite: Suite, stopwatch: Stopwatch) -> Iterator[Services]:
    with contextlib.ExitStack() as channels:
        inventory, abis, enroll, cardperso = (
            stopwatch.watch(channels.enter_context(connect(name, suite.endpoint(name), suite.tls_dir)))
            for name in ("inventory", "abis", "enroll", "cardperso")
        )
        yield Services(
            InventoryServiceStub(inventory),
            ContractServiceStub(inventory),
            AbisServiceStub(abis),
            EnrollServiceStub(enroll),
            CardPersoServiceStub(cardperso),
            ProductionServiceStub(cardperso),
            JournalServiceStub(cardperso),
        )


def _keep_faces(directory: Path, faces: tuple[Faces, ...]) -> None:
    directory.mkdir(exist_ok=True)
    for face in faces:
        (directory / f"{face.serial}-front.png").write_bytes(face.front)
        (directory / f"{face.serial}-back.png").write_bytes(face.back)
