"""The three time zones of the country, by province (Keppres 41/1987). None of them has summer time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, timezone


@dataclass(frozen=True)
class Zone:
    """A zone by its name in the tz database, as its people call it, and as an offset."""

    name: str
    short: str
    offset: timezone


WIB = Zone("Asia/Jakarta", "WIB", timezone(timedelta(hours=7), "WIB"))
WITA = Zone("Asia/Makassar", "WITA", timezone(timedelta(hours=8), "WITA"))
WIT = Zone("Asia/Jayapura", "WIT", timezone(timedelta(hours=9), "WIT"))

#: Provinces outside western time; later provinces keep the zone that they were split from.
_CENTRAL = frozenset({"51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"})
_EASTERN = frozenset({"81", "82", "91", "92", "93", "94", "95", "96"})


def zone_of(region: str) -> Zone:
    """The zone of a region of any level by its code, of a site in it, or of the centre (``ID``)."""
    province = region[:2]
    if province in _CENTRAL:
        return WITA
    return WIT if province in _EASTERN else WIB
