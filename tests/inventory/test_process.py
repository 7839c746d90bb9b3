"""The inventory as a process: it starts with nothing set, drains on SIGTERM and survives SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2_grpc, ledger_pb2, ledger_pb2_grpc, stock_pb2

from services.common import client
from services.common.clock import FixedClock
from services.common.errors import remote_error
from tests.inventory.inventory_office import CENTRE, CONTRACT, Office, new_id
from tests.inventory.signed_elsewhere import take_over

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[[], tuple["subprocess.Popen[str]", int]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the service in an empty directory, with no setting but free ports; returns it and its port."""
    running: list[subprocess.Popen[str]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNGGAL_")}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'protos'}"
    for name in ("LISTEN", "HEALTH_LISTEN", "METRICS_LISTEN"):
        environment[f"TUNGGAL_{name}"] = "127.0.0.1:0"

    def go() -> tuple[subprocess.Popen[str], int]:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.inventory"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            if '"ready"' in line:
                return process, int(json.loads(line)["port"])
        raise AssertionError(f"the service ended with {process.wait()}")

    yield go
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def stub(port: int, tls_dir: Path) -> tuple[grpc.Channel, Any]:
    channel = client.channel(f"localhost:{port}", tls_dir, "operator-cli")
    return channel, inventory_pb2_grpc.InventoryServiceStub(channel)


def fill(channel: grpc.Channel, inventory: Any, blanks: int) -> None:
    take_over(channel, CONTRACT, blanks)
    inventory.ReceiveLot(
        pb.ReceiveLotRequest(
            request_id=new_id(),
            contract_id=CONTRACT,
            delivery_note="SJ-1",
            serials=stock_pb2.SerialRange(first=1, last=blanks),
        )
    )


def test_it_starts_with_nothing_set_and_drains_on_sigterm(start: Start, tmp_path: Path) -> None:
    process, port = start()
    channel, inventory = stub(port, tmp_path / "var" / "tls")
    with channel:
        fill(channel, inventory, 100)
        assert inventory.GetStock(pb.GetStockRequest()).total.on_hand == 100
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert (tmp_path / "var" / "inventory" / "tunggal.db").is_file()


def test_what_was_answered_before_a_kill_is_there_after_it(
    start: Start, tmp_path: Path, clock: FixedClock, as_operator: None
) -> None:
    process, port = start()
    tls_dir = tmp_path / "var" / "tls"
    channel, inventory = stub(port, tls_dir)
    with channel:
        fill(channel, inventory, 5000)
        answered: dict[str, pb.ReserveBlankResponse] = {}
        sent: list[pb.ReserveBlankRequest] = []
        enough = Event()

        def reserve_until_it_dies() -> None:
            while True:
                request = pb.ReserveBlankRequest(request_id=new_id(), location=CENTRE, purpose="job")
                sent.append(request)
                try:
                    answered[request.request_id] = inventory.ReserveBlank(request)
                except grpc.RpcError:
                    return
                if len(answered) > 50:
                    enough.set()

        with ThreadPoolExecutor(4) as pool:
            clients = [pool.submit(reserve_until_it_dies) for _ in range(4)]
            assert enough.wait(timeout=60)
            process.send_signal(signal.SIGKILL)
            for done in clients:
                done.result(timeout=60)

    _, port = start()
    channel, inventory = stub(port, tls_dir)
    with channel:
        again = {request.request_id: inventory.ReserveBlank(request) for request in sent}
        total = inventory.GetStock(pb.GetStockRequest()).total
    assert {request_id: again[request_id] for request_id in answered} == answered
    assert sorted(answer.blank.serial for answer in again.values()) == list(range(1, len(sent) + 1))
    assert (total.reserved, total.on_hand) == (len(sent), 5000 - len(sent))
    office = Office(f"sqlite:///{tmp_path}/var/inventory/tunggal.db", clock)
    office.check_books()
    office.database.dispose()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_linked_transfers_survive_a_kill_whole_or_not_at_all_and_what_expired_meanwhile_is_void(
    start: Start, tmp_path: Path, clock: FixedClock, as_operator: None
) -> None:
    process, port = start()
    tls_dir = tmp_path / "var" / "tls"
    channel, inventory = stub(port, tls_dir)
    with channel:
        fill(channel, inventory, 100_000)
        ledger = ledger_pb2_grpc.LedgerServiceStub(channel)
        soon = Timestamp()
        soon.FromDatetime(datetime.now(UTC) + timedelta(seconds=20))
        held = ledger_pb2.NewTransfer(
            item="blank",
            quantity=7,
            from_location=CENTRE,
            to_location="33",
            reason="perhaps",
            pending_until=soon,
        )
        opened = ledger.PostTransfers(
            ledger_pb2.PostTransfersRequest(request_id=new_id(), transfers=[held])
        ).transfers[0]
        answered: dict[str, ledger_pb2.PostTransfersResponse] = {}
        sent: list[ledger_pb2.PostTransfersRequest] = []
        enough = Event()

        def post_until_it_dies() -> None:
            while True:
                pair = [
                    ledger_pb2.NewTransfer(
                        item="blank", quantity=n, from_location=CENTRE, to_location=place, reason="together"
                    )
                    for n, place in ((2, "31"), (3, "32"))
                ]
                request = ledger_pb2.PostTransfersRequest(request_id=new_id(), transfers=pair)
                sent.append(request)
                try:
                    answered[request.request_id] = ledger.PostTransfers(request)
                except grpc.RpcError:
                    return
                if len(answered) > 30:
                    enough.set()

        with ThreadPoolExecutor(4) as pool:
            clients = [pool.submit(post_until_it_dies) for _ in range(4)]
            assert enough.wait(timeout=60)
            process.send_signal(signal.SIGKILL)
            for done in clients:
                done.result(timeout=60)

    office = Office(f"sqlite:///{tmp_path}/var/inventory/tunggal.db", clock)
    survived = office.balances(item="blank")
    assert survived["31/blank/on-hand"] % 2 == 0
    assert survived["31/blank/on-hand"] // 2 == survived["32/blank/on-hand"] // 3 >= len(answered)
    office.database.dispose()

    _, port = start()
    channel, _ = stub(port, tls_dir)
    with channel:
        ledger = ledger_pb2_grpc.LedgerServiceStub(channel)
        again = {request.request_id: ledger.PostTransfers(request) for request in sent}
        assert {request_id: again[request_id] for request_id in answered} == answered
        found: dict[str, int] = {}
        until = time.monotonic() + 90
        while time.monotonic() < until:
            levels = ledger.GetBalances(ledger_pb2.GetBalancesRequest(item="blank")).balances
            found = {f"{one.location}/{one.condition}": one.balance for one in levels}
            if "ID/pending" not in found:
                break
            Event().wait(0.2)
        assert (found["31/on-hand"], found["32/on-hand"]) == (2 * len(sent), 3 * len(sent))
        assert found["ID/on-hand"] == 100_000 - 5 * len(sent)
        refused = ledger_pb2.PostPendingRequest(request_id=new_id(), transfer_id=opened.transfer_id)
        with pytest.raises(grpc.RpcError) as error:
            ledger.PostPending(refused)
        assert remote_error(error.value).reason == "PENDING_EXPIRED"
        assert list(ledger.CheckBooks(ledger_pb2.CheckBooksRequest()).findings) == []
