"""An office of the inventory on each database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from services.common.clock import FixedClock
from services.inventory import adapter
from tests.inventory.inventory_office import Office

if TYPE_CHECKING:
    pass


@pytest.fixture
def schema() -> str:
    """Databases are those of the inventory."""
    return "services.inventory"


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
