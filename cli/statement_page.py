"""Statements as pages for people: what there was, what came and went, who was sent away, and how to
check it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cli.places import name_of
from services.inventory.statement.content import GENESIS
from services.inventory.statement.verify import Published

_WIB = timezone(timedelta(hours=7))
_ORDER = (
    "on-hand",
    "reserved",
    "allocated",
    "in-transit",
    "pending",
    "consumed",
    "spoiled",
    "withdrawn",
    "destroyed",
    "missing",
)
_CONDITIONS = {
    "on-hand": ("Free", "tersedia"),
    "reserved": ("Held for cards", "dipesan"),
    "allocated": ("Set aside to be sent", "dialokasikan"),
    "in-transit": ("On the way here", "dalam perjalanan"),
    "pending": ("Set aside", "ditahan"),
    "consumed": ("Cards that are out", "menjadi KTP-el"),
    "spoiled": ("Spoiled, not yet destroyed", "rusak"),
    "destroyed": ("Destroyed, in all", "dimusnahkan"),
    "missing": ("Missing", "hilang"),
    "withdrawn": ("Cards that came back", "ditarik"),
    "lent": ("Lent to others", "dipinjamkan"),
    "borrowed": ("Borrowed", "dipinjam"),
    "found": ("Found by counting", "ditemukan"),
}


def write_page(directory: Path, published: Published, before: Published | None) -> Path:
    """Write the statement's JSON and page; the page's path."""
    content = published.statement
    file: Path = directory / _folder(content["location"]) / content["day"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.with_suffix(".json").write_text(published.to_json(), encoding="utf-8")
    page: Path = file.with_suffix(".html")
    page.write_text(
        _template("statement.html.j2").render(
            statement=content,
            name=name_of(content["location"]),
            items=_items(content["levels"]),
            movements=[{**move, "net": _net(move, content["location"])} for move in content["movements"]],
            refusals=[{**refused, "local": _local(refused["time"])} for refused in content["refusals"]],
            signature=base64.b64encode(published.signature).decode(),
            key_id=published.key_id,
            json_name=file.with_suffix(".json").name,
            before=before.statement["day"] if before is not None else "",
            first=content["previous"] == GENESIS,
        ),
        encoding="utf-8",
    )
    return page


def write_index(directory: Path, by_location: Mapping[str, Sequence[Published]], key_id: str) -> Path:
    """Write the index of what is published; its path."""
    rows = []
    for location, statements in sorted(by_location.items()):
        latest = statements[-1].statement
        free = {
            level["item"]: level["closing"] for level in latest["levels"] if level["condition"] == "on-hand"
        }
        rows.append(
            {
                "location": location,
                "name": name_of(location),
                "folder": _folder(location),
                "days": [each.statement["day"] for each in statements][-8:-1],
                "latest": latest["day"],
                "blanks": free.get("blank", 0),
                "used": sum(
                    level["added"]
                    for level in latest["levels"]
                    if level["condition"] == "consumed" and level["item"] == "blank"
                ),
                "sent_away": sum(refused["people"] for refused in latest["refusals"]),
            }
        )
    page: Path = directory / "index.html"
    page.write_text(_template("statements.html.j2").render(rows=rows, key_id=key_id), encoding="utf-8")
    return page


def _template(name: str) -> Any:
    environment = Environment(
        loader=PackageLoader("cli", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    return environment.get_template(name)


def _items(levels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Levels by item, blanks first, each in the order in which stock is lived with."""
    names = sorted({level["item"] for level in levels}, key=lambda item: (item != "blank", item))
    return [
        {
            "item": item,
            "levels": [
                {**level, "words": _CONDITIONS.get(level["condition"], (level["condition"], ""))}
                for level in sorted(levels, key=lambda each: _place(each["condition"]))
                if level["item"] == item
            ],
            "free": next(
                (lv["closing"] for lv in levels if lv["item"] == item and lv["condition"] == "on-hand"), 0
            ),
            "used": next(
                (lv["added"] for lv in levels if lv["item"] == item and lv["condition"] == "consumed"), 0
            ),
        }
        for item in names
    ]


def _place(condition: str) -> int:
    return _ORDER.index(condition) if condition in _ORDER else len(_ORDER)


def _net(move: Mapping[str, Any], location: str) -> str:
    """Whether the movement came in, went out or stayed in the house."""
    here = f"{location}/"
    inward, outward = move["to"].startswith(here), move["from"].startswith(here)
    return "within" if inward and outward else "in" if inward else "out"


def _local(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone(_WIB):%H:%M} WIB"


def _folder(location: str) -> str:
    return location.replace(":", "_")
