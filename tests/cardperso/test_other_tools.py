"""Programs that others wrote talk to the virtual card through pcscd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sim.card import ReaderBank, VirtualReader
from tests.cardperso.card_makers import eventually, present

ROOT = Path(__file__).parents[2]
TOOL = shutil.which("opensc-tool")

pytestmark = pytest.mark.skipif(TOOL is None, reason="opensc-tool is not installed (package opensc)")


@contextmanager
def lying_on(reader: VirtualReader, image: Path, *options: str) -> Iterator[str]:
    """The card as a script on a reader; its UID."""
    command = [sys.executable, "-m", "sim.card.globalplatform", "--image", str(image)]
    command += ["--port", str(reader.port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as card:
        try:
            assert card.stdout is not None
            uid = card.stdout.readline().split()[1]
            eventually(lambda: present(reader.name))
            yield uid
        finally:
            card.terminate()


def tell(bank: ReaderBank, reader: VirtualReader, *apdus: str) -> str:
    """What opensc-tool prints for these APDUs, without spaces."""
    command = [TOOL or "", "--reader", reader.name]
    for apdu in apdus:
        command += ["--send-apdu", apdu]
    environment = {**os.environ, **bank.environment}
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True, timeout=120)
    return done.stdout


@pytest.mark.parametrize(
    ("options", "protocol"),
    [((), "04 03 70"), (("--scp", "2", "--i", "55"), "04 02 55")],
    ids=["SCP03", "SCP02"],
)
def test_opensc_tool_finds_a_globalplatform_card(
    bank: ReaderBank, reader: VirtualReader, tmp_path: Path, options: tuple[str, ...], protocol: str
) -> None:
    with lying_on(reader, tmp_path / "card.eeprom", *options) as uid:
        told = tell(bank, reader, "00A4040000", "80CA006600", "8050000008010203040506070800", "FFCA000000")
    assert told.count("SW1=0x90, SW2=0x00") == 4
    assert "A0 00 00 01 51 00 00 00" in told
    assert protocol in told
    assert " ".join(uid[at : at + 2] for at in range(0, 14, 2)) in told
