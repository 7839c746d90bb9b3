"""The catalogue, the printers of a place and how many people are covered, as people at a shell say it."""

from __future__ import annotations

import json
from collections.abc import Callable

from typer.testing import Result

Run = Callable[..., Result]


def test_an_item_is_added_once_and_listed(run: Run) -> None:
    film = ("item", "add", "film-clear", "--name", "Clear film", "--unit", "roll", "--cards", "250")
    assert "one roll is enough for 250 cards" in run(*film).output
    again = run(*film)
    assert again.exit_code == 1
    assert "film-clear" in again.output
    listed = json.loads(run("item", "list", "--json").output)
    assert [each["item_id"] for each in listed].count("film-clear") == 1
    assert "Clear film" in run("item", "list").output


def test_a_place_says_how_many_printers_it_has(run: Run) -> None:
    said = run("capacity", "32.16", "--printers", "3", "--rate", "100", "--lead-days", "21")
    assert said.output == ("32.16: printers 3, cards a printer and day 100, days from order to receipt 21.\n")
    assert "printers not known" in run("capacity", "32.16", "--lead-days", "14").output
    asked = run("capacity", "32.16")
    assert asked.exit_code == 1
    assert "CAPACITY_MISSING" in asked.output
    refused = run("capacity", "Bekasi", "--printers", "3")
    assert refused.exit_code == 1
    assert "capacity.location" in refused.output


def test_coverage_keeps_every_denominator_and_tells_what_a_goal_takes(run: Run) -> None:
    first = ("--recorded", "2500000", "--obliged", "2700000", "--source", "census of 2010")
    second = ("--recorded", "2520000", "--obliged", "2800000", "--source", "register")
    assert "92.59%" in run("coverage", "report", "32.16", "--day", "2026-02-27", *first).output
    assert run("coverage", "report", "32.16", "--day", "2026-02-28", *second).exit_code == 0
    shown = run("coverage", "show", "32.16", "--goal", "1", "--deadline", "2026-03-31").output
    assert "32.16 on 2026-02-28: 2,520,000 of 2,800,000 recorded, 90.00%, says register." in shown
    assert "280,000 people on" in shown
    assert "census of 2010" in shown
    unknown = run("coverage", "show", "32.17")
    assert unknown.exit_code == 1
    assert "Traceback" not in unknown.output
    more = run(
        "coverage",
        "report",
        "32.16",
        "--day",
        "2026-02-28",
        "--recorded",
        "9",
        "--obliged",
        "8",
        "--source",
        "x",
    )
    assert more.exit_code == 1
    assert "recorded" in more.output
