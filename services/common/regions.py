"""Regions as tables are asked for them: a province ``32``, a regency ``32.16``, a site ``32.16:MALL``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_COUNTRY = frozenset({"", "ID"})


def in_region(place: sa.ColumnElement[Any], region: str) -> list[sa.ColumnElement[bool]]:
    """Conditions: the place is the region or below it; nothing for the country (empty or ``ID``)."""
    if region in _COUNTRY:
        return []
    below = (place.startswith(f"{region}{mark}", autoescape=True) for mark in ".:")
    return [sa.or_(place == region, *below)]
