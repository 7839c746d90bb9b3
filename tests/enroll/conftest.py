"""Enrolment on each database, without its server and with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import logs
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.enroll import app
from services.enroll.settings import Settings
from tests.enroll.enroll_office import MemoryAbis, Office
from tests.enroll.enroll_server import CLOCK, Serve, Served


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    """Logs as in production: structlog's own tracebacks, with every local variable drawn, take seconds."""
    logs.configure(Settings())


@pytest.fixture
def schema() -> str:
    """Databases are those of enrolment."""
    return "services.enroll"


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    """A new key for data at rest."""
    return KeyRing.load(tmp_path / "keys.json")


@pytest.fixture
def office(database_url: str, keys: KeyRing, clock: FixedClock) -> Iterator[Office]:
    """Empty records, once on SQLite and once on PostgreSQL."""
    made = Office(database_url, keys, clock)
    yield made
    made.db.dispose()


@pytest.fixture
def serve(database_url: str, tls_dir: Path, tmp_path: Path) -> Iterator[Serve]:
    """Starts the service, as often as a test likes, and stops it afterwards."""
    running: list[Served] = []

    def start(**changes: object) -> Served:
        values: dict[str, object] = {
            "listen": "127.0.0.1:0",
            "health_listen": "",
            "metrics_listen": "127.0.0.1:0",
            "data_dir": tmp_path,
            "database_url": database_url,
            "tls_dir": tls_dir,
            "key_file": tmp_path / "keys.json",
            "poll_seconds": 0.05,
            "drain_seconds": 5.0,
        }
        settings = Settings(**(values | changes))  # type: ignore[arg-type]
        abis = running[0].abis if running else MemoryAbis()
        served = Served(app.build(settings, CLOCK, abis).build().start(), settings, abis, [])
        running.append(served)
        return served

    yield start
    for served in running:
        for channel in served.channels:
            channel.close()
        served.server.stop(grace=0)
