"""ANSI/NIST-ITL files (traditional encoding): reading finger images of type 4 and type 14 records.

A file begins with a type 1 record that lists all others (field 1.003). Type 4 is binary; type 14 is tagged
text, fields "14.NNN:value" with separators, the image last (14.999). Of an image of several fingers (a slap)
each finger is returned by itself, by its place in field 14.021. Written here and not taken from nistitl,
because that one copies the rest of the file for each record and searches the image data for separators.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.abis.formats.fields import Layout, Reader
from services.abis.formats.finger_image import Box, PackedImage, finger

_FS, _GS, _RS, _US = b"\x1c", b"\x1d", b"\x1e", b"\x1f"
_BINARY_TYPES = frozenset({3, 4, 5, 6, 7, 8})
_MOST_RECORDS = 100
_MOST_TEXT = 65536
"""Length of a tagged field beyond which it is no header field."""
_TYPE_4 = Layout(
    "type 4 record",
    "length:I idc:B impression:B position:B others_high:B others:I native:B width:H height:H compression:B",
)
_BINARY_LENGTH = Layout("length of a binary record", "length:I")
_NOMINAL_DPI = 500.0
_PPI, _PPCM = 1, 2
_COMPRESSED = frozenset({b"WSQ20", b"WSQ", b"JPEGB", b"JPEGL", b"JP2", b"JP2L", b"PNG"})
"""Compression codes of field 14.011 besides NONE; the image itself says which of them it is."""
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|[\w.-]+:NISTBiometricInformationExchangePackage)")
_MOST_SEGMENTS = 10


@dataclass(frozen=True)
class _Tagged:
    """Fields of a tagged record by number."""

    at: int
    fields: dict[int, bytes]

    def number(self, reader: Reader, field: int) -> int:
        text = self.fields.get(field, b"")
        if not (text.isdigit() and len(text) <= 9):
            raise reader.error("VALUE", self.at, f"Field {field} is {text[:20]!r} and not a number.")
        return int(text)


def read(data: bytes, *, field: str = "image") -> tuple[PackedImage, ...]:
    """All finger images of a file; InvalidArgument (IMAGE_HEADER, IMAGE_LENGTH, IMAGE_VALUE) with the offset
    of what is wrong.
    """
    reader = Reader(data, "ANSI/NIST-ITL", field, prefix="IMAGE")
    if is_xml(data):
        raise reader.error(
            "HEADER",
            0,
            "The file is in XML (NIEM) encoding, of which only the traditional one is read.",
            remedy="Send the traditional encoding of ANSI/NIST-ITL, or the image in it as a PNG or WSQ file.",
        )
    first = _tagged(reader, 1)
    native = _native_dpi(reader, first)
    images = []
    for kind in _contents(reader, first):
        if kind == 4:
            images.append(_type_4(reader, native))
        elif kind == 14:
            images += _type_14(reader)
        elif kind in _BINARY_TYPES:
            length = reader.take(_BINARY_LENGTH)
            _rest(reader, length.at, length["length"])
        else:
            _tagged(reader, kind)
    reader.end()
    return tuple(images)


def is_xml(data: bytes) -> bool:
    """Whether the file is in an XML encoding, which is not read."""
    return _XML.match(data[:200]) is not None


def _contents(reader: Reader, first: _Tagged) -> list[int]:
    """Types of the records after the first, from field 1.003."""
    entries = [entry.split(_US) for entry in first.fields.get(3, b"").split(_RS)][1:]
    if len(entries) > _MOST_RECORDS:
        raise reader.error("VALUE", first.at, f"The file has more than {_MOST_RECORDS} records.")
    if not all(entry[0].isdigit() and len(entry[0]) <= 2 for entry in entries):
        raise reader.error("VALUE", first.at, "The list of contents (1.003) is damaged.")
    return [int(entry[0]) for entry in entries]


def _native_dpi(reader: Reader, first: _Tagged) -> float:
    """Native scanning resolution (1.011, pixels per millimetre) in dpi, 0 where it is not given."""
    try:
        native = float(first.fields.get(11, b"0"))
    except ValueError as error:
        raise reader.error("VALUE", first.at, "The scanning resolution (1.011) is no number.") from error
    return native * 25.4 if 0 < native < 1000 else 0.0


def _tagged(reader: Reader, kind: int) -> _Tagged:
    """The next tagged record, which begins with its own length."""
    at, data = reader.offset, reader.data
    tag, _, length = data[at : data.find(_GS, at, at + 40)].partition(b":")
    if not _is_tag(tag, kind) or int(tag.split(b".")[1]) != 1 or not (length.isdigit() and len(length) <= 9):
        raise reader.error("HEADER", at, f"Here begins no record of type {kind}.")
    record = reader.raw(int(length), f"type {kind} record")
    if not record.endswith(_FS):
        raise reader.error("LENGTH", at, f"The type {kind} record does not end where it declares.")
    fields: dict[int, bytes] = {}
    start, end = 0, len(record) - 1
    while start < end:
        tag = record[start : record.find(b":", start, start + 12)]
        if not _is_tag(tag, kind):
            raise reader.error("VALUE", at + start, f"Here begins no field of the type {kind} record.")
        number, start = int(tag.split(b".")[1]), start + len(tag) + 1
        # Image data may contain separators; they are the last field.
        stop = end if number == 999 else record.find(_GS, start, end)
        stop = end if stop < 0 else stop
        if number != 999 and stop - start > _MOST_TEXT:
            raise reader.error("VALUE", at + start, f"Field {number} has {stop - start} bytes.")
        fields[number] = record[start:stop]
        start = stop + 1
    return _Tagged(at, fields)


def _is_tag(tag: bytes, kind: int) -> bool:
    kind_text, dot, number = tag.partition(b".")
    return bool(dot) and kind_text.isdigit() and number.isdigit() and int(kind_text) == kind


def _rest(reader: Reader, at: int, length: int) -> bytes:
    """What is left of a binary record that begins at `at`."""
    if at + length < reader.offset:
        raise reader.error("LENGTH", at, f"A binary record of {length} bytes has no header.")
    return reader.raw(at + length - reader.offset, "binary record")


def _type_4(reader: Reader, native: float) -> PackedImage:
    head = reader.take(_TYPE_4)
    content = _rest(reader, head.at, head["length"])
    dpi = native if head["native"] else _NOMINAL_DPI
    raw = head["compression"] == 0
    position = finger(reader, head["position"], head.offset("position"))
    return PackedImage(content, raw, head["width"], head["height"], (dpi, dpi), position)


def _type_14(reader: Reader) -> list[PackedImage]:
    """The fingers of an image, in the order of their segments where it has any."""
    record = _tagged(reader, 14)
    factor = {_PPI: 1.0, _PPCM: 2.54}.get(record.number(reader, 8), 0.0)
    dpi = (record.number(reader, 9) * factor, record.number(reader, 10) * factor)
    compression = record.fields.get(11, b"")
    raw = compression == b"NONE"
    if not raw and compression not in _COMPRESSED:
        raise reader.error(
            "VALUE", record.at, f"The compression {compression[:20]!r} (14.011) does not exist."
        )
    if raw and record.number(reader, 12) != 8:
        raise reader.error("VALUE", record.at, "Only grey values of 8 bits are supported.")
    content = record.fields.get(999, b"")
    width, height = record.number(reader, 6), record.number(reader, 7)
    if record.fields.get(21):
        return [
            PackedImage(content, raw, width, height, dpi, position, box)
            for position, box in _segments(reader, record, width, height)
        ]
    code = record.fields.get(13, b"").split(_RS)[0].split(_US)[0]
    position = finger(reader, int(code), record.at) if code.isdigit() and len(code) <= 3 else 0
    return [PackedImage(content, raw, width, height, dpi, position)]


def _segments(reader: Reader, record: _Tagged, width: int, height: int) -> list[tuple[int, Box]]:
    """Fingers and their places from field 14.021: finger, left, right, upper and lower edge each."""
    found = []
    for entry in record.fields[21].split(_RS)[:_MOST_SEGMENTS]:
        numbers = entry.split(_US)
        if len(numbers) != 5 or not all(n.isdigit() and len(n) <= 6 for n in numbers):
            raise reader.error("VALUE", record.at, f"The finger segment {entry[:40]!r} (14.021) is damaged.")
        position, left, right, top, bottom = (int(n) for n in numbers)
        if not (left < right <= width and top < bottom <= height):
            place = f"({left}, {top}) to ({right}, {bottom})"
            raise reader.error(
                "VALUE", record.at, f"A finger lies at {place}, outside of the {width}x{height} pixels."
            )
        found.append((finger(reader, position, record.at), (left, top, right, bottom)))
    return found
