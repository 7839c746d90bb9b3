"""What anyone can check about published statements, with nothing but the public key: that the service signed
them, that none is missing or changed, that each day begins as the day before ended, and that its sums are
right.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from services.common.canonical import canonical
from services.common.zones import zone_of
from services.inventory.ledger import days
from services.inventory.statement.content import FORMAT, GENESIS, digest, moment
from services.inventory.statement.signing import is_signed


@dataclass(frozen=True)
class Published:
    """A statement as it is published: its content, and the signature over it."""

    content: str
    signature: bytes
    key_id: str

    @property
    def statement(self) -> dict[str, Any]:
        """The content, parsed."""
        parsed: dict[str, Any] = json.loads(self.content)
        return parsed

    def to_json(self) -> str:
        """The file that is published."""
        signature = base64.b64encode(self.signature).decode()
        envelope = {"statement": self.statement, "key_id": self.key_id, "signature": signature}
        return json.dumps(envelope, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Published:
        """The statement in a published file. Raises :class:`ValueError` when it is none."""
        try:
            envelope = json.loads(text, object_pairs_hook=_once)
            statement = envelope["statement"]
            if not isinstance(statement, dict):
                raise TypeError("the statement is no object")
            signature = base64.b64decode(envelope["signature"], validate=True)
            content = canonical(statement)
            content.encode()  # half a surrogate pair is no text that anybody could have signed
            return cls(content, signature, str(envelope["key_id"]))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"not a stock statement: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different: with one twice, two readers might read two statements."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name is there twice in one object")
    return made


def faults(published: Sequence[Published], keys: Mapping[str, bytes]) -> list[str]:
    """What is wrong with the statements of one location, in order of their days; empty when nothing is.

    ``keys`` are the trusted public keys (PEM) by key id. A chain may begin on any day: what was before cannot
    be told from what is there.
    """
    found: list[str] = []
    before: dict[str, Any] | None = None
    before_digest = ""
    for each in published:
        statement = each.statement
        name = f"{statement.get('location')} {statement.get('day')}"
        key = keys.get(each.key_id)
        if key is None:
            found.append(f"{name}: signed with the unknown key {each.key_id[:16]}…")
        elif not is_signed(key, each.content, each.signature):
            found.append(f"{name}: the signature does not fit: the statement was changed")
        try:
            found += [f"{name}: {fault}" for fault in _own_faults(statement)]
            if before is not None:
                found += [f"{name}: {fault}" for fault in _chain_faults(statement, before, before_digest)]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            found.append(f"{name}: a part of the statement is missing or malformed ({error})")
        before, before_digest = statement, digest(each.content)
    return found


def _own_faults(statement: dict[str, Any]) -> list[str]:
    if statement["format"] != FORMAT:
        return [f"unknown format {statement['format']!r}"]
    found = []
    day = date.fromisoformat(statement["day"])
    first, after = moment(days.start_of(day)), moment(days.end_of(day))
    if (statement["from"], statement["until"]) != (first, after):
        found.append("from and until are not the day's midnights in Jakarta")
    if statement["zone"] != zone_of(statement["location"]).name:
        found.append(f"{statement['zone']} is not the time of this location")
    if any(not first <= refused["told"] < after for refused in statement["refusals"]):
        found.append("a refusal was recorded on another day")
    if (statement["sequence"] == 1) != (statement["previous"] == GENESIS):
        found.append("only the first statement follows nothing")
    added: Counter[tuple[str, str]] = Counter()
    removed: Counter[tuple[str, str]] = Counter()
    place = f"{statement['location']}/"
    for movement in statement["movements"]:
        for account, sums in ((movement["to"], added), (movement["from"], removed)):
            if account.startswith(place):
                sums[movement["item"], account.rpartition("/")[2]] += movement["quantity"]
    for level in statement["levels"]:
        key = level["item"], level["condition"]
        if level["opening"] + level["added"] - level["removed"] != level["closing"]:
            found.append(f"{key[0]} {key[1]}: opening + added - removed is not closing")
        if (level["added"], level["removed"]) != (added.pop(key, 0), removed.pop(key, 0)):
            found.append(f"{key[0]} {key[1]}: the movements do not add up to what was added and removed")
    found += [f"{item} {condition}: moved, but has no level" for item, condition in {**added, **removed}]
    return found


def _chain_faults(statement: dict[str, Any], before: dict[str, Any], before_digest: str) -> list[str]:
    found = []
    if statement["location"] != before["location"]:
        found.append(f"follows a statement of {before['location']}")
    if statement["day"] == before["day"]:
        return [*found, "there are two different statements of this day"]
    if statement["previous"] != before_digest:
        found.append("does not follow the statement before it: one was changed, left out or put in")
    if statement["sequence"] != before["sequence"] + 1:
        found.append(f"number {statement['sequence']} follows number {before['sequence']}")
    if date.fromisoformat(statement["day"]) != date.fromisoformat(before["day"]) + timedelta(1):
        found.append(f"follows {before['day']}")
    opening = {(level["item"], level["condition"]): level["opening"] for level in statement["levels"]}
    closing = {(level["item"], level["condition"]): level["closing"] for level in before["levels"]}
    for key in sorted(opening.keys() | closing.keys()):
        if opening.get(key, 0) != closing.get(key, 0):
            item, condition = key
            found.append(
                f"{item} {condition}: begins with {opening.get(key, 0)}, the day before ended with "
                f"{closing.get(key, 0)}"
            )
    return found
