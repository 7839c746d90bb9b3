"""The ABIS tells the inventory how many people it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tunggal.inventory.v1 import contracts_pb2, contracts_pb2_grpc

from services.abis.usage import UseReporter
from services.common.client import channel
from services.common.errors import Unavailable
from services.inventory.app import build
from services.inventory.settings import Settings


@pytest.fixture
def inventory(tmp_path: Path, tls_dir: Path) -> Iterator[str]:
    settings = Settings(
        listen="127.0.0.1:0", health_listen="", metrics_listen="", data_dir=tmp_path, tls_dir=tls_dir
    )
    server = build(settings).build().start()
    yield f"127.0.0.1:{server.port}"
    server.stop(grace=0)


def test_the_inventory_knows_how_many_people_the_abis_has(inventory: str, tls_dir: Path) -> None:
    with channel(inventory, tls_dir, "abis", server="inventory") as connection:
        assert UseReporter(lambda: 172_046_898, connection).report() == 172_046_898
        stub = contracts_pb2_grpc.ContractServiceStub(connection)
        found = stub.GetEntitlement(contracts_pb2.GetEntitlementRequest()).entitlement
    assert found.people == 172_046_898
    assert found.HasField("people_time")


def test_an_inventory_that_is_away_is_told_later(tls_dir: Path) -> None:
    with (
        channel("127.0.0.1:9", tls_dir, "abis", server="inventory") as connection,
        pytest.raises(Unavailable),
    ):
        UseReporter(lambda: 1, connection).report()
