"""What a statement says, as canonical JSON (RFC 8785), over which hash and signature are made.

A statement is published. It names places, items, quantities and times, and no person. ``docs/statements.md``
has the format for whoever checks one without this program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from services.common.canonical import canonical
from services.common.zones import zone_of
from services.inventory.ledger import days

FORMAT: Final = "tunggal.stock-statement/1"
#: What the first statement of a location has in place of the hash before it.
GENESIS: Final = "0" * 64


@dataclass(frozen=True)
class Movement:
    """All bookings of one kind between the same two accounts on one day."""

    kind: str
    item: str
    source: str
    target: str
    quantity: int
    transfers: int
    #: Of these transfers, those of events on an earlier day, told on this one.
    late: int


@dataclass(frozen=True)
class Refused:
    """People who were sent away for want of stock, and what the books had at that moment."""

    time: datetime
    #: When it was recorded.
    told: datetime
    item: str
    people: int
    reason: str
    on_hand: int


@dataclass(frozen=True)
class Level:
    """One item in one condition over the day."""

    item: str
    condition: str
    opening: int
    added: int
    removed: int
    closing: int


@dataclass(frozen=True)
class Day:
    """What happened at a location on one closed day of the ledger."""

    location: str
    day: date
    levels: tuple[Level, ...]
    movements: tuple[Movement, ...]
    refusals: tuple[Refused, ...]


def write(day: Day, *, sequence: int, previous: str, issued: datetime) -> str:
    """The statement as canonical JSON: ``sequence`` counts from 1 at each location, ``previous`` is the hash
    of the statement before.
    """
    return canonical(
        {
            "format": FORMAT,
            "location": day.location,
            "day": day.day.isoformat(),
            "from": moment(days.start_of(day.day)),
            "until": moment(days.end_of(day.day)),
            "zone": zone_of(day.location).name,
            "sequence": sequence,
            "previous": previous,
            "issued": moment(issued),
            "levels": [vars(level) for level in day.levels],
            "movements": [
                {
                    "kind": movement.kind,
                    "item": movement.item,
                    "from": movement.source,
                    "to": movement.target,
                    "quantity": movement.quantity,
                    "transfers": movement.transfers,
                    "late": movement.late,
                }
                for movement in day.movements
            ],
            "refusals": [
                {**vars(refused), "time": moment(refused.time), "told": moment(refused.told)}
                for refused in day.refusals
            ],
        }
    )


def levels(
    opening: Mapping[tuple[str, str], int], moved: Iterable[tuple[str, str, int, int, int]]
) -> tuple[Level, ...]:
    """Levels from the balances (item, condition) on the eve and what moved: item, condition, added, removed,
    balance. What had nothing and saw nothing is left out.
    """
    found = {key: Level(*key, balance, 0, 0, balance) for key, balance in opening.items() if balance}
    for item, condition, added, removed, closing in moved:
        found[item, condition] = Level(item, condition, closing - added + removed, added, removed, closing)
    return tuple(found[key] for key in sorted(found))


def digest(content: str) -> str:
    """SHA-256 of a statement's canonical JSON, hexadecimal: what the next one carries as ``previous``."""
    return hashlib.sha256(content.encode()).hexdigest()


def moment(time: datetime) -> str:
    """A moment as statements have it: UTC, whole seconds, so that moments sort as text."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
