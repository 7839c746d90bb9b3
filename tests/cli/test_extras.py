"""An image with the extra of one service must run the command line and that service."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

OPTIONAL = ("PIL", "jinja2", "matplotlib", "nbis", "numba", "numpy", "scipy", "segno", "smartcard", "psycopg")

SCRIPT = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
from typer.testing import CliRunner
from cli.main import app
result = CliRunner().invoke(app, {arguments!r})
sys.stderr.write(result.output)
sys.exit(result.exit_code)
"""


def tunggal_without(absent: tuple[str, ...], *arguments: str) -> tuple[int, str]:
    script = SCRIPT.format(absent=absent, arguments=list(arguments))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_the_command_line_needs_no_extra() -> None:
    code, output = tunggal_without((*OPTIONAL, "sim", "bench"), "--help")
    assert code == 0, output
    assert "serve" in output


@pytest.mark.parametrize(
    ("service", "absent", "package"),
    [("abis", "numba", "numba"), ("cardperso", "smartcard", "smartcard"), ("inventory", "numpy", "numpy")],
)
def test_a_service_without_its_extra_says_how_to_install_it(service: str, absent: str, package: str) -> None:
    code, output = tunggal_without((absent,), "serve", service)
    assert code == 1
    assert output.startswith("error: EXTRA_MISSING")
    assert package in output
    assert f"pip install 'tunggal[{service}]'" in output


@pytest.mark.parametrize("command", [["demo"], ["bench", "synthetic"]])
def test_the_demo_and_the_benchmarks_say_so_too(command: list[str]) -> None:
    code, output = tunggal_without(("numba", "numpy"), *command)
    assert code == 1
    assert output.startswith("error: EXTRA_MISSING")
    assert "tunggal[" in output
