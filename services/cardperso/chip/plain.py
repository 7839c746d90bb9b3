"""The application of plain files that cards without card manager get: hashes instead of a signature,
everything free to read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from services.cardperso import tlv
from services.cardperso.chip import biodata, portrait
from services.cardperso.chip.encoders import Encoder, Material
from services.cardperso.chip.profile import ChipFile, Profile, Read
from services.cardperso.chip.refusal import ChipRefusal, MissingRefusal, over_budget

_SHA256 = b"\x01"
_MAGIC = b"FMR\0 20\0"
_MIN_BYTES = 28
"""Record header and the header of one finger view."""


def directory(numbers: list[int]) -> bytes:
    """EF.COM: version of this layout and the data groups that are present (tags as in ICAO 9303-10,
    4.6.1).
    """
    return tlv.encode(0x60, tlv.encode(0x5F01, b"0100") + tlv.encode(0x5C, bytes(numbers)))


def hashes(groups: Mapping[int, bytes]) -> bytes:
    """SHA-256 of every data group, by number."""
    entries = b"".join(
        tlv.encode(0x81, bytes([number]) + hashlib.sha256(content).digest())
        for number, content in groups.items()
    )
    return tlv.encode(0x70, tlv.encode(0x80, _SHA256) + entries)


def _finger(given: Material) -> bytes:
    rank = given.options["rank"]
    if len(given.holder.fingers) < rank:
        raise MissingRefusal(
            "FINGER_MISSING",
            "The record has no finger for the chip.",
            field="fingers",
            remedy="Capture at least one finger of usable quality.",
        )
    record, field = given.holder.fingers[rank - 1].template, f"fingers[{rank - 1}]"
    if len(record) > given.budget:
        raise over_budget(field, len(record), given.budget, "Keep the best minutiae only.")
    whole = len(record) >= _MIN_BYTES and record.startswith(_MAGIC)
    if not whole or int.from_bytes(record[8:12], "big") != len(record):
        raise ChipRefusal(
            "FINGER_UNREADABLE",
            f"{field} is no ISO/IEC 19794-2:2005 finger minutiae record.",
            field=field,
            size=len(record),
            remedy="Send the record that the ABIS made.",
        )
    return record


def _file(
    key: str,
    identifier: int,
    encoder: str,
    budget: int,
    number: int = 0,
    *,
    optional: bool = False,
    options: Mapping[str, int] | None = None,
) -> ChipFile:
    return ChipFile(key, identifier, encoder, budget, Read.FREE, number, optional, options or {})


KTP = Profile(
    name="ktp-plain-1",
    aid=b"\xf0TUNGGAL\x01",
    capacity=8192,
    file_overhead=32,
    files=(
        _file("directory", 0x011E, "directory", 32),
        _file("biodata", 0x0101, "biodata", 768, 1),
        _file("portrait", 0x0102, "portrait", 4096, 2),
        _file("signature", 0x0103, "signature", 1024, 3),
        _file("finger1", 0x0104, "finger", 400, 4, options={"rank": 1}),
        _file("finger2", 0x0105, "finger", 400, 5, optional=True, options={"rank": 2}),
        _file("hashes", 0x011D, "hashes", 1024),
    ),
    encoders={
        "biodata": Encoder(lambda given: biodata.encode(given.holder)),
        "portrait": Encoder(lambda given: portrait.portrait(given.holder.face, given.budget, (240, 320))),
        "signature": Encoder(lambda given: portrait.signature(given.holder.signature, given.budget)),
        "finger": Encoder(_finger),
        "directory": Encoder(lambda given: directory(list(given.groups)), for_group=False),
        "hashes": Encoder(lambda given: hashes(given.groups), for_group=False),
    },
)
