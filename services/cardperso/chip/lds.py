"""Files of logical data structure 1 (ICAO Doc 9303-10, 4): EF.COM, the machine readable zone, the face."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from services.cardperso import tlv
from services.cardperso.holder import Sex

GROUP_TAGS = (0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70)
"""Tag of each data group, from 1 (9303-10, table 38)."""
_VERSION, _UNICODE_VERSION = b"0107", b"040000"
_FACE = b"\x02"
_SC37, _FACE_RECORD = b"\x01\x01", b"\x00\x08"
_RECORD = struct.Struct(">4s4sIH")
_FACIAL = struct.Struct(">IHBBB3sH3s3s")
_IMAGE = struct.Struct(">BBHHBBHH")
_JPEG_2000, _FULL_FRONTAL, _SRGB = 1, 1, 1


def ef_com(groups: Iterable[int]) -> bytes:
    """EF.COM (4.6.1): versions, and the tags of the data groups that are present."""
    tags = bytes(GROUP_TAGS[number - 1] for number in groups)
    parts = ((0x5F01, _VERSION), (0x5F36, _UNICODE_VERSION), (0x5C, tags))
    return tlv.encode(0x60, b"".join(tlv.encode(tag, value) for tag, value in parts))


def dg1(lines: Iterable[str]) -> bytes:
    """Data group 1 (4.7.1): the machine readable zone."""
    return tlv.encode(0x61, tlv.encode(0x5F1F, "".join(lines).encode("ascii")))


def read_dg1(content: bytes) -> str:
    """The machine readable zone of a data group 1, its lines joined.

    Raises:
        TlvError: the bytes are none.
    """
    zone = tlv.find(tlv.find(content, 0x61) or b"", 0x5F1F)
    if zone is None or not zone.isascii():
        raise tlv.TlvError("no machine readable zone")
    return zone.decode("ascii")


def dg2(picture: bytes, width: int, height: int, sex: Sex) -> bytes:
    """Data group 2 (4.7.2): one face in a biometric information group template, as a record of ISO/IEC
    19794-5:2005 with a JPEG 2000 picture.
    """
    facial = _FACIAL.pack(
        _FACIAL.size + _IMAGE.size + len(picture), 0, int(sex), 0, 0, bytes(3), 0, bytes(3), bytes(3)
    )
    image = _IMAGE.pack(_FULL_FRONTAL, _JPEG_2000, width, height, _SRGB, 0, 0, 0)
    size = _RECORD.size + len(facial) + len(image) + len(picture)
    record = _RECORD.pack(b"FAC\0", b"010\0", size, 1) + facial + image + picture
    fields = ((0x81, _FACE), (0x87, _SC37), (0x88, _FACE_RECORD))
    header = tlv.encode(0xA1, b"".join(tlv.encode(tag, value) for tag, value in fields))
    template = tlv.encode(0x7F60, header + tlv.encode(0x5F2E, record))
    return tlv.encode(0x75, tlv.encode(0x7F61, tlv.encode(0x02, b"\x01") + template))


def read_dg2(content: bytes) -> bytes:
    """The picture of the first face of a data group 2, a JPEG or JPEG 2000 file.

    Raises:
        TlvError: the bytes are none.
    """
    inner = content
    for tag in (0x75, 0x7F61, 0x7F60):
        inner = tlv.find(inner, tag) or b""
    record = tlv.find(inner, 0x5F2E) or tlv.find(inner, 0x7F2E) or b""
    try:
        magic, version, size, _faces = _RECORD.unpack_from(record)
        block, points = struct.unpack_from(">IH", record, _RECORD.size)
    except struct.error:
        raise tlv.TlvError("the face record is cut short") from None
    at = _RECORD.size + _FACIAL.size + 8 * points + _IMAGE.size
    end = _RECORD.size + block
    if (magic, version) != (b"FAC\0", b"010\0") or size != len(record) or not at < end <= size:
        raise tlv.TlvError("no ISO/IEC 19794-5:2005 face record")
    return bytes(record[at:end])
