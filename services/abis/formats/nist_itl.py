"""ANSI/NIST-ITL files (traditional encoding): reading finger images of type 4 and type 14 records.

A file begins with a type 1 record that lists all others (field 1.003). Type 4 is binary; type 14 is tagged
text, fields "14.NNN:value" with separators, the image last (14.999). Written here and not taken from nistitl,
because that one copies the rest of the file for each record and searches the image data for separators.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.abis.formats.fields import Layout, Reader
from services.abis.formats.finger_image import PackedImage

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
    first = _tagged(reader, 1)
    native = _native_dpi(reader, first)
    images = []
    for kind in _contents(reader, first):
        if kind == 4:
            images.append(_type_4(reader, native))
        elif kind == 14:
            images.append(_type_14(reader))
        elif kind in _BINARY_TYPES:
            length = reader.take(_BINARY_LENGTH)
            _rest(reader, length.at, length["length"])
        else:
            _tagged(reader, kind)
    reader.end()
    return tuple(images)


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
    return PackedImage(content, raw, head["width"], head["height"], (dpi, dpi), _finger(head["position"]))


def _type_14(reader: Reader) -> PackedImage:
    record = _tagged(reader, 14)
    unit = record.number(reader, 8)
    factor = {_PPI: 1.0, _PPCM: 2.54}.get(unit, 0.0)
    dpi = (record.number(reader, 9) * factor, record.number(reader, 10) * factor)
    raw = record.fields.get(11) == b"NONE"
    if raw and record.number(reader, 12) != 8:
        raise reader.error("VALUE", record.at, "Only grey values of 8 bits are supported.")
    finger = record.fields.get(13, b"").split(_RS)[0].split(_US)[0]
    position = int(finger) if finger.isdigit() and len(finger) <= 3 else 0
    width, height = record.number(reader, 6), record.number(reader, 7)
    return PackedImage(record.fields.get(999, b""), raw, width, height, dpi, _finger(position))


def _finger(position: int) -> int:
    """Code of ISO/IEC 19794 of a finger position; plain thumbs (11, 12) are thumbs."""
    return {11: 1, 12: 6}.get(position, position if position <= 10 else 0)
