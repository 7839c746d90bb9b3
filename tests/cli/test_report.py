from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from cli.demo.page import page
from cli.demo.report import report
from cli.demo.result import DayResult

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Outline(HTMLParser):
    """Checks that elements close in order, and collects text and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    assert parsed.open == []
    return parsed


def test_the_report_has_what_programs_look_for(day: DayResult) -> None:
    numbers = json.loads(json.dumps(report(day)))
    assert numbers["ok"] is True
    assert numbers["enrolled"] == 3
    assert numbers["submitted"] == 5
    assert {key: numbers["duplicates"][key] for key in ("injected", "found", "false")} == {
        "injected": 2,
        "found": 2,
        "false": 0,
    }
    assert (numbers["print_ready"], numbers["cards_issued"], numbers["spoiled"]) == (3, 3, 1)
    assert numbers["chip_readback_mismatches"] == 0
    stock = numbers["stock"]
    assert {
        key: stock[key] for key in ("contracted", "received", "allocated", "consumed", "spoiled", "on_hand")
    } == {"contracted": 100, "received": 10, "allocated": 10, "consumed": 3, "spoiled": 1, "on_hand": 6}
    assert numbers["seconds"]["total"] == 12.6
    assert numbers["rpc"]["SubmitRecord"]["p99_ms"] == 31.0


def test_a_failed_check_makes_the_report_not_ok(day: DayResult) -> None:
    assert report(replace(day, final_status={}))["ok"] is False


def test_the_page_needs_nothing_from_outside(day: DayResult) -> None:
    html = page(day)
    parsed = outline(html)
    assert all(address.startswith("data:") for address in parsed.addresses)
    assert not re.search(r"url\(|@import|<script|https?://", html)


def test_the_page_shows_the_day(day: DayResult) -> None:
    text = " ".join(" ".join(outline(page(day)).text).split())
    assert "all 14 checks hold" in text
    assert "2 of 2 duplicates found" in text
    assert "10 received = 6 on hand + 3 became cards + 1 spoiled" in text
    assert "ORANG KE-3".title() in text.title()


def test_the_page_says_which_checks_failed(day: DayResult) -> None:
    text = " ".join(outline(page(replace(day, final_status={}))).text)
    assert "1 of 14 checks failed" in text


def test_the_page_stands_without_duplicates_cards_or_spoiled_blanks(day: DayResult) -> None:
    empty = replace(day, matched=None, faces=(), cards=(), outcomes=day.outcomes[:1], spoiled_custody=())
    outline(page(empty))


def test_names_cannot_break_the_page(day: DayResult) -> None:
    outcomes = tuple(replace(o, name="<script>alert('x')</script>") for o in day.outcomes)
    assert "<script" not in page(replace(day, outcomes=outcomes))
