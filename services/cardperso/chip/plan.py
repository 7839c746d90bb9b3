"""The whole content of a chip, complete and within its budget before any card is touched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from services.cardperso import tlv
from services.cardperso.chip import biodata, fingers, portrait
from services.cardperso.chip.profile import KTP, ChipFile, Profile
from services.cardperso.chip.refusal import ChipRefusal, over_budget
from services.cardperso.holder import Holder

_SHA256 = b"\x01"


@dataclass(frozen=True)
class ChipPlan:
    """Files of a profile with their content, in the order in which they are written."""

    profile: Profile
    contents: tuple[tuple[ChipFile, bytes], ...]

    def content(self, key: str) -> bytes:
        """Content of the file with this key."""
        return next(content for file, content in self.contents if file.key == key)

    @property
    def eeprom(self) -> int:
        """Bytes of EEPROM that the application takes, the card's own overhead included."""
        overhead = self.profile.file_overhead * (1 + len(self.contents))
        return overhead + sum(len(content) for _, content in self.contents)


def plan(holder: Holder, profile: Profile = KTP) -> ChipPlan:
    """Encode a holder for the chip. The same holder gives the same bytes, so a torn card can be written
    again.

    Raises:
        ChipRefusal: a biometric is missing or unreadable, a text cannot be encoded, or a budget is exceeded.
    """
    if not holder.fingers:
        raise ChipRefusal(
            "FINGER_MISSING",
            "The record has no finger for the chip.",
            field="fingers",
            size=0,
            remedy="Capture at least one finger of usable quality.",
        )
    groups = {
        "biodata": biodata.encode(holder),
        "portrait": portrait.portrait(holder.face, profile.file("portrait").budget),
        "signature": portrait.signature(holder.signature, profile.file("signature").budget),
    }
    for number, given in enumerate(holder.fingers[:2]):
        key = f"finger{number + 1}"
        groups[key] = fingers.finger(given, f"fingers[{number}]", profile.file(key).budget)
    present = [file for file in profile.files if file.key in groups]
    everything = {
        "directory": directory([file.number for file in present]),
        **groups,
        "hashes": hashes({file.number: groups[file.key] for file in present}),
    }
    contents = tuple((file, everything[file.key]) for file in profile.files if file.key in everything)
    for file, content in contents:
        if len(content) > file.budget:
            raise over_budget(file.key, len(content), file.budget, "Shorten the longest texts.")
    complete = ChipPlan(profile, contents)
    if complete.eeprom > profile.capacity:
        raise over_budget("chip", complete.eeprom, profile.capacity, "Choose a profile with smaller files.")
    return complete


def directory(numbers: list[int]) -> bytes:
    """EF.COM: version of this layout and the data groups that are present (tags as in ICAO 9303-10,
    4.6.1).
    """
    return tlv.encode(0x60, tlv.encode(0x5F01, b"0100") + tlv.encode(0x5C, bytes(numbers)))


def hashes(groups: dict[int, bytes]) -> bytes:
    """SHA-256 of every data group, by number: what a security object will sign."""
    entries = b"".join(
        tlv.encode(0x81, bytes([number]) + hashlib.sha256(content).digest())
        for number, content in groups.items()
    )
    return tlv.encode(0x70, tlv.encode(0x80, _SHA256) + entries)
