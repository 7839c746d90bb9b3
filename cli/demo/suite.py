"""The four services as processes: started with mTLS on free ports, watched, revived, ended by pid."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import grpc
from grpc_health.v1 import health_pb2

from services.common import tls
from services.common.errors import FailedPrecondition, InvalidArgument

START_SECONDS = 300.0
"""The first start on a machine compiles Numba kernels."""
STOP_SECONDS = 15.0
_WATCH_SECONDS = 0.1
_CRASHES = 3
"""A service that ends itself so often will not start."""
_CALLEES = {"inventory": (), "abis": ("inventory",), "enroll": ("abis", "inventory")}
_PEERS: Mapping[str, tuple[str, ...]] = {**_CALLEES, "cardperso": ("enroll", "inventory")}

Say = Callable[[str], None]


@dataclass
class _Member:
    """One service: where it listens, and the process that runs it now."""

    name: str
    port: int
    health_port: int
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    crashes: int = 0
    """Deaths of its own making, not by a signal."""


class Suite:
    """The services of a demo under `home`: data, TLS and logs each in their own directory there.

    Args:
        home: the demo's directory.
        supervise: start a service again when its process dies; otherwise it stays down.
        environment: added to the environment of every service (the socket of the private pcscd).
        say: told about every death and restart.
        database: URL of the databases with {service} in it; None for a SQLite file each.
    """

    def __init__(
        self,
        home: Path,
        *,
        supervise: bool,
        environment: Mapping[str, str],
        say: Say,
        database: str | None = None,
    ) -> None:
        self.home = home
        self.tls_dir = home / "tls"
        self._supervise = supervise
        self._say = say
        self._lock = threading.Lock()
        self._ending = threading.Event()
        ports = iter(_free_ports(3 * len(_PEERS)))
        listens = {name: (next(ports), next(ports), next(ports)) for name in _PEERS}
        self._members = {
            name: _Member(
                name,
                port,
                health,
                home / "logs" / f"{name}.log",
                {
                    **_clean_environment(),
                    **environment,
                    "TUNGGAL_LISTEN": _address(port),
                    "TUNGGAL_HEALTH_LISTEN": _address(health),
                    "TUNGGAL_METRICS_LISTEN": _address(metrics),
                    "TUNGGAL_DATA_DIR": str(home / name),
                    "TUNGGAL_TLS_DIR": str(self.tls_dir),
                    **({"TUNGGAL_DATABASE_URL": database.replace("{service}", name)} if database else {}),
                    **{
                        f"TUNGGAL_{peer.upper()}_ENDPOINT": _address(listens[peer][0])
                        for peer in _PEERS[name]
                    },
                },
            )
            for name, (port, health, metrics) in listens.items()
        }
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    @property
    def restarts(self) -> dict[str, int]:
        """How often each service was started again."""
        return {member.name: member.restarts for member in self._members.values()}

    def endpoint(self, service: str) -> str:
        """host:port where the service listens."""
        return _address(self._members[service].port)

    @property
    def anchor(self) -> Path:
        """Certificate of the country signing CA that cardperso made when it started."""
        return self.home / "cardperso" / "certificates" / "csca-001.pem"

    def log(self, service: str) -> Path:
        """What the service printed."""
        return self._members[service].log

    def start(self) -> Self:
        """Start all four, without waiting for them."""
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        # One CA before four processes each make one at the same moment.
        tls.ensure_dev_ca(self.tls_dir, "tunggal.local")
        with self._lock:
            for member in self._members.values():
                self._launch(member)
        self._watcher.start()
        return self

    def wait_ready(self, service: str, timeout: float = START_SECONDS) -> None:
        """Block until the service says SERVING on its health port.

        Raises:
            FailedPrecondition: it does not within `timeout` seconds, or it keeps dying.
        """
        member = self._members[service]
        deadline = time.monotonic() + timeout
        while not _serving(member.health_port):
            process = member.process
            dead = process is not None and process.poll() is not None
            if time.monotonic() > deadline or member.crashes > _CRASHES or (dead and not self._supervise):
                raise FailedPrecondition(
                    "SERVICE_NOT_READY",
                    f"{service} does not start: {_last_line(member.log)}",
                    remedy=f"Read {member.log}.",
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """End every service: SIGTERM, and SIGKILL for one that does not drain in time."""
        self._ending.set()
        with self._lock:
            running = [m.process for m in self._members.values() if m.process and m.process.poll() is None]
            for process in running:
                process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            for process in running:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self._watcher.is_alive():
            self._watcher.join()

    def _watch(self) -> None:
        while not self._ending.wait(_WATCH_SECONDS):
            with self._lock:
                if self._ending.is_set():
                    return
                for member in self._members.values():
                    self._revive(member)

    def _revive(self, member: _Member) -> None:
        if member.process is None or (code := member.process.poll()) is None:
            return
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        pid = member.process.pid
        member.crashes += code > 0
        member.process = None
        if not self._supervise:
            self._say(f"{member.name} (pid {pid}) {how}; it stays down (--no-supervise)")
            return
        # A service that dies at once is not started a thousand times a minute.
        self._ending.wait(min(2.0, 0.5 * member.crashes))
        if self._ending.is_set():
            return
        member.restarts += 1
        self._say(f"{member.name} (pid {pid}) {how}; started again as pid {self._launch(member)}")

    def _launch(self, member: _Member) -> int:
        command = [sys.executable, "-m", "cli.main", "serve", member.name]
        with member.log.open("ab") as log:
            member.process = process = _start(command, member.environment, log)
        # For whoever wants to kill one: the pids of now, replaced in one step.
        table = {
            m.name: {"pid": m.process.pid, "endpoint": _address(m.port)}
            for m in self._members.values()
            if m.process is not None
        }
        partial = self.home / "processes.json.part"
        partial.write_text(json.dumps(table, indent=2))
        partial.replace(self.home / "processes.json")
        return process.pid


def _start(command: list[str], environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    # Where the demo itself is killed, nothing of it stays behind. A session of their own keeps Ctrl-C from
    # the services, so that the demo ends them in order.
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "TERM"] if setpriv else []
    return subprocess.Popen(
        [*prefix, *command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _clean_environment() -> dict[str, str]:
    """Ours without settings of other services that run here, and with the sources on the path."""
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join(filter(None, [str(root), str(root / "protos"), os.environ.get("PYTHONPATH", "")]))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TUNGGAL_")}
    return {**kept, "PYTHONPATH": path}


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, below the range that the kernel gives to outgoing connections."""
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        start = 10000 + os.getpid() * 16 % 9000
        for port in range(start, 20000):
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
            if len(ports) == count:
                return ports
    raise InvalidArgument("NO_PORT_FREE", "no free TCP ports between 10000 and 20000 on this machine")


def _address(port: int) -> str:
    return f"127.0.0.1:{port}"


def _serving(port: int) -> bool:
    with grpc.insecure_channel(_address(port)) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.RpcError:
            return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
    return lines[0][-300:] if lines else "it printed nothing"
