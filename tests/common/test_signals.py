"""A process is told to end whichever of its threads the signal reaches, and whenever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_TO_ANOTHER_THREAD = """
import signal, threading, time
from services.common import signals

wait = signals.watch()
main = threading.main_thread()

def asleep():
    with open(f"/proc/self/task/{main.native_id}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"

def send():
    # Asleep ten times in a row: it waits.
    while not all(asleep() for _ in range(10) if time.sleep(0.01) is None):
        pass
    signal.pthread_kill(threading.get_ident(), signal.{name})

threading.Thread(target=send, daemon=True).start()
print(wait().name)
"""

_BEFORE_THE_WAIT = """
import signal
from services.common import signals

wait = signals.watch()
signal.raise_signal(signal.{name})
print(wait().name)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("program", [_TO_ANOTHER_THREAD, _BEFORE_THE_WAIT])
def test_a_signal_ends_the_wait_whatever_thread_it_reaches_and_when(program: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program.replace("{name}", name)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{name}\n", "")
