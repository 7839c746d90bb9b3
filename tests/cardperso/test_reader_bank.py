"""Private readers, and the virtual card as a script on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.card import PcscMissingError, ReaderBank, VirtualReader, host
from tests.cardperso.card_makers import eventually, present

ROOT = Path(__file__).resolve().parents[2]
ASK = """
import sys
from services.cardperso import pcsc
for state in pcsc.readers():
    print(state.name, state.card_present)
"""


def ask(bank: ReaderBank) -> list[str]:
    """What another process sees of a bank."""
    environment = os.environ | bank.environment | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"}
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.splitlines()


@pytest.fixture
def second(bank: ReaderBank) -> Iterator[ReaderBank]:
    """A bank beside that of the other tests."""
    need_namespaces(bank)
    made = ReaderBank(3, name="Second")
    yield made
    made.stop()


def test_two_banks_run_side_by_side_each_with_its_own_readers(bank: ReaderBank, second: ReaderBank) -> None:
    second.start()
    assert ask(second) == [
        "Second 00 00 00 False",
        "Second 00 00 01 False",
        "Second 01 00 00 False",
        "Second 01 00 01 False",
    ]
    assert len(ask(bank)) == len(bank.readers)
    directory = second.directory
    second.stop()
    assert not directory.exists()
    assert ask(bank)


def test_no_pcscd_outlives_a_program_that_was_killed(bank: ReaderBank) -> None:
    need_namespaces(bank)
    program = (
        "from sim.card import ReaderBank; import time; b = ReaderBank().start(); print(b.pid, b.directory, \
flush=True); time.sleep(600)"
    )
    killed = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    pid, directory = killed.stdout.readline().split()
    assert running(int(pid))
    killed.kill()
    killed.wait()
    killed.stdout.close()
    eventually(lambda: not running(int(pid)) and not Path(directory).exists())


def test_a_successor_in_the_same_directory_gets_readers_of_its_own(bank: ReaderBank) -> None:
    need_namespaces(bank)
    directory = bank.directory / "left"
    program = f"from sim.card import ReaderBank; from pathlib import Path; import os, signal; \
ReaderBank(1, Path({str(directory)!r})).start(); os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=60)
    left = int((directory / "owned.pid").read_text())
    with ReaderBank(1, directory) as successor:
        ours = successor.pid
        assert len(ask(successor)) == 2
        assert not running(left)
    assert not running(ours)


def test_the_card_as_a_script_lies_on_the_reader_until_it_is_ended(
    reader: VirtualReader, tmp_path: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "sim.card",
        "--port",
        str(reader.port),
        "--image",
        str(tmp_path / "card"),
    ]
    card = subprocess.Popen(
        [*command, "--uid", "04010203040506"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert card.stdout is not None
        assert card.stdout.readline().startswith("card 04010203040506 on")
        eventually(lambda: present(reader.name))
    finally:
        card.send_signal(signal.SIGTERM)
        assert card.wait(timeout=10) == 0
        assert card.stdout is not None
        card.stdout.close()
    eventually(lambda: not present(reader.name))


def test_a_machine_without_vpcd_is_told_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "DRIVERS", (Path("/nowhere/libifdvpcd.so"),))
    with pytest.raises(PcscMissingError, match="apt-get install vsmartcard-vpcd"):
        ReaderBank()


def test_a_path_too_long_for_a_socket_is_refused(bank: ReaderBank, tmp_path: Path) -> None:
    with pytest.raises(PcscMissingError, match="too long"):
        ReaderBank(1, tmp_path / ("x" * 100))


def need_namespaces(bank: ReaderBank) -> None:
    if bank.socket.parent == Path("/run/pcscd"):
        pytest.skip("this container allows one pcscd only: no mount namespaces")


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
