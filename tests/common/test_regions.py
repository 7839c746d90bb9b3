"""A region as tables are asked for it: itself, what lies below, nobody else."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from services.common.db import Database
from services.common.regions import in_region

_PLACES = {"ID", "3", "32", "32.16", "32.16:MALL", "32.16.01", "32.1", "32_16", "321", "33.16", "32:DEPOT"}


def _asked(database: Database, region: str) -> set[str]:
    rows = sa.union_all(
        *(sa.select(sa.literal(place).label("place")) for place in sorted(_PLACES))
    ).subquery()
    with database.read() as connection:
        return set(connection.scalars(sa.select(rows.c.place).where(*in_region(rows.c.place, region))))


@pytest.mark.parametrize(
    ("region", "places"),
    [
        ("32.16", {"32.16", "32.16:MALL", "32.16.01"}),
        ("32.16:MALL", {"32.16:MALL"}),
        ("32", {"32", "32.16", "32.16:MALL", "32.16.01", "32.1", "32:DEPOT"}),
        ("31", set()),
        ("ID", _PLACES),
        ("", _PLACES),
        ("3%", set()),
        ("32_16", {"32_16"}),
    ],
)
def test_a_region_is_itself_and_all_below(database: Database, region: str, places: set[str]) -> None:
    assert _asked(database, region) == places
