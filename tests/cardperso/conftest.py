"""Real pcscd and vpcd with virtual cards, and holders to put on them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from tunggal.cardperso.v1 import cardperso_pb2_grpc

from services.cardperso.app import build
from services.cardperso.holder import Holder
from services.cardperso.jobs import Jobs
from services.cardperso.journal import Journal
from services.cardperso.settings import Settings
from services.cardperso.store import Store
from services.common.bell import Bell
from services.common.client import channel
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.common.db import Database
from sim.card import MAX_READERS, PcscMissingError, ReaderBank, VirtualCard, VirtualReader
from sim.card.globalplatform import VirtualGlobalPlatformCard
from tests.cardperso.card_bench import Bench
from tests.cardperso.card_makers import eventually, make_holder, make_issuer, present
from tests.cardperso.card_neighbours import Neighbours
from tests.cardperso.card_station import Station, new_id
from tests.conftest import NewDatabase


@pytest.fixture(scope="session")
def pcsc() -> None:
    """Skips where virtual readers cannot be had. Where they can, a pcscd that does not start is a failure."""
    try:
        ReaderBank().stop()
    except PcscMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def bank(pcsc: None) -> Iterator[ReaderBank]:
    """Virtual readers; libpcsclite remembers the first socket it is told, so one bank serves all tests of a
    process.
    """
    bank = ReaderBank(MAX_READERS).start()
    before = os.environ.get("PCSCLITE_CSOCK_NAME")
    os.environ.update(bank.environment)
    yield bank
    bank.stop()
    if before is None:
        del os.environ["PCSCLITE_CSOCK_NAME"]
    else:
        os.environ["PCSCLITE_CSOCK_NAME"] = before


@pytest.fixture(scope="session")
def places(bank: ReaderBank) -> Iterator[VirtualReader]:
    """One reader after the other, round and round: pcscd takes a moment to see that a card was taken away."""
    return cycle(bank.readers)


@pytest.fixture
def reader(places: Iterator[VirtualReader]) -> VirtualReader:
    """A reader without a card."""
    return _empty(places)


@pytest.fixture
def other_reader(places: Iterator[VirtualReader], reader: VirtualReader) -> VirtualReader:
    """Another reader without a card."""
    return _empty(places)


def _empty(places: Iterator[VirtualReader]) -> VirtualReader:
    reader = next(places)
    eventually(lambda: not present(reader.name))
    return reader


@pytest.fixture
def schema() -> str:
    """Databases are those of card personalization."""
    return "services.cardperso"


@pytest.fixture
def bench(
    tmp_path: Path, clock: FixedClock, reader: VirtualReader, new_database: NewDatabase
) -> Iterator[Bench]:
    database = Database(new_database("sqlite"))
    keys = KeyRing.load(tmp_path / "keys.json")
    store = Store(keys)
    jobs = Jobs(database, store, clock, Bell())
    world = Neighbours(
        [make_holder(), replace(make_holder(), record_id=str(uuid.uuid4()), nik="3216011203880001")]
    )
    issuer = make_issuer(tmp_path, clock)
    sessions = Journal(database, tmp_path / "journal", clock, keys)
    sessions.recover()
    yield Bench(database, store, jobs, clock, reader.name, world, issuer, sessions)
    database.dispose()


MakeCard = Callable[..., VirtualCard]


@pytest.fixture
def database() -> str:
    """The kind of database; most of these tests have nothing to do with it."""
    return "sqlite"


@pytest.fixture
def settings(tmp_path: Path, tls_dir: Path, database: str, new_database: NewDatabase) -> Settings:
    return Settings(
        listen="127.0.0.1:0",
        health_listen="",
        metrics_listen="",
        data_dir=tmp_path,
        database_url=new_database(database),
        tls_dir=tls_dir,
        station="here",
        card_wait_seconds=60,
        drain_seconds=5,
    )


@pytest.fixture
def station(
    settings: Settings, clock: FixedClock, bank: ReaderBank, reader: VirtualReader
) -> Iterator[Station]:
    world = Neighbours([replace(make_holder(), record_id=new_id()) for _ in range(4)])
    server = build(settings, clock, world.enroll, world.inventory).build().start()
    connection = channel(f"127.0.0.1:{server.port}", settings.tls_dir, "operator-cli", server="cardperso")
    yield Station(server, settings, cardperso_pb2_grpc.CardPersoServiceStub(connection), world, bank, reader)
    connection.close()
    server.stop(grace=2)


MakeBlank = Callable[..., VirtualGlobalPlatformCard]


@pytest.fixture
def make_blank(reader: VirtualReader, tmp_path: Path) -> Iterator[MakeBlank]:
    """Makes GlobalPlatform cards with the public test keys for the reader; `insert` lays them on it."""
    made: list[VirtualGlobalPlatformCard] = []

    def make(name: str = "card", **options: object) -> VirtualGlobalPlatformCard:
        card = VirtualGlobalPlatformCard(tmp_path / name, reader.port, **options)  # type: ignore[arg-type]
        made.append(card)
        return card

    yield make
    for card in made:
        card.close()


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keystore opens at once: the passphrases of tests need no protection."""
    monkeypatch.setattr("services.cardperso.keys.filestore.SCRYPT_N", 2)


@pytest.fixture
def make_card(reader: VirtualReader, tmp_path: Path) -> Iterator[MakeCard]:
    """Makes virtual cards for the reader; `insert` lays them on it. All are taken away at the end."""
    made: list[VirtualCard] = []

    def make(name: str = "card", **options: object) -> VirtualCard:
        card = VirtualCard(tmp_path / name, reader.port, **options)  # type: ignore[arg-type]
        made.append(card)
        return card

    yield make
    for card in made:
        card.close()


@pytest.fixture
def holder() -> Holder:
    """A person with everything that a card needs."""
    return make_holder()
