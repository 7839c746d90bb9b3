"""An office of the inventory on each database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.common.clock import FixedClock
from services.inventory import adapter
from tests.inventory.inventory_office import Office


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
