"""Which part of the country has which time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.common.zones import zone_of


@pytest.mark.parametrize(
    ("place", "name", "clock"),
    [
        ("ID", "Asia/Jakarta", "07:00 WIB"),
        ("32.16:mall-01", "Asia/Jakarta", "07:00 WIB"),
        ("61", "Asia/Jakarta", "07:00 WIB"),
        ("63.71", "Asia/Makassar", "08:00 WITA"),
        ("51", "Asia/Makassar", "08:00 WITA"),
        ("91.71", "Asia/Jayapura", "09:00 WIT"),
        ("82.71", "Asia/Jayapura", "09:00 WIT"),
    ],
)
def test_a_place_has_the_time_of_its_province(place: str, name: str, clock: str) -> None:
    zone = zone_of(place)
    assert (zone.name, zone.short) == (name, clock[6:])
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    assert f"{midnight.astimezone(zone.offset):%H:%M %Z}" == clock
