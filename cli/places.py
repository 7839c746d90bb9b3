"""Locations for people: "Kabupaten Bekasi" beside 32.16, and the time that it is there."""

from __future__ import annotations

from datetime import datetime

import typer

from services.common.errors import NotFound
from services.common.zones import WIB, zone_of
from services.enroll.regions import bundled

CENTRE = "ID"


def name_of(location: str) -> str:
    """The name of a location; a site has its own word after the regency's, an unknown code none."""
    if location == CENTRE:
        return "Centre"
    code, _, site = location.partition(":")
    region = bundled().get(code)
    name = "" if region is None else _title(region.name)
    return f"{name}, {site}" if site else name


def require_known(location: str) -> None:
    """Raises :class:`NotFound` for a code that no province or regency ever had. For what the books know
    nothing of: a code of tomorrow may have stock already.
    """
    code = location.partition(":")[0]
    if code in ("", CENTRE) or code in bundled():
        return
    province = bundled().get(code[:2])
    raise NotFound(
        "LOCATION_UNKNOWN",
        f"No province or regency has the code {code}.",
        field="location",
        remedy=f"Codes are those of the civil registry: {code[:2]}.01 and so on in {_title(province.name)}."
        if province
        else "Codes are those of the civil registry: 32 is Jawa Barat, 32.16 Kabupaten Bekasi.",
    )


def warn_unknown(location: str) -> None:
    """Tell whoever sends stock, or asks for it, of a code that no region ever had. It is no error: a region
    of tomorrow is in the books before it is in this table.
    """
    try:
        require_known(location)
    except NotFound as unknown:
        typer.echo(f"note: {unknown.message} Is it mistyped?", err=True)


def local_time(moment: datetime, location: str) -> str:
    """An aware moment as "2026-03-02 08:30 WIB", in the location's own time."""
    zone = zone_of(location)
    return f"{moment.astimezone(zone.offset):%Y-%m-%d %H:%M} {zone.short}"


def national_time(moment: datetime) -> str:
    """An aware moment as "2026-03-02 08:30" in Jakarta's time (WIB), whose days are the ledger's."""
    return f"{moment.astimezone(WIB.offset):%Y-%m-%d %H:%M}"


def parent_of(location: str) -> str | None:
    """What a location lies in: a site in its regency, that in its province, that under the centre."""
    if location == CENTRE:
        return None
    if ":" in location:
        return location.partition(":")[0]
    return location[:2] if "." in location else CENTRE


def _title(name: str) -> str:
    return name.title() if name.isupper() else name
