"""Where stock can be: the centre ``ID``, a province ``32``, a regency ``32.16`` or a site ``32.16:mall-01``.

Codes are checked for their form only. Which regions exist, and in which vintage, is the knowledge of enroll.
"""

from __future__ import annotations

import re
from typing import NewType

from services.common.errors import InvalidArgument

#: A well-formed location code.
Location = NewType("Location", str)

#: The national warehouse, where lots of the suppliers arrive.
CENTRE = Location("ID")

_FORM = re.compile(r"ID|[0-9]{2}(?:\.[0-9]{2}(?::[a-z0-9-]{1,32})?)?")


def is_location(text: str) -> bool:
    """``text`` has the form of a location code."""
    return _FORM.fullmatch(text) is not None


def parse(code: str, field: str) -> Location:
    """The location that ``code`` writes; ``field`` is the request's field that a refusal points at.

    Raises :class:`InvalidArgument` with reason ``LOCATION_MALFORMED``.
    """
    if not is_location(code):
        raise InvalidArgument(
            "LOCATION_MALFORMED",
            f"{code!r} is not a location code.",
            field=field,
            remedy="Write ID (centre), 32 (province), 32.16 (regency) or 32.16:mall-01 (site).",
        )
    return Location(code)
