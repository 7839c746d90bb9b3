"""ISO/IEC 19794-2:2005 finger minutiae records (FMR): reading and writing.

Extended data is read over and not interpreted, and never written: public programs disagree on whether its
length counts its own header.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.abis.formats.fields import Layout, Reader
from services.abis.formats.minutiae import (
    MAX_POSITION,
    FingerMinutiae,
    Minutia,
    read_minutiae,
    read_position,
    write_minutiae,
)

MAGIC = b"FMR\0"
VERSION = b" 20\0"
ANGLE_STEPS = 256
ANGLE_UNIT = 360.0 / ANGLE_STEPS
"""Degrees of one step of a stored angle."""
# device: 4 bits certification, 12 bits id; resolutions in pixels per centimetre.
_HEADER = Layout(
    "record header",
    "length:I device:H width:H height:H resolution_x:H resolution_y:H views:B reserved:B",
)
# packed: 4 bits view number, 4 bits impression type
_VIEW = Layout("finger view header", "position:B packed:B quality:B minutiae:B")
_EXTENDED = Layout("length of the extended data", "length:H")


@dataclass(frozen=True)
class FingerView:
    """One impression of one finger. position: code of ISO/IEC 19794-2 table 2 (0 unknown, 1 right thumb …
    10).
    """

    position: int
    minutiae: tuple[Minutia, ...]
    view: int = 0
    impression: int = 0
    quality: int = 0


@dataclass(frozen=True)
class FingerMinutiaeRecord:
    """A whole record; resolutions in pixels per centimetre (197 is 500 dpi)."""

    width: int
    height: int
    resolution_x: int
    resolution_y: int
    fingers: tuple[FingerView, ...]
    device: int = 0
    certification: int = 0

    def impressions(self) -> tuple[FingerMinutiae, ...]:
        """What it says of each finger."""
        size = (self.width, self.height, self.resolution_x, self.resolution_y)
        return tuple(FingerMinutiae(v.position, *size, ANGLE_UNIT, v.minutiae) for v in self.fingers)


def write(record: FingerMinutiaeRecord) -> bytes:
    """Encode a record; ValueError where a number does not fit its field."""
    body = b"".join(write_view(view, steps=ANGLE_STEPS) + _EXTENDED.pack(length=0) for view in record.fingers)
    start = MAGIC + VERSION
    return (
        start
        + _HEADER.pack(
            length=len(start) + _HEADER.size + len(body),
            device=record.certification << 12 | record.device,
            width=record.width,
            height=record.height,
            resolution_x=record.resolution_x,
            resolution_y=record.resolution_y,
            views=len(record.fingers),
            reserved=0,
        )
        + body
    )


def read(data: bytes, *, field: str = "record") -> FingerMinutiaeRecord:
    """Decode a record.

    Raises InvalidArgument with the offset of what is wrong: TEMPLATE_HEADER (format identifier, version,
    reserved byte), TEMPLATE_LENGTH (declared and true length differ, or the record ends early),
    TEMPLATE_VALUE (a value that the standard excludes).
    """
    reader = Reader(data, "ISO/IEC 19794-2:2005", field)
    reader.constant(MAGIC, "format identifier")
    reader.constant(VERSION, "version")
    head = reader.take(_HEADER)
    reader.declared(head["length"], head.offset("length"))
    if head["reserved"]:
        raise reader.error("HEADER", head.offset("reserved"), "The reserved byte is not zero.")
    size = tuple(head[name] for name in ("width", "height", "resolution_x", "resolution_y"))
    if not all(size):
        raise reader.error("VALUE", head.offset("width"), "Image size and resolution must not be zero.")
    fingers = []
    for _ in range(head["views"]):
        fingers.append(read_view(reader, head["width"], head["height"], steps=ANGLE_STEPS))
        reader.raw(reader.take(_EXTENDED)["length"], "extended data")
    reader.end()
    width, height, rx, ry = size
    return FingerMinutiaeRecord(
        width, height, rx, ry, tuple(fingers), head["device"] & 0xFFF, head["device"] >> 12
    )


def read_view(reader: Reader, width: int, height: int, *, steps: int) -> FingerView:
    """A finger view up to its extended data; ANSI/INCITS 378-2004 has the same."""
    head = reader.take(_VIEW)
    read_position(reader, head["position"], head.at)
    if head["quality"] > 100:
        at = head.offset("quality")
        raise reader.error("VALUE", at, f"Finger quality {head['quality']} is above 100.")
    minutiae = read_minutiae(reader, head["minutiae"], width, height, steps=steps)
    return FingerView(head["position"], minutiae, head["packed"] >> 4, head["packed"] & 0xF, head["quality"])


def write_view(view: FingerView, *, steps: int) -> bytes:
    """What read_view reads; ValueError where a number does not fit its field."""
    fits = view.position <= MAX_POSITION and view.quality <= 100
    if not fits or not (0 <= view.view <= 15 and 0 <= view.impression <= 15):
        raise ValueError(
            f"The finger view header cannot hold {view.position=}, {view.quality=}, {view.view=}."
        )
    head = _VIEW.pack(
        position=view.position,
        packed=view.view << 4 | view.impression,
        quality=view.quality,
        minutiae=len(view.minutiae),
    )
    return head + write_minutiae(view.minutiae, steps=steps)
