"""Synthetic fingers, and an ABIS served for real over mTLS on each database."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.abis.fingerprint.extract import extract_pixels
from services.abis.fingerprint.template import Template
from services.abis.kernels import U8
from services.common.db import Database
from sim.fingerprints import Level, impression, master
from tests.abis.abis_office import Office

PEOPLE = 6


def png(pixels: U8) -> bytes:
    """Grey values as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="session")
def prints() -> list[list[U8]]:
    """Two prints of the right index finger of each of six people, as grey values."""
    fingers = [master(9000 + person, 2, None) for person in range(PEOPLE)]
    return [[np.array(impression(finger, touch, Level.EASY)) for touch in (1, 2)] for finger in fingers]


@pytest.fixture(scope="session")
def images(prints: list[list[U8]]) -> list[list[bytes]]:
    """The same prints as PNG files."""
    return [[png(touch) for touch in person] for person in prints]


@pytest.fixture(scope="session")
def templates(prints: list[list[U8]]) -> list[list[Template]]:
    """Templates of the same prints."""
    return [[extract_pixels(touch) for touch in person] for person in prints]


@pytest.fixture
def schema() -> str:
    """Databases are those of the ABIS."""
    return "services.abis"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with nobody in it."""
    made = Database(database_url)
    yield made
    made.dispose()


@pytest.fixture
def start(database_url: str, tmp_path: Path, tls_dir: Path) -> Iterator[Callable[[], Office]]:
    """Starts replicas of the ABIS on one database; they are stopped after the test."""
    running: list[Office] = []

    def go() -> Office:
        running.append(Office(database_url, tmp_path, tls_dir))
        return running[-1]

    yield go
    for office in running:
        office.stop()


@pytest.fixture
def office(start: Callable[[], Office]) -> Office:
    """One replica."""
    return start()
