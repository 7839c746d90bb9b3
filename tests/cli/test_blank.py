"""`tunggal blank` and the steps of `tunggal contract`, as two people at a shell use them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tunggal.inventory.v1 import inventory_pb2, stock_pb2
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from typer.testing import CliRunner, Result

from cli.main import app
from cli.options import connect
from tests.inventory.inventory_office import new_id

Run = Callable[..., Result]


@pytest.fixture
def run(endpoint: str, tls_dir: Path) -> Run:
    def run(*arguments: str) -> Result:
        options = ["--inventory", endpoint, "--tls-dir", str(tls_dir)]
        return CliRunner().invoke(app, [*arguments, *options], env={"COLUMNS": "80"})

    return run


def approved(run: Run, proposed: Result) -> Result:
    assert proposed.exit_code == 0, proposed.output
    found = re.search(r"approve ([0-9a-f-]{36})", proposed.output)
    assert found is not None
    step = found.group(1)
    alone = run("contract", "approve", step, "--operator", "SITI")
    assert alone.exit_code == 1
    assert "SECOND_PERSON_NEEDED" in alone.output
    return run("contract", "approve", step, "--operator", "budi")


def test_a_contract_a_lot_and_a_card_there_and_back(
    run: Run, endpoint: str, tls_dir: Path, tmp_path: Path
) -> None:
    scan, notes = tmp_path / "scan.pdf", tmp_path / "notes.csv"
    scan.write_bytes(b"%PDF signed")
    notes.write_text("contract_id,delivery_note,first_serial,last_serial\nKTP-2017-03,SJ-1,1,7000000\n")
    order = ("--supplier", "PT Kartu", "--quantity", "7000000", "--scan", str(scan))
    entered = run("contract", "take-over", "KTP-2017-03", *order, "--operator", "siti")
    assert "7,000,000 outstanding" in approved(run, entered).output
    assert (
        "1 lot with 7,000,000 blanks taken into stock" in run("import", "delivery-notes", str(notes)).output
    )

    with connect("inventory", endpoint, tls_dir) as channel:
        inventory = InventoryServiceStub(channel)
        (lot,) = inventory.ListLots(inventory_pb2.ListLotsRequest()).lots
    typed = ("--reason", "a zero too many", "--operator", "siti")
    back = approved(run, run("contract", "reverse-lot", "KTP-2017-03", lot.lot_id, *typed))
    assert "0 delivered, 7,000,000 outstanding" in back.output
    shown = run("contract", "show", "KTP-2017-03").output
    assert "a zero too many" in shown
    gone = run("blank", "show", "7")
    assert gone.exit_code == 1
    assert "taken back" in gone.output
    again = run("import", "delivery-notes", str(notes), "--again")
    assert again.exit_code == 0, again.output

    with connect("inventory", endpoint, tls_dir) as channel:
        inventory = InventoryServiceStub(channel)
        held = inventory.ReserveBlank(
            inventory_pb2.ReserveBlankRequest(request_id=new_id(), location="ID", purpose="card-job")
        ).blank
        inventory.ConsumeBlank(
            inventory_pb2.ConsumeBlankRequest(
                request_id=new_id(), reservation_id=held.reservation_id, chip_uid="04A1B2C3"
            )
        )
    withdraw = ("blank", "withdraw", "--at", "32.16", "--chip", "04a1b2c3", "--cause", "deceased")
    assert run(*withdraw, "--operator", "siti").exit_code == 0
    twice = run(*withdraw, "--operator", "siti")
    assert twice.exit_code == 1
    assert "came back before" in twice.output
    found = json.loads(run("blank", "show", "1", "--json").output)
    assert found["blank"]["serial"] == 1
    assert found["blank"]["state"] == stock_pb2.BlankState.Name(stock_pb2.BLANK_STATE_WITHDRAWN)
    assert [step["kind"] for step in found["custody"]][-1] == "card.withdrawn"
    listed = run("blank", "withdrawn", "32").output
    assert "deceased" in listed
    assert "withdrawn" in listed
