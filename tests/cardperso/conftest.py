"""Real pcscd and vpcd with virtual cards, and holders to put on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest

from services.cardperso.holder import Holder
from sim.card import MAX_READERS, PcscMissingError, ReaderBank, VirtualCard, VirtualReader
from sim.card.globalplatform import VirtualGlobalPlatformCard
from tests.cardperso.card_makers import eventually, make_holder, present


@pytest.fixture(scope="session")
def bank() -> Iterator[ReaderBank]:
    """Virtual readers; libpcsclite remembers the first socket it is told, so one bank serves all
    tests.
    """
    try:
        bank = ReaderBank(MAX_READERS).start()
    except PcscMissingError as missing:
        pytest.skip(str(missing))
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


MakeCard = Callable[..., VirtualCard]


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
