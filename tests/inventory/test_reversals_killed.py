"""A replica dies while people approve reversals: what it had booked is booked, others do the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import grpc
import pytest
import sqlalchemy as sa
from tunggal.inventory.v1 import reversals_pb2 as pb
from tunggal.inventory.v1 import reversals_pb2_grpc

from services.common import client
from services.common.clock import SystemClock
from services.common.errors import TunggalError, Unavailable, remote_error
from services.inventory import tables
from tests.inventory.inventory_office import BEKASI, CENTRE, Office, new_id

ROOT = Path(__file__).resolve().parents[2]
SHIPMENTS = 16
Replica = tuple["subprocess.Popen[str]", int]


@pytest.fixture
def start(tmp_path: Path, tls_dir: Path, database_url: str) -> Iterator[Callable[[], Replica]]:
    """Starts a replica on the test's database; returns it and its port."""
    running: list[subprocess.Popen[str]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNGGAL_")}
    environment |= {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
        "TUNGGAL_DATABASE_URL": database_url,
        "TUNGGAL_TLS_DIR": str(tls_dir),
        "TUNGGAL_DATA_DIR": str(tmp_path),
        **{f"TUNGGAL_{name}": "127.0.0.1:0" for name in ("LISTEN", "HEALTH_LISTEN", "METRICS_LISTEN")},
    }

    def go() -> Replica:
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


@pytest.fixture
def proposed(database_url: str, as_operator: None) -> Iterator[tuple[Office, list[str]]]:
    """Receipts that somebody wants taken back: the ids of the reversals."""
    office = Office(database_url, SystemClock())
    office.sign(1000)
    office.deliver(1, 1000)
    ids = []
    for _ in range(SHIPMENTS):
        allocation_id = office.move(CENTRE, BEKASI, 5).allocation_id
        made = office.do(
            pb.ProposeReversalRequest, allocation_id=allocation_id, reason="wrong box", operator="siti"
        )
        ids.append(made.reversal.reversal_id)
    yield office, ids
    office.database.dispose()


def answer(channel: grpc.Channel, request: pb.ApproveReversalRequest) -> str:
    """``done``, or the reason of the refusal; raises :class:`Unavailable` where nobody answers."""
    try:
        reversals_pb2_grpc.ReversalServiceStub(channel).ApproveReversal(request, timeout=60)
    except grpc.RpcError as error:
        refusal: TunggalError = remote_error(error)
        if isinstance(refusal, Unavailable):
            raise refusal from error
        return refusal.reason
    return "done"


@pytest.mark.slow
def test_two_approvers_and_a_kill_take_each_receipt_back_once(
    proposed: tuple[Office, list[str]], start: Callable[[], Replica], tls_dir: Path
) -> None:
    office, ids = proposed
    with ThreadPoolExecutor(2) as pool:
        (dying, first), (_, second) = pool.map(lambda _: start(), range(2))
    requests = [
        pb.ApproveReversalRequest(request_id=new_id(), reversal_id=reversal_id, operator=operator)
        for reversal_id in ids
        for operator in ("budi", "citra")
    ]
    enough = Event()
    heard: list[str] = []
    with (
        client.channel(f"localhost:{first}", tls_dir, "operator-cli") as one,
        client.channel(f"localhost:{second}", tls_dir, "operator-cli") as other,
    ):

        def approve(request: pb.ApproveReversalRequest) -> str:
            try:
                said = answer(one, request)
            except Unavailable:
                return answer(other, request)
            heard.append(said)
            if len(heard) >= SHIPMENTS // 2:
                enough.set()
            return said

        with ThreadPoolExecutor(4) as pool:
            sent = [pool.submit(approve, request) for request in requests]
            assert enough.wait(timeout=120)
            dying.send_signal(signal.SIGKILL)
            answers = [future.result(timeout=120) for future in sent]
        again = [answer(other, request) for request in requests]

    assert Counter(again) == {"done": SHIPMENTS, "REVERSAL_DECIDED": SHIPMENTS}
    assert all({again[n], again[n + 1]} == {"done", "REVERSAL_DECIDED"} for n in range(0, len(again), 2))
    assert answers == again
    with office.database.read() as connection:
        reverses = tables.transfer.c.reverses
        taken_back = connection.scalars(sa.select(reverses).where(reverses.is_not(None))).all()
    assert len(taken_back) == len(set(taken_back)) == SHIPMENTS
    assert office.level(BEKASI) == {"in_transit": 5 * SHIPMENTS}
    office.check_books()
