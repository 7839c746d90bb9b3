"""Story: during one day of a regency one of the services is killed with SIGKILL again and again.

The demo drives the suite as clients and operators would, with retries under the same request ids; its own
checks compare records, cards, chips and stock at the end of the day. Here each service dies several times at
moments that nobody chose, and the day must end as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.common import audit
from services.common.db import Database

PAUSES = (0.0, 0.5, 2.0, 4.0, 6.0, 8.0)
"""One kill each, at a random moment within so many seconds after the service serves: the first at once, so
that the quickest day has one, the later ones spread over the day."""
KILLING_SECONDS = 120
"""After so long nobody is killed any more: on a slow machine every new start takes its time."""
DAY_SECONDS = 600
ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2 * DAY_SECONDS),
    pytest.mark.skipif(
        shutil.which("pcscd") is None, reason="pcscd is not installed: make setup installs it"
    ),
]


def process(service: str, home: Path) -> tuple[int, str]:
    """Pid and endpoint of the service now, as the demo publishes them; 0 before the first start."""
    try:
        entry = json.loads((home / "processes.json").read_text())[service]
    except (FileNotFoundError, KeyError):
        return 0, ""
    return int(entry["pid"]), str(entry["endpoint"])


def serves(endpoint: str) -> bool:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def next_life(service: str, home: Path, demo: subprocess.Popen[bytes], killed: list[int]) -> int | None:
    """Pid of the service once it serves again; None if the day ends before that."""
    deadline = time.monotonic() + DAY_SECONDS
    while demo.poll() is None:
        assert time.monotonic() < deadline, f"{service} does not come back"
        pid, endpoint = process(service, home)
        if pid and pid not in killed and serves(endpoint):
            return pid
        time.sleep(0.02)
    return None


def kill_again_and_again(service: str, home: Path, demo: subprocess.Popen[bytes]) -> list[int]:
    """Kill the service again and again while the day lasts; the pids that were hit.

    The last of them may have been hit when the demo was ending its services anyway.
    """
    moments = random.Random(f"kill {service}")
    killed: list[int] = []
    until = math.inf
    for longest in PAUSES:
        pid = next_life(service, home, demo, killed)
        if pid is None or time.monotonic() > until:
            break
        until = min(until, time.monotonic() + KILLING_SECONDS)
        # The pause is the fault's own timing, not a wait for something.
        with contextlib.suppress(subprocess.TimeoutExpired):
            demo.wait(moments.uniform(0.0, longest))
        if demo.poll() is None and process(service, home)[0] == pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
    return killed


@pytest.mark.parametrize("service", ["inventory", "abis", "enroll", "cardperso"])
def test_the_day_ends_as_if_the_service_had_never_been_killed(service: str, tmp_path: Path) -> None:
    home = tmp_path / "day"
    command = [sys.executable, "-m", "cli.main", "demo", "--people", "4", "--seed", "7", "--var", str(home)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    with (tmp_path / "demo.log").open("wb") as log:
        demo = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            killed = kill_again_and_again(service, home, demo)
            code = demo.wait(DAY_SECONDS)
        finally:
            if demo.poll() is None:
                demo.terminate()
                demo.wait(30)
    printed = (tmp_path / "demo.log").read_text()
    assert code == 0, printed[-4000:]
    # A kill counts where a new process came after it: the day went on.
    revived = [pid for pid in killed if pid != process(service, home)[0]]
    assert revived, "the day was over before the service died"

    report = json.loads((home / "report.json").read_text())
    assert report["ok"]
    assert report["restarts"][service] >= len(revived)
    assert report["duplicates"]["found"] == report["duplicates"]["injected"] > 0
    assert report["duplicates"]["false"] == 0
    assert report["chip_readback_mismatches"] == 0
    assert report["cards_issued"] == report["print_ready"]
    stock = report["stock"]
    assert stock["contracted"] == stock["received"] + stock["outstanding"]
    assert stock["received"] == stock["on_hand"] + stock["consumed"] + stock["spoiled"]
    assert stock["consumed"] == report["cards_issued"]
    for name in ("inventory", "abis", "enroll", "cardperso"):
        database = Database(f"sqlite:///{home / name / 'tunggal.db'}")
        with database.read() as connection:
            assert audit.verify(connection) is None, f"{name}: the audit chain is broken"
        database.dispose()
