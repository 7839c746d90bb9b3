"""ISO/IEC 19794-2:2011 finger minutiae records: reading and writing.

Since 2011 every representation carries its own size, resolution and capture data; a minutia has five bytes,
or six with its quality (254: not reported, 255: could not be computed).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.abis.formats.extended import Area, read_areas, write_areas
from services.abis.formats.fields import Layout, Reader
from services.abis.formats.iso19794_2 import ANGLE_STEPS, ANGLE_UNIT, MAGIC
from services.abis.formats.minutiae import (
    FingerMinutiae,
    Minutia,
    read_minutiae,
    read_position,
    write_minutiae,
)

VERSION = b"030\0"
NO_DATE = b"\xff" * 9
"""Capture date and time that are not recorded."""
_MOST_QUALITY = 255
_HEADER = Layout("record header", "length:I representations:H certified:B")
_LENGTH = Layout("length of a representation", "length:I")
_DEVICE = Layout("capture device", "technology:B vendor:H device:H")
_COUNT = Layout("number of quality or certification blocks", "count:B")
_QUALITY = Layout("quality block", "score:B vendor:H algorithm:H")
_CERTIFICATION = Layout("certification block", "authority:H scheme:B")
# packed: 4 bits bytes a minutia, 4 bits ridge ending type
_FINGER = Layout(
    "finger representation",
    "position:B number:B resolution_x:H resolution_y:H impression:B width:H height:H packed:B minutiae:B",
)


@dataclass(frozen=True)
class Quality:
    """Quality of a representation as one algorithm sees it: 0 to 100, 255 where it failed."""

    score: int
    vendor: int
    algorithm: int


@dataclass(frozen=True)
class Certification:
    """A certification of the capture device."""

    authority: int
    scheme: int


@dataclass(frozen=True)
class Representation:
    """One impression of one finger; with_quality: each minutia carries its quality."""

    position: int
    width: int
    height: int
    resolution_x: int
    resolution_y: int
    minutiae: tuple[Minutia, ...]
    with_quality: bool = True
    number: int = 0
    impression: int = 0
    ending_type: int = 0
    qualities: tuple[Quality, ...] = ()
    certifications: tuple[Certification, ...] = ()
    captured: bytes = NO_DATE
    technology: int = 0
    vendor: int = 0
    device: int = 0
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True)
class Record2011:
    """A whole record; certified: the representations have room for certifications."""

    fingers: tuple[Representation, ...]
    certified: bool = False

    def impressions(self) -> tuple[FingerMinutiae, ...]:
        """What it says of each finger; the special qualities of minutiae become "not reported"."""
        return tuple(
            FingerMinutiae(
                finger.position,
                finger.width,
                finger.height,
                finger.resolution_x,
                finger.resolution_y,
                ANGLE_UNIT,
                tuple(m if m.quality <= 100 else replace(m, quality=0) for m in finger.minutiae),
            )
            for finger in self.fingers
        )


def write(record: Record2011) -> bytes:
    """Encode a record; ValueError where a number does not fit its field."""
    body = b"".join(_write_finger(finger, record.certified) for finger in record.fingers)
    start = MAGIC + VERSION
    head = _HEADER.pack(
        length=len(start) + _HEADER.size + len(body),
        representations=len(record.fingers),
        certified=int(record.certified),
    )
    return start + head + body


def read(data: bytes, *, field: str = "record") -> Record2011:
    """Decode a record; InvalidArgument as of the reader of 2005 (services/abis/formats/iso19794_2.py)."""
    reader = Reader(data, "ISO/IEC 19794-2:2011", field)
    reader.constant(MAGIC, "format identifier")
    reader.constant(VERSION, "version")
    head = reader.take(_HEADER)
    reader.declared(head["length"], head.offset("length"))
    if head["certified"] > 1:
        raise reader.error("HEADER", head.offset("certified"), "The certification flag is neither 0 nor 1.")
    certified = head["certified"] == 1
    fingers = tuple(_read_finger(reader, certified) for _ in range(head["representations"]))
    reader.end()
    return Record2011(fingers, certified)


def _read_finger(reader: Reader, certified: bool) -> Representation:
    declared = reader.take(_LENGTH)
    captured = reader.raw(len(NO_DATE), "capture date and time")
    device = reader.take(_DEVICE)
    qualities = _read_qualities(reader)
    certifications: tuple[Certification, ...] = ()
    if certified:
        blocks = [reader.take(_CERTIFICATION) for _ in range(reader.take(_COUNT)["count"])]
        certifications = tuple(Certification(b["authority"], b["scheme"]) for b in blocks)
    head = reader.take(_FINGER)
    read_position(reader, head["position"], head.at)
    if not (head["width"] and head["height"] and head["resolution_x"] and head["resolution_y"]):
        raise reader.error("VALUE", head.at, "Image size and resolution must not be zero.")
    size = head["packed"] >> 4
    if size not in (5, 6):
        raise reader.error("VALUE", head.offset("packed"), f"A minutia of {size} bytes does not exist.")
    minutiae = read_minutiae(
        reader,
        head["minutiae"],
        head["width"],
        head["height"],
        steps=ANGLE_STEPS,
        most_quality=_MOST_QUALITY if size == 6 else None,
    )
    areas = read_areas(reader)
    if reader.offset - declared.at != declared["length"]:
        raise reader.error(
            "LENGTH",
            declared.at,
            f"The representation declares {declared['length']} bytes and has {reader.offset - declared.at}.",
        )
    return Representation(
        head["position"],
        head["width"],
        head["height"],
        head["resolution_x"],
        head["resolution_y"],
        minutiae,
        with_quality=size == 6,
        number=head["number"],
        impression=head["impression"],
        ending_type=head["packed"] & 0xF,
        qualities=qualities,
        certifications=certifications,
        captured=captured,
        technology=device["technology"],
        vendor=device["vendor"],
        device=device["device"],
        areas=areas,
    )


def _read_qualities(reader: Reader) -> tuple[Quality, ...]:
    found = []
    for _ in range(reader.take(_COUNT)["count"]):
        block = reader.take(_QUALITY)
        if 100 < block["score"] < _MOST_QUALITY:
            raise reader.error("VALUE", block.at, f"Finger quality {block['score']} does not exist.")
        found.append(Quality(block["score"], block["vendor"], block["algorithm"]))
    return tuple(found)


def _write_finger(finger: Representation, certified: bool) -> bytes:
    if len(finger.captured) != len(NO_DATE) or (finger.certifications and not certified):
        raise ValueError(f"The representation cannot hold {finger.captured!r}, {finger.certifications}.")
    out = finger.captured + _DEVICE.pack(
        technology=finger.technology, vendor=finger.vendor, device=finger.device
    )
    out += _COUNT.pack(count=len(finger.qualities))
    for q in finger.qualities:
        out += _QUALITY.pack(score=q.score, vendor=q.vendor, algorithm=q.algorithm)
    if certified:
        out += _COUNT.pack(count=len(finger.certifications))
        for c in finger.certifications:
            out += _CERTIFICATION.pack(authority=c.authority, scheme=c.scheme)
    out += _FINGER.pack(
        position=finger.position,
        number=finger.number,
        resolution_x=finger.resolution_x,
        resolution_y=finger.resolution_y,
        impression=finger.impression,
        width=finger.width,
        height=finger.height,
        packed=(6 if finger.with_quality else 5) << 4 | finger.ending_type,
        minutiae=len(finger.minutiae),
    )
    most = _MOST_QUALITY if finger.with_quality else None
    out += write_minutiae(finger.minutiae, steps=ANGLE_STEPS, most_quality=most) + write_areas(finger.areas)
    return _LENGTH.pack(length=_LENGTH.size + len(out)) + out
