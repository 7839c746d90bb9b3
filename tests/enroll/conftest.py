"""Enrolment on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.common import logs
from services.common.clock import FixedClock
from services.common.crypto import KeyRing
from services.enroll.settings import Settings
from tests.enroll.enroll_office import Office


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    """Logs as in production: structlog's own tracebacks, with every local variable drawn, take seconds."""
    logs.configure(Settings())


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
