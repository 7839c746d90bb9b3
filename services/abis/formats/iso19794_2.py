r"""ISO/IEC 19794-2:2005 finger minutiae records (FMR): reading and writing.

All integers are big-endian. Record header (24 bytes): "FMR\\0", " 20\\0", total length (4), capture device
(2: 4 bits certification, 12 bits id), width, height, horizontal and vertical resolution in pixels per
centimetre (2 each), number of views (1), reserved (1). Each view: position (1), view number and impression
type (4 bits each), quality (1), number of minutiae (1), six bytes a minutia (2 bits type, 14 bits x; 2 bits
reserved, 14 bits y; angle in units of 1.40625 degrees; quality 0 to 100, 0 meaning not reported), then the
extended data: length (2) and content.

Extended data is read over and not interpreted, and never written: public programs disagree on whether its
length counts its own header.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from services.common.errors import InvalidArgument

MAGIC = b"FMR\0"
VERSION = b" 20\0"
ANGLE_UNIT = 360.0 / 256
"""Degrees of one step of a stored angle."""
MAX_COORDINATE = (1 << 14) - 1
_HEADER = struct.Struct(">4s4sIHHHHHBB")
_VIEW = struct.Struct(">BBBB")
_MINUTIA = struct.Struct(">HHBB")


class MinutiaType(IntEnum):
    """Kind of a minutia as the record stores it."""

    OTHER = 0
    ENDING = 1
    BIFURCATION = 2


@dataclass(frozen=True)
class FmrMinutia:
    """One minutia: pixels from the upper left corner, angle in steps of ANGLE_UNIT counter-clockwise from the
    right.
    """

    x: int
    y: int
    angle: int
    type: MinutiaType
    quality: int = 0


@dataclass(frozen=True)
class FingerView:
    """One impression of one finger. position: code of ISO/IEC 19794-2 table 2 (0 unknown, 1 right thumb …
    10).
    """

    position: int
    minutiae: tuple[FmrMinutia, ...]
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


def write(record: FingerMinutiaeRecord) -> bytes:
    """Encode a record; ValueError where a number does not fit its field."""
    body = b"".join(_write_view(view) for view in record.fingers)
    try:
        header = _HEADER.pack(
            MAGIC,
            VERSION,
            _HEADER.size + len(body),
            record.certification << 12 | record.device,
            record.width,
            record.height,
            record.resolution_x,
            record.resolution_y,
            len(record.fingers),
            0,
        )
    except struct.error as error:
        raise ValueError(f"The record header cannot hold these values: {error}") from error
    return header + body


def read(data: bytes, *, field: str = "record") -> FingerMinutiaeRecord:
    """Decode a record.

    Raises InvalidArgument with the offset of what is wrong: TEMPLATE_HEADER (format identifier, version,
    reserved byte), TEMPLATE_LENGTH (declared and true length differ, or the record ends early),
    TEMPLATE_VALUE (a value that the standard excludes).
    """
    reader = _Reader(data, field)
    magic, version, length, device, width, height, rx, ry, count, reserved = reader.take(
        _HEADER, "record header"
    )
    if magic != MAGIC:
        raise reader.error("TEMPLATE_HEADER", 0, f'The format identifier is {magic!r}, not "FMR".')
    if version != VERSION:
        raise reader.error("TEMPLATE_HEADER", 4, f'The version is {version!r}, not " 20" (2005).')
    if length != len(data):
        raise reader.error(
            "TEMPLATE_LENGTH", 8, f"The header declares {length} bytes; there are {len(data)}."
        )
    if reserved != 0:
        raise reader.error("TEMPLATE_HEADER", 23, "The reserved byte is not zero.")
    if not width or not height or not rx or not ry:
        raise reader.error("TEMPLATE_VALUE", 14, "Image size and resolution must not be zero.")
    fingers = tuple(_read_view(reader, width, height) for _ in range(count))
    if reader.offset != len(data):
        raise reader.error(
            "TEMPLATE_LENGTH", reader.offset, f"{len(data) - reader.offset} bytes follow the last view."
        )
    return FingerMinutiaeRecord(width, height, rx, ry, fingers, device & 0xFFF, device >> 12)


class _Reader:
    """Bytes read from front to back, with errors that say where."""

    def __init__(self, data: bytes, field: str) -> None:
        self.data = data
        self.offset = 0
        self.field = field

    def take(self, layout: struct.Struct, what: str) -> tuple[Any, ...]:
        if self.offset + layout.size > len(self.data):
            raise self.error("TEMPLATE_LENGTH", self.offset, f"The record ends within the {what}.")
        values = layout.unpack_from(self.data, self.offset)
        self.offset += layout.size
        return values

    def error(self, reason: str, offset: int, message: str) -> InvalidArgument:
        return InvalidArgument(
            reason,
            f"Not a valid ISO/IEC 19794-2:2005 record, at byte {offset}: {message}",
            field=self.field,
            remedy="Send the record exactly as the extractor wrote it, in the 2005 record format.",
            metadata={"offset": str(offset)},
        )


_LENGTH = struct.Struct(">H")


def _read_view(reader: _Reader, width: int, height: int) -> FingerView:
    start = reader.offset
    position, packed, quality, count = reader.take(_VIEW, "finger view header")
    if position > 10:
        raise reader.error("TEMPLATE_VALUE", start, f"Finger position {position} does not exist.")
    if quality > 100:
        raise reader.error("TEMPLATE_VALUE", start + 2, f"Finger quality {quality} is above 100.")
    minutiae = []
    for _ in range(count):
        at = reader.offset
        x, y, angle, minutia_quality = reader.take(_MINUTIA, "minutiae")
        if x >> 14 == 3:
            raise reader.error("TEMPLATE_VALUE", at, "Minutia type 3 is reserved.")
        kind, x, y = MinutiaType(x >> 14), x & MAX_COORDINATE, y & MAX_COORDINATE
        if x >= width or y >= height:
            raise reader.error(
                "TEMPLATE_VALUE",
                at,
                f"Minutia ({x}, {y}) lies outside of the image of {width}x{height} pixels.",
            )
        if minutia_quality > 100:
            raise reader.error("TEMPLATE_VALUE", at + 5, f"Minutia quality {minutia_quality} is above 100.")
        minutiae.append(FmrMinutia(x, y, angle, kind, minutia_quality))
    (extended,) = reader.take(_LENGTH, "length of the extended data")
    reader.take(struct.Struct(f"{extended}s"), "extended data")
    return FingerView(position, tuple(minutiae), packed >> 4, packed & 0xF, quality)


def _write_view(view: FingerView) -> bytes:
    if view.position > 10 or view.quality > 100 or not 0 <= view.view <= 15 or not 0 <= view.impression <= 15:
        raise ValueError(
            f"The finger view header cannot hold {view.position=}, {view.quality=}, {view.view=}."
        )
    try:
        head = _VIEW.pack(view.position, view.view << 4 | view.impression, view.quality, len(view.minutiae))
        return head + _write_minutiae(view.minutiae) + _LENGTH.pack(0)
    except struct.error as error:
        raise ValueError(f"The finger view cannot hold these values: {error}") from error


def _write_minutiae(minutiae: Sequence[FmrMinutia]) -> bytes:
    out = bytearray()
    for m in minutiae:
        if not (0 <= m.x <= MAX_COORDINATE and 0 <= m.y <= MAX_COORDINATE and 0 <= m.quality <= 100):
            raise ValueError(f"A minutia record cannot hold {m}.")
        out += _MINUTIA.pack(m.type << 14 | m.x, m.y, m.angle, m.quality)
    return bytes(out)
