"""Statements as pages for people: what there was, what came and went, who was sent away, and how to check it.

A folder of statements may be published into again and again: each file is written whole or not at all, and
one that says something else than what is published already is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cli import statement_words as words
from cli.places import CENTRE
from services.common.errors import AlreadyExists
from services.common.files import write_new
from services.common.zones import zone_of
from services.inventory.ledger.entries import Account
from services.inventory.statement.content import GENESIS
from services.inventory.statement.verify import Published

#: Days before the latest one that the index links to.
_DAYS_LINKED = 7


def write_page(directory: Path, published: Published) -> Path:
    """Write the statement's JSON and page; the page's path.

    Raises :class:`AlreadyExists` when another statement of the day is there: what was published stays.
    """
    content = published.statement
    location = content["location"]
    file: Path = directory / _folder(location) / f"{content['day']}.json"
    text = published.to_json()
    if file.exists() and _differs(file, published):
        raise AlreadyExists(
            "PUBLISHED_OTHERWISE",
            f"{file} is another statement of this day than the one that the service has",
            field="--dir",
            remedy="Find out which of the two was published first, and keep it; verify shows what differs.",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, text)
    page = file.with_suffix(".html")
    before = "" if content["previous"] == GENESIS else _eve(content["day"])
    _write(
        page,
        _template("statement.html.j2").render(
            statement=content,
            name=words.place(location),
            zone=zone_of(location),
            items=_items(content["levels"]),
            movements=[_movement(move, location) for move in content["movements"]],
            refusals=content["refusals"],
            signature=base64.b64encode(published.signature).decode(),
            key_id=published.key_id,
            json_name=file.name,
            before=before,
            before_page=page.with_name(f"{before}.html").exists(),
        ),
    )
    return page


def write_keys(directory: Path, current: str, used: Mapping[str, str]) -> None:
    """Write the public key, and every key that statements were signed with under its id."""
    directory.joinpath("keys").mkdir(parents=True, exist_ok=True)
    for key_id, pem in used.items():
        _write(directory / "keys" / f"{key_id}.pem", pem)
    _write(directory / "key.pem", current)


def write_index(directory: Path, key_id: str) -> Path:
    """Write the index of all that is published in the folder; its path."""
    rows = [_row(folder) for folder in directory.iterdir() if _days(folder)]
    # The centre first: everything comes from there.
    rows.sort(key=lambda row: (row["location"] != CENTRE, row["location"]))
    page: Path = directory / "index.html"
    _write(page, _template("statements.html.j2").render(rows=rows, key_id=key_id))
    return page


def _row(folder: Path) -> dict[str, Any]:
    *earlier, newest = _days(folder)
    latest = Published.from_json((folder / f"{newest}.json").read_text(encoding="utf-8")).statement
    levels = [level for level in latest["levels"] if level["item"] == "blank"]
    return {
        "location": latest["location"],
        "name": words.place(latest["location"]),
        "folder": folder.name,
        "days": earlier[-_DAYS_LINKED:],
        "latest": newest,
        "blanks": _sum(levels, "on-hand", "closing"),
        "used": _sum(levels, "consumed", "added"),
        "sent_away": sum(refused["people"] for refused in latest["refusals"]),
        "contradicted": any(refused["on_hand"] > 0 for refused in latest["refusals"]),
    }


def _differs(file: Path, published: Published) -> bool:
    try:
        return Published.from_json(file.read_text(encoding="utf-8")) != published
    except ValueError:
        return False  # no statement at all: a file that an accident left


def _days(folder: Path) -> list[str]:
    """Days of the statements in a location's folder, in their order."""
    return sorted(file.stem for file in folder.glob("[0-9]*-[0-9]*-[0-9]*.json"))


def _write(file: Path, text: str) -> None:
    content = text.encode()
    if not file.exists() or file.read_bytes() != content:
        write_new(file, content, mode=0o644)


def _template(name: str) -> Any:
    environment = Environment(
        loader=PackageLoader("cli", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    for each in (words.thousands, words.long_day, words.clock, words.kind, words.item):
        environment.filters[each.__name__] = each
    return environment.get_template(name)


def _items(levels: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Levels by item, blanks first, each in the order in which stock is lived with."""
    names = sorted({level["item"] for level in levels}, key=lambda item: (item != "blank", item))
    found = []
    for item in names:
        own = [level for level in levels if level["item"] == item]
        found.append(
            {
                "item": item,
                "levels": [
                    {**level, "words": words.condition(level["condition"])}
                    for level in sorted(own, key=lambda each: words.rank(each["condition"]))
                ],
                "free": _sum(own, "on-hand", "closing"),
                "used": _sum(own, "consumed", "added"),
            }
        )
    return found


def _sum(levels: Iterable[Mapping[str, Any]], condition: str, figure: str) -> int:
    return sum(level[figure] for level in levels if level["condition"] == condition)


def _movement(move: Mapping[str, Any], location: str) -> dict[str, Any]:
    """A movement with its places by name, and whether it came in, went out or stayed in the house."""
    source, target = Account.parse(move["from"]), Account.parse(move["to"])
    inward, outward = target.place == location, source.place == location
    return {
        **move,
        "source": _account(source, location),
        "target": _account(target, location),
        "net": "within" if inward and outward else "in" if inward else "out",
    }


def _account(account: Account, location: str) -> str:
    of = words.condition(account.condition).indonesian
    return of if account.place == location else f"{words.place(account.place)}: {of.lower()}"


def _eve(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _folder(location: str) -> str:
    return location.replace(":", "_")
