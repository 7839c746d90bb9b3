"""Names of locations for people: "Kabupaten Bekasi" beside 32.16."""

from __future__ import annotations

from services.enroll.regions import bundled

CENTRE = "ID"


def name_of(location: str) -> str:
    """The name of a location; a site has its own word after the regency's, an unknown code none."""
    if location == CENTRE:
        return "Centre"
    code, _, site = location.partition(":")
    region = bundled().get(code)
    name = (
        region.name.title() if region is not None and region.name.isupper() else region.name if region else ""
    )
    return f"{name}, {site}" if site else name


def parent_of(location: str) -> str | None:
    """What a location lies in: a site in its regency, that in its province, that under the centre."""
    if location == CENTRE:
        return None
    if ":" in location:
        return location.partition(":")[0]
    return location[:2] if "." in location else CENTRE
