"""Licence and maintenance end, or are used up: the ABIS stops searching, says why, and goes on afterwards."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from services.abis.entitlement import AGAIN, FRESH, STALE, Entitlement, Gate, InventorySource
from services.common import audit
from services.common.client import channel
from services.common.clock import FixedClock
from services.common.db import Database
from services.common.errors import ResourceExhausted, TunggalError, Unavailable
from services.inventory.app import build as build_inventory
from services.inventory.settings import Settings as InventorySettings

OPEN = Entitlement(True, 0, 0, date(2026, 12, 31), "Licensed and maintained until 2026-12-31.")
ENDED = Entitlement(False, 0, 0, None, "The last maintenance contract ended on 2015-12-31, and none follows.")


class Contracts:
    """Stands for the inventory: says what the test sets, or is away."""

    def __init__(self) -> None:
        self.says: Entitlement | None = OPEN
        self.asked = 0

    def entitlement(self) -> Entitlement:
        self.asked += 1
        if self.says is None:
            raise Unavailable("UNREACHABLE", "no inventory there", remedy="start it")
        return self.says


@pytest.fixture
def contracts() -> Contracts:
    return Contracts()


@pytest.fixture
def gate(contracts: Contracts, database: Database, clock: FixedClock) -> Gate:
    return Gate(contracts, database, clock)


def shut(gate: Gate, people: int = 0) -> TunggalError:
    with pytest.raises(TunggalError) as error:
        gate.require(people)
    assert error.value.remedy
    return error.value


def test_the_gate_is_open_while_licence_and_maintenance_are_in_force(
    gate: Gate, contracts: Contracts
) -> None:
    for _ in range(100):
        gate.require(1_000_000)
    assert contracts.asked == 1


def test_the_end_of_the_support_contract_shuts_it_and_its_renewal_opens_it(
    gate: Gate, contracts: Contracts, clock: FixedClock
) -> None:
    """Enroll reads RESOURCE_EXHAUSTED as a gate: everybody waits in order, with this reason."""
    contracts.says = ENDED
    error = shut(gate)
    assert isinstance(error, ResourceExhausted)
    assert error.reason == "ABIS_NOT_ENTITLED"
    assert error.message == ENDED.reason
    contracts.says = OPEN
    clock.advance(FRESH)
    gate.require(0)


def test_nobody_is_searched_for_beyond_the_people_of_the_licence(gate: Gate, contracts: Contracts) -> None:
    contracts.says = OPEN._replace(max_people=172_046_898)
    gate.require(172_046_897)
    assert shut(gate, 172_046_898).reason == "PEOPLE_CEILING_REACHED"


def test_searches_of_all_replicas_count_until_midnight_in_jakarta(
    gate: Gate, contracts: Contracts, database: Database, clock: FixedClock
) -> None:
    contracts.says = OPEN._replace(max_searches_per_day=3)

    def searched() -> None:
        with database.transaction() as connection:
            for action in ("Deduplicate", "DeleteSubject"):
                audit.append(
                    connection,
                    actor="service/enroll",
                    action=action,
                    resource="subjects/a",
                    reason="",
                    digest=bytes(32),
                    at=clock.now(),
                )

    searched()
    clock.advance(timedelta(days=1))
    for _ in range(3):
        gate.require(0)
        searched()
    assert shut(gate).reason == "SEARCH_CEILING_REACHED"
    clock.advance(timedelta(hours=15, minutes=29))
    assert shut(gate).reason == "SEARCH_CEILING_REACHED"
    clock.advance(timedelta(minutes=1))  # 00:00 in Jakarta
    gate.require(0)


def test_a_restart_of_the_inventory_stops_nobody_but_a_long_silence_does(
    gate: Gate, contracts: Contracts, clock: FixedClock
) -> None:
    gate.require(0)
    contracts.says = None
    clock.advance(STALE - timedelta(seconds=1))
    gate.require(0)
    clock.advance(timedelta(seconds=1))
    assert shut(gate).reason == "ENTITLEMENT_UNKNOWN"
    contracts.says = OPEN
    clock.advance(AGAIN)
    gate.require(0)


def test_silence_does_not_outlast_the_contract(gate: Gate, contracts: Contracts, clock: FixedClock) -> None:
    clock.advance(timedelta(hours=15))  # 23:30 in Jakarta
    contracts.says = OPEN._replace(until=date(2026, 3, 2))
    gate.require(0)
    contracts.says = None
    clock.advance(timedelta(minutes=30))
    assert shut(gate).reason == "ABIS_NOT_ENTITLED"


def test_an_inventory_that_never_answered_lets_nobody_in(gate: Gate, contracts: Contracts) -> None:
    contracts.says = None
    assert isinstance(shut(gate), Unavailable)


def test_the_answer_of_a_real_inventory_is_understood(tmp_path: Path, tls_dir: Path) -> None:
    settings = InventorySettings(
        listen="127.0.0.1:0", health_listen="", metrics_listen="", data_dir=tmp_path, tls_dir=tls_dir
    )
    inventory = build_inventory(settings).build().start()
    try:
        with channel(f"127.0.0.1:{inventory.port}", tls_dir, "abis", server="inventory") as to_inventory:
            found = InventorySource(to_inventory).entitlement()
    finally:
        inventory.stop()
    assert not found.allowed
    assert found.until is None
    assert found.reason.startswith("No ABIS licence is in force")
