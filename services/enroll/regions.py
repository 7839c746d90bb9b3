"""The country's regions by code, from the bundled table (see ``data/NOTICE``).

The table is the union of the vintages 2018 to 2025. A NIK names the district of *first* registration and
never changes, so a code that today's table no longer has is still a good one: look codes up here, whatever
their vintage.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timezone
from enum import IntEnum
from functools import cache
from importlib.resources import files

from services.common.zones import zone_of


class Level(IntEnum):
    """How deep a region lies; the number of parts in its code."""

    PROVINCE = 1
    REGENCY = 2
    DISTRICT = 3


@dataclass(frozen=True, slots=True)
class Region:
    """One province, regency (or city) or district.

    Attributes:
        code: Dotted code, for example ``32``, ``32.16`` or ``32.16.01``.
        name: Name in the newest vintage that has the code.
        first_vintage: Year of the first table with this code; 2018 means "2018 or before".
        last_vintage: Year of the last table with this code.
        population: People in 2025; None for districts and abolished codes.
    """

    code: str
    name: str
    first_vintage: int
    last_vintage: int
    population: int | None

    @property
    def level(self) -> Level:
        """Province, regency or district."""
        return Level(self.code.count(".") + 1)


@dataclass(frozen=True, slots=True)
class Places:
    """Names from a district upwards, as they are printed on a card."""

    province: str
    regency: str
    district: str


class Regions:
    """A region table that is read once and never changes."""

    def __init__(self, regions: Iterable[Region]) -> None:
        self._by_code = {region.code: region for region in regions}

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def __iter__(self) -> Iterator[Region]:
        return iter(self._by_code.values())

    def get(self, code: str) -> Region | None:
        """Returns the region with this code, or None."""
        return self._by_code.get(code)

    def places(self, district: str) -> Places:
        """Names a district and what it lies in.

        Raises:
            KeyError: The code is not in the table.
        """
        return Places(
            province=self._by_code[district[:2]].name,
            regency=self._by_code[district[:5]].name,
            district=self._by_code[district].name,
        )


def time_zone(code: str) -> timezone:
    """Returns the time zone (WIB, WITA, WIT) of a region of any level."""
    return zone_of(code).offset


@cache
def bundled() -> Regions:
    """Returns the table that comes with the package, loaded on first use."""
    table = (files(__package__) / "data" / "regions.csv").read_text(encoding="utf-8")
    return Regions(
        Region(
            code=row["code"],
            name=row["name"],
            first_vintage=int(row["first_vintage"]),
            last_vintage=int(row["last_vintage"]),
            population=int(row["population_2025"]) if row["population_2025"] else None,
        )
        for row in csv.DictReader(table.splitlines())
    )
