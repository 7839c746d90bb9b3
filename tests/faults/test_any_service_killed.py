"""Story: during one day of a regency one of the services is killed with SIGKILL again and again.

The demo drives the suite as clients and operators would, with retries under the same request ids; its own
checks compare records, cards, chips and stock at the end of the day. Here each service dies several times at
moments that nobody chose, and the day must end as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.common import audit
from services.common.db import Database

KILLS = 4
DAY_SECONDS = 400
ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(DAY_SECONDS + 60),
    pytest.mark.skipif(
        shutil.which("pcscd") is None, reason="pcscd is not installed: make setup installs it"
    ),
]


def processes(home: Path) -> dict[str, dict[str, int]]:
    """The services' pids of now, as the demo publishes them; empty before the first start."""
    try:
        return dict(json.loads((home / "processes.json").read_text()))
    except FileNotFoundError:
        return {}


def kill_again_and_again(service: str, home: Path, demo: subprocess.Popen[bytes]) -> int:
    """Kill the service up to KILLS times at random moments of the day; returns how often it was hit."""
    moments = random.Random(f"kill {service}")
    killed: set[int] = set()
    deadline = time.monotonic() + DAY_SECONDS
    while len(killed) < KILLS and demo.poll() is None:
        assert time.monotonic() < deadline, "the day does not end"
        pid = processes(home).get(service, {}).get("pid")
        try:
            # The pause is the fault's own timing, not a wait for something.
            demo.wait(moments.uniform(0.2, 4.0))
        except subprocess.TimeoutExpired:
            if pid is None or pid in killed or pid != processes(home)[service]["pid"]:
                continue
            # At the end of the day the services end by themselves before the demo does.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
    return len(killed)


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
            hits = kill_again_and_again(service, home, demo)
            code = demo.wait(DAY_SECONDS)
        finally:
            if demo.poll() is None:
                demo.terminate()
                demo.wait(30)
    printed = (tmp_path / "demo.log").read_text()
    assert code == 0, printed[-4000:]
    assert hits >= 2, "the day was over before the service died twice"

    report = json.loads((home / "report.json").read_text())
    assert report["ok"]
    assert report["restarts"][service] >= hits
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
