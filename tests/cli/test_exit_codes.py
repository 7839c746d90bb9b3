"""What a command tells the program that called it: done, not done, no, or called wrongly."""

from __future__ import annotations

import subprocess
import sys

import pytest


def _exit_code(*arguments: str) -> int:
    command = [sys.executable, "-m", "cli.main", *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode


@pytest.mark.parametrize(
    "arguments",
    [("reconcile", "--dya", "2026-03-02"), ("forecast", "32.16", "--plot", "plot.doc"), ("no-such",)],
)
def test_a_command_that_is_called_wrongly_does_not_answer_no(arguments: tuple[str, ...]) -> None:
    assert _exit_code(*arguments) == 64


def test_a_service_that_does_not_answer_is_no_answer() -> None:
    assert _exit_code("reconcile", "--inventory", "127.0.0.1:9") == 1


def test_help_is_what_was_asked_for() -> None:
    assert _exit_code("reconcile", "--help") == 0
