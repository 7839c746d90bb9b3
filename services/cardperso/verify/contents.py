"""What a chip says of its holder, for people to look at."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from services.cardperso.chip import biodata, fingers, lds
from services.cardperso.chip.fingers import StoredFinger
from services.cardperso.chip.profile import ChipFile, Profile
from services.cardperso.chip.refusal import ChipRefusal
from services.cardperso.images import open_image
from services.cardperso.tlv import TlvError

_LINE = 30


@dataclass
class Contents:
    """Fields by name in the order of the card, pictures as PNG files, fingers."""

    fields: dict[str, str] = field(default_factory=dict)
    portrait: bytes = b""
    signature: bytes = b""
    fingers: list[StoredFinger] = field(default_factory=list)


def read(profile: Profile, files: Mapping[str, bytes]) -> Contents:
    """What the files say. A file that makes no sense is left out: whether it is genuine is for passive
    authentication to say, and what was signed was readable.
    """
    found = Contents()
    for file in profile.files:
        reader = _READERS.get(file.encoder)
        if reader is None or file.key not in files:
            continue
        try:
            reader(found, file, files[file.key])
        except (TlvError, ValueError, IndexError, ChipRefusal):
            continue
    return found


def _biodata(found: Contents, _file: ChipFile, content: bytes) -> None:
    for name, value in biodata.decode(content).items():
        if isinstance(value, Enum):
            found.fields[name] = value.name
        else:
            found.fields[name] = value.isoformat() if isinstance(value, dt.date) else str(value)


def _zone(found: Contents, _file: ChipFile, content: bytes) -> None:
    zone = lds.read_dg1(content)
    for number, at in enumerate(range(0, len(zone), _LINE), 1):
        found.fields[f"mrz_{number}"] = zone[at : at + _LINE]


def _portrait(found: Contents, _file: ChipFile, content: bytes) -> None:
    found.portrait = _png(content)


def _face_record(found: Contents, _file: ChipFile, content: bytes) -> None:
    found.portrait = _png(lds.read_dg2(content))


def _signature(found: Contents, _file: ChipFile, content: bytes) -> None:
    found.signature = _png(content)


def _finger(found: Contents, _file: ChipFile, content: bytes) -> None:
    found.fingers.append(fingers.decode(content))


def _png(picture: bytes) -> bytes:
    file = io.BytesIO()
    open_image(picture, "picture on the chip").save(file, "PNG")
    return file.getvalue()


_READERS: dict[str, Callable[[Contents, ChipFile, bytes], None]] = {
    "biodata": _biodata,
    "mrz-td1": _zone,
    "portrait": _portrait,
    "face-record": _face_record,
    "signature": _signature,
    "finger": _finger,
}
