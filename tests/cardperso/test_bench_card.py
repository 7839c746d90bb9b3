"""The benchmark makes real cards, and says what its interface promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sim.card import ReaderBank

ROOT = Path(__file__).parents[2]


def test_cards_are_made_and_measured_against_the_bare_exchange(bank: ReaderBank, tmp_path: Path) -> None:
    # A process of its own: libpcsclite keeps to the first socket it was told. The bank only says that there
    # can be one here.
    figures, plot = tmp_path / "out" / "card.json", tmp_path / "out" / "card.svg"
    command = [sys.executable, "-m", "cli.main", "bench", "card", "--readers", "3", "--cards", "1"]
    command += ["--apdu-ms", "1", "--byte-us", "1", "--json", str(figures), "--plot", str(plot)]
    kept = {name: value for name, value in os.environ.items() if name != "PCSCLITE_CSOCK_NAME"}
    kept["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr
    assert "Cards/hour" in done.stdout
    report = json.loads(figures.read_text())
    assert {"cards_per_hour", "apdus_per_card", "ms_per_card", "ratio_to_floor", "scaling"} <= set(report)
    assert list(report["by_readers"]) == ["1", "2", "3"]
    # A blank card cannot become a finished one with fewer: it is authenticated twice, written and read.
    assert 20 < report["apdus_per_card"] < 60
    assert report["bytes_per_card"] > 8_000
    assert report["without_pace"]["floor_ms_per_card"] > 0
    # Card and floor hold the time of the chip: a millisecond an APDU, a microsecond a byte.
    least = report["apdus_per_card"] + report["bytes_per_card"] / 1000
    assert min(report["floor_ms_per_card"], report["ms_per_card"]) > least
    assert plot.read_text().startswith("<?xml")
