"""The documentation keeps its word: the client example runs as printed, the tables say what the code says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("TUNGGAL_")},
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos")]),
}


def test_the_configuration_tables_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/configuration.py", "--check"],
        cwd=ROOT,
        check=False,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_every_file_that_the_readme_shows_or_names_exists() -> None:
    text = (ROOT / "README.md").read_text()
    named = re.findall(r"\]\((?!https?:)([^)]+)\)", text) + re.findall(
        r"^\| `([a-z/]+/[a-z/]*)`", text, re.MULTILINE
    )
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_client_example_runs_as_printed(tmp_path: Path) -> None:
    example = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(example) == 1
    port = free_port()
    settings = {
        "TUNGGAL_LISTEN": f"127.0.0.1:{port}",
        "TUNGGAL_HEALTH_LISTEN": "",
        "TUNGGAL_METRICS_LISTEN": "",
    }
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "serve", "inventory"],
            cwd=tmp_path,
            env={**ENVIRONMENT, **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while '"ready"' not in (tmp_path / "log").read_text():
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        done = subprocess.run(
            [sys.executable, "-c", example[0].replace("7101", str(port))],
            cwd=tmp_path,
            check=False,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        server.terminate()
        server.wait(30)
    assert done.returncode == 0, done.stderr
    assert "contracted: 7000000" in done.stdout
