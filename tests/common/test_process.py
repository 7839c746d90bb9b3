"""A service as a process: it says when it is ready, drains on a signal, and names what keeps it from
starting.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.common.client import channel
from tests.common.echo_service import EchoStub, request

ROOT = Path(__file__).parents[2]
Process = subprocess.Popen[str]


@pytest.fixture
def spawn(tmp_path: Path, tls_dir: Path) -> Iterator[Callable[..., Process]]:
    """Starts the echo service as a process."""
    started: list[Process] = []

    def go(**environment: str) -> Process:
        settings = {
            "TUNGGAL_LISTEN": "127.0.0.1:0",
            "TUNGGAL_HEALTH_LISTEN": "127.0.0.1:0",
            "TUNGGAL_METRICS_LISTEN": "127.0.0.1:0",
            "TUNGGAL_DATA_DIR": str(tmp_path),
            "TUNGGAL_TLS_DIR": str(tls_dir),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
        }
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("echo_process.py"))],
            env={**os.environ, **settings, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield go
    for process in started:
        process.kill()
        process.communicate()


def line(process: Process, event: str) -> dict[str, Any]:
    """The next log line of that event."""
    assert process.stdout is not None
    for text in process.stdout:
        found: dict[str, Any] = json.loads(text)
        if found["event"] == event:
            return found
    pytest.fail(f"the process ended without {event}: {process.communicate()}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_call_in_flight_finish_and_ends_the_process(
    spawn: Callable[..., Process], tls_dir: Path, number: signal.Signals
) -> None:
    process = spawn()
    ready = line(process, "ready")
    assert ready["service"] == "inventory"
    assert len({ready["port"], ready["health_port"], ready["metrics_port"]} - {0}) == 3
    with (
        channel(f"127.0.0.1:{ready['port']}", tls_dir, "operator-cli") as calls,
        ThreadPoolExecutor() as pool,
    ):
        in_flight = pool.submit(EchoStub(calls).Say, request(text="hold"))
        line(process, "entered")
        process.send_signal(number)
        assert in_flight.result(20).text == "hold"
    assert line(process, "stopped")["unfinished"] == []
    assert process.wait(10) == 0


def test_a_handler_that_never_ends_does_not_keep_the_process_alive(
    spawn: Callable[..., Process], tls_dir: Path
) -> None:
    process = spawn(TUNGGAL_DRAIN_SECONDS="0.2")
    port = line(process, "ready")["port"]
    with channel(f"127.0.0.1:{port}", tls_dir, "operator-cli") as calls, ThreadPoolExecutor() as pool:
        stuck = pool.submit(EchoStub(calls).Say, request(text="stick"), timeout=10)
        line(process, "entered")
        process.terminate()
        assert process.wait(10) == 0
        assert isinstance(stuck.exception(15), grpc.RpcError)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"TUNGGAL_DEV_CA": "false", "TUNGGAL_TLS_DIR": "nowhere"}, "nowhere/ca.pem cannot be read"),
        ({"TUNGGAL_WORKERS": "none"}, "workers"),
        ({"TUNGGAL_LISTEN": "192.0.2.1:1"}, "TUNGGAL_LISTEN"),
    ],
)
def test_what_keeps_it_from_starting_is_told_without_a_trace(
    spawn: Callable[..., Process], environment: dict[str, str], told: str
) -> None:
    process = spawn(**environment)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert told in stderr
    assert "Traceback" not in stderr
