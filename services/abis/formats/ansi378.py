"""ANSI/INCITS 378-2004 finger minutiae records: reading and writing.

The parent of ISO/IEC 19794-2:2005, with the same views. What differs: the length has two bytes (or six, the
first two zero), the format's owner and product stand in the header, angles have steps of 2 degrees, and the
extended data is interpreted (services/abis/formats/extended.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from services.abis.formats.extended import Area, read_areas, write_areas
from services.abis.formats.fields import Layout, Reader
from services.abis.formats.iso19794_2 import MAGIC, VERSION, FingerView, read_view, write_view
from services.abis.formats.minutiae import FingerMinutiae

ANGLE_STEPS = 180
ANGLE_UNIT = 2.0
"""Degrees of one step of a stored angle."""
_SHORT = Layout("record length", "length:H")
_LONG = Layout("record length", "length:I")
# owner, subformat: CBEFF product identifier; device: 4 bits compliance, 12 bits id
_HEADER = Layout(
    "record header",
    "owner:H subformat:H device:H width:H height:H resolution_x:H resolution_y:H views:B reserved:B",
)


@dataclass(frozen=True)
class Ansi378View(FingerView):
    """One impression of one finger, with its extended data."""

    areas: tuple[Area, ...] = ()


@dataclass(frozen=True)
class Ansi378Record:
    """A whole record; resolutions in pixels per centimetre, owner and subformat by the IBIA's registry."""

    width: int
    height: int
    resolution_x: int
    resolution_y: int
    fingers: tuple[Ansi378View, ...] = field(default=())
    owner: int = 0
    subformat: int = 0
    device: int = 0
    compliance: int = 0

    def impressions(self) -> tuple[FingerMinutiae, ...]:
        """What it says of each finger."""
        size = (self.width, self.height, self.resolution_x, self.resolution_y)
        return tuple(FingerMinutiae(v.position, *size, ANGLE_UNIT, v.minutiae) for v in self.fingers)


def write(record: Ansi378Record) -> bytes:
    """Encode a record; ValueError where a number does not fit its field."""
    views = (write_view(view, steps=ANGLE_STEPS) + write_areas(view.areas) for view in record.fingers)
    rest = _HEADER.pack(
        owner=record.owner,
        subformat=record.subformat,
        device=record.compliance << 12 | record.device,
        width=record.width,
        height=record.height,
        resolution_x=record.resolution_x,
        resolution_y=record.resolution_y,
        views=len(record.fingers),
        reserved=0,
    ) + b"".join(views)
    start = MAGIC + VERSION
    short = len(start) + _SHORT.size + len(rest)
    if short <= 0xFFFF:
        return start + _SHORT.pack(length=short) + rest
    return start + _SHORT.pack(length=0) + _LONG.pack(length=short + _LONG.size) + rest


def read(data: bytes, *, field: str = "record") -> Ansi378Record:
    """Decode a record; InvalidArgument as of the ISO reader (services/abis/formats/iso19794_2.py)."""
    reader = Reader(data, "ANSI/INCITS 378-2004", field)
    reader.constant(MAGIC, "format identifier")
    reader.constant(VERSION, "version")
    length = reader.take(_SHORT)
    if not length["length"]:
        length = reader.take(_LONG)
    reader.declared(length["length"], length.at)
    head = reader.take(_HEADER)
    if head["reserved"]:
        raise reader.error("HEADER", head.offset("reserved"), "The reserved byte is not zero.")
    size = tuple(head[name] for name in ("width", "height", "resolution_x", "resolution_y"))
    if not all(size):
        raise reader.error("VALUE", head.offset("width"), "Image size and resolution must not be zero.")
    fingers = []
    for _ in range(head["views"]):
        view = read_view(reader, head["width"], head["height"], steps=ANGLE_STEPS)
        bare = Ansi378View(view.position, view.minutiae, view.view, view.impression, view.quality)
        fingers.append(replace(bare, areas=read_areas(reader)))
    reader.end()
    width, height, rx, ry = size
    return Ansi378Record(
        width,
        height,
        rx,
        ry,
        tuple(fingers),
        head["owner"],
        head["subformat"],
        head["device"] & 0xFFF,
        head["device"] >> 12,
    )
