"""The local day of a region: western, central and eastern Indonesian time."""

from __future__ import annotations

import datetime as dt

from services.common.zones import zone_of


def local_day(now: dt.datetime, region: str) -> dt.date:
    """The date in a region, by its province's code."""
    return now.astimezone(zone_of(region).offset).date()
