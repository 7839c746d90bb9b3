"""`tunggal books` shows balances of any moment and says whether the books are sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import inventory_pb2, inventory_pb2_grpc, stock_pb2
from typer.testing import CliRunner, Result

from cli.main import app
from cli.options import connect
from services.common.db import Database
from services.inventory import tables
from tests.inventory.signed_elsewhere import take_over


@pytest.fixture
def books(endpoint: str, tls_dir: Path) -> Callable[..., Result]:
    """Runs the command against an inventory with 100 blanks at the centre."""
    with connect("inventory", endpoint, tls_dir) as channel:
        stub = inventory_pb2_grpc.InventoryServiceStub(channel)
        take_over(channel, "KTP-2017-03", 100)
        stub.ReceiveLot(
            inventory_pb2.ReceiveLotRequest(
                request_id=str(uuid4()),
                contract_id="KTP-2017-03",
                delivery_note="SJ-1",
                serials=stock_pb2.SerialRange(first=1, last=100),
            )
        )

    def run(*arguments: str) -> Result:
        options = ["--inventory", endpoint, "--tls-dir", str(tls_dir)]
        return CliRunner().invoke(app, ["books", *arguments, *options], env={"COLUMNS": "100"})

    return run


def test_balances_are_shown_for_now_and_for_a_past_moment(books: Callable[..., Result]) -> None:
    now = books("ID", "--json")
    assert now.exit_code == 0
    on_hand = {"location": "ID", "item": "blank", "condition": "on-hand", "balance": 100}
    assert on_hand in json.loads(now.output)
    assert "on-hand" in books().output
    assert json.loads(books("--at", "2017-03-31T00:00:00", "--json").output) == []
    assert on_hand in json.loads(books("--at", datetime.now(UTC).isoformat(), "--json").output)


@pytest.mark.parametrize("as_happened", [(), ("--as-happened",)])
def test_a_moment_to_come_has_no_balances(books: Callable[..., Result], as_happened: tuple[str, ...]) -> None:
    refused = books("--at", f"{datetime.now(UTC).year + 2}-01-01", *as_happened)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: TIME_IN_FUTURE")
    assert "(field at) → Send a moment that is past, or none for now." in refused.stderr


def test_books_that_somebody_changed_are_told_with_exit_code_2(
    books: Callable[..., Result], tmp_path: Path
) -> None:
    assert books("--check").output.strip() == "The books are sound."
    database = Database(f"sqlite:///{tmp_path}/tunggal.db")
    with database.transaction() as connection:
        connection.execute(
            sa.update(tables.account).where(tables.account.c.code == "ID/on-hand").values(balance=99)
        )
    database.dispose()
    found = books("--check", "--json")
    assert found.exit_code == 2
    assert "The trial balance of blank is -1, not 0." in json.loads(found.output)["findings"]
