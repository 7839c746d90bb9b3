"""Logs: one JSON object a line, and never a reason for work to fail."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest

from services.common import logs
from tests.common.echo_service import Settings


class FullDisk(io.StringIO):
    """Where nothing can be written any more."""

    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_line_is_one_json_object_that_names_the_service(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(settings)
    logs.get_logger().info("lot_received", lot="lots/7", blanks=200_000)
    found = json.loads(capsys.readouterr().out)
    assert (found["event"], found["service"], found["level"]) == ("lot_received", "inventory", "info")
    assert (found["lot"], found["blanks"]) == ("lots/7", 200_000)
    assert found["timestamp"].endswith("Z")


def test_warnings_of_libraries_look_the_same_and_their_chatter_is_left_out(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(settings)
    logging.getLogger("somelib").info("chatter")
    logging.getLogger("somelib").warning("disk %s is slow", "sda")
    found = json.loads(capsys.readouterr().out)
    assert (found["event"], found["service"], found["level"]) == ("disk sda is slow", "inventory", "warning")


def test_lines_below_the_level_are_left_out(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings.model_copy(update={"log_level": "error"}))
    logs.get_logger().warning("unheard")
    assert capsys.readouterr().out == ""


def test_people_can_ask_for_lines_to_read(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings.model_copy(update={"log_format": "console"}))
    logs.get_logger().info("lot_received", lot="lots/7")
    assert "lot_received" in capsys.readouterr().out


def test_a_full_disk_under_the_log_does_not_fail_the_work(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure(settings)
    monkeypatch.setattr(sys, "stdout", FullDisk())
    logs.get_logger().info("lot_received")
    logging.getLogger("somelib").warning("slow")
