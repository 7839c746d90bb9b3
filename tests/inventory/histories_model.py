"""Where every blank and every roll is, with no database: what random histories are held against."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from tunggal.inventory.v1 import stock_pb2

from services.inventory.ledger.serials import SerialRange, ordered
from tests.inventory.inventory_office import BEKASI, CENTRE, DKI

PLACES = st.sampled_from([CENTRE, DKI, BEKASI, f"{BEKASI}:mall-01"])
FEW = st.integers(1, 9)
BLANKS, ROLLS = 60, 40


class Model:
    """Where every blank and every roll is, with no database."""

    def __init__(self) -> None:
        self.blanks: dict[int, tuple[str, str]] = dict.fromkeys(range(1, BLANKS + 1), (CENTRE, "on-hand"))
        self.rolls: Counter[tuple[str, str]] = Counter({(CENTRE, "on-hand"): ROLLS})

    def at(self, place: str, condition: str) -> list[int]:
        return sorted(serial for serial, where in self.blanks.items() if where == (place, condition))

    def put(self, serials: list[int], place: str, condition: str) -> None:
        self.blanks.update(dict.fromkeys(serials, (place, condition)))

    def roll(self, quantity: int, source: tuple[str, str], target: tuple[str, str]) -> None:
        self.rolls[source] -= quantity
        self.rolls[target] += quantity

    def balances(self) -> dict[str, int]:
        found = Counter(f"{place}/blank/{condition}" for place, condition in self.blanks.values())
        rolls = {f"{place}/ribbon/{condition}": n for (place, condition), n in self.rolls.items() if n}
        return {**found, **rolls}


def spans(serials: list[int]) -> list[stock_pb2.SerialRange]:
    joined = ordered((SerialRange(n, n) for n in serials), "serials")
    return [stock_pb2.SerialRange(first=one.first, last=one.last) for one in joined]
