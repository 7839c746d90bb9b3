"""The local day of a region: western, central and eastern Indonesian time."""

from __future__ import annotations

import datetime as dt

_WITA = {"51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"}
_WIT = {"81", "82", "91", "92", "93", "94", "95", "96"}


def local_day(now: dt.datetime, region: str) -> dt.date:
    """The date in a region (by its province's code; Keppres 41/1987): UTC+7, +8 or +9 the whole year."""
    province = region[:2]
    hours = 9 if province in _WIT else 8 if province in _WITA else 7
    return now.astimezone(dt.timezone(dt.timedelta(hours=hours))).date()
