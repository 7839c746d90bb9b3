"""The directory of the KTP application: version of the layout, and the data groups that are present."""

from __future__ import annotations

from collections.abc import Iterable

from services.cardperso import tlv

_VERSION = b"0200"


def encode(groups: Iterable[int]) -> bytes:
    """Content of the file (tags as in EF.COM, ICAO Doc 9303-10, 4.6.1)."""
    return tlv.encode(0x60, tlv.encode(0x5F01, _VERSION) + tlv.encode(0x5C, bytes(groups)))
