"""Postings per second: blanks reserved through gRPC, and by the same code without gRPC, on the same database.

Each client reserves at a regency of its own, as card stations do, and waits for each answer. The server is a
process of its own; the clients are threads of this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast
from uuid import uuid4

import grpc
from prometheus_client import CollectorRegistry
from tunggal.inventory.v1 import inventory_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2_grpc, stock_pb2
from tunggal.inventory.v1.contracts_pb2 import ApproveChangeRequest

from services.common import client
from services.common.clock import SystemClock
from services.common.db import Database
from services.inventory.contracts.service import ContractService
from services.inventory.journal import Journal
from services.inventory.metrics import Transfers
from services.inventory.service import InventoryService

CLIENTS = (1, 4, 16)
_BLANKS = 10_000_000
_ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 60


class Postings(NamedTuple):
    """What one database did, by number of clients."""

    per_second: dict[int, float]
    without_grpc: dict[int, float]
    #: Both measured in turns, so that a machine that slows down slows both.
    share: dict[int, float]


class Local(ContractService, InventoryService):
    """The service's own adapters, called without a network and therefore without a certificate."""

    def call(self, request: Any) -> Any:
        """Book ``request`` as an operator."""
        method = getattr(self, request.DESCRIPTOR.name.removesuffix("Request"))
        return method(request, _NOBODY)

    def _caller(self, context: grpc.ServicerContext) -> str:
        return "operator/bench"


def measure(url: str, directory: Path, seconds: float, rounds: int = 9) -> Postings:
    """Postings per second on the database at ``url`` by number of clients: the median of ``rounds``, each a
    third of ``seconds`` long.

    The share is the median of the rounds' own: each takes both in turns, the other one first in every second
    round, so that a machine whose speed changes from minute to minute weighs on both alike.
    """
    database = Database(url)
    database.migrate("services.inventory")
    local = _local(database)
    _stock(local.call)
    with _served(url, directory) as (stub, _):
        remote, direct, share = {}, {}, {}
        for clients in CLIENTS:
            through: list[float] = []
            without: list[float] = []
            for number in range(rounds):
                turns = [(_remote(stub), through), (local.call, without)]
                for call, rates in turns if number % 2 else reversed(turns):
                    rates.append(_rate(call, clients, seconds / 3))
            remote[clients], direct[clients] = _median(through), _median(without)
            share[clients] = _median([one / other for one, other in zip(through, without, strict=True)])
    database.dispose()
    return Postings(remote, direct, share)


def resident(url: str, directory: Path) -> int:
    """Bytes that the service keeps in memory after it has answered questions about that database."""
    with _served(url, directory) as (stub, process):
        for serial in range(1, 200_000, 10_000):
            stub.GetBlank(pb.GetBlankRequest(serial=serial))
            stub.GetStock(pb.GetStockRequest(location="32"))
        status = Path(f"/proc/{process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024


def _local(database: Database) -> Local:
    clock = SystemClock()
    return Local(database, Journal(database, clock, Transfers(CollectorRegistry())), clock)


def _stock(call: Callable[[Any], Any]) -> None:
    """Blanks for every client's regency."""
    proposed = call(
        pb.CreateContractRequest(
            request_id=str(uuid4()),
            contract_id="BENCH-1",
            supplier="PT Kartu",
            quantity=_BLANKS,
            scan_sha256="00" * 32,
            operator="first",
        )
    )
    call(ApproveChangeRequest(request_id=str(uuid4()), change_id=proposed.change_id, operator="second"))
    call(
        pb.ReceiveLotRequest(
            request_id=str(uuid4()),
            contract_id="BENCH-1",
            delivery_note="SJ-1",
            serials=stock_pb2.SerialRange(first=1, last=_BLANKS),
        )
    )
    for number in range(max(CLIENTS)):
        allocation = call(
            pb.CreateAllocationRequest(
                request_id=str(uuid4()),
                from_location="ID",
                to_location=_place(number),
                quantity=_BLANKS // max(CLIENTS),
                reason="measurement",
            )
        ).allocation
        for step in (pb.DispatchAllocationRequest, pb.ReceiveAllocationRequest):
            call(step(request_id=str(uuid4()), allocation_id=allocation.allocation_id))


def _rate(call: Callable[[Any], Any], clients: int, seconds: float) -> float:
    """Answers per second, from the moment that all clients run to the end of the last call."""
    done = [0] * clients
    ready, stop = threading.Barrier(clients + 1), threading.Event()

    def work(number: int) -> None:
        ready.wait()
        while not stop.is_set():
            call(
                pb.ReserveBlankRequest(
                    request_id=str(uuid4()), location=_place(number), purpose="card-job/measured"
                )
            )
            done[number] += 1

    with ThreadPoolExecutor(clients) as pool:
        working = [pool.submit(work, number) for number in range(clients)]
        ready.wait()
        begun = time.perf_counter()
        stop.wait(seconds)
        stop.set()
        for each in working:
            each.result()
    return sum(done) / (time.perf_counter() - begun)


def _remote(stub: Any) -> Callable[[Any], Any]:
    def call(request: Any) -> Any:
        return getattr(stub, request.DESCRIPTOR.name.removesuffix("Request"))(request)

    return call


@contextmanager
def _served(url: str, directory: Path) -> Iterator[tuple[Any, subprocess.Popen[str]]]:
    """A stub of the service and its process, running on that database."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUNGGAL_")}
    environment |= {
        "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'protos'}",
        "TUNGGAL_DATABASE_URL": url,
        "TUNGGAL_DATA_DIR": str(directory),
        "TUNGGAL_TLS_DIR": str(directory / "tls"),
        "TUNGGAL_LISTEN": "127.0.0.1:0",
        "TUNGGAL_HEALTH_LISTEN": "",
        "TUNGGAL_METRICS_LISTEN": "",
    }
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "service.log"
    # Not a pipe: nobody would read it, and a full one stops the service.
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.inventory"], env=environment, stdout=output, text=True
        )
    try:
        with client.channel(f"127.0.0.1:{_port(process, log)}", directory / "tls", "operator-cli") as channel:
            yield inventory_pb2_grpc.InventoryServiceStub(channel), process
    finally:
        process.kill()
        process.wait(timeout=_START_SECONDS)


def _port(process: subprocess.Popen[str], log: Path) -> int:
    """The port that the service says it has, once it is ready."""
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        for line in log.read_text().splitlines():
            if '"ready"' in line:
                return int(json.loads(line)["port"])
        time.sleep(0.05)
    raise RuntimeError(f"the inventory did not start: {log.read_text()[-500:]}")


def _place(number: int) -> str:
    return f"32.{number + 1:02}"


def _median(figures: list[float]) -> float:
    return sorted(figures)[len(figures) // 2]


_NOBODY = cast(grpc.ServicerContext, None)
