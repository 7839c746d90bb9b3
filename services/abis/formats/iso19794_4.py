"""ISO/IEC 19794-4 finger image records, 2005 and 2011: reading.

The 2005 edition has one header with resolution and compression for all images; since 2011 each representation
carries its own.
"""

from __future__ import annotations

from services.abis.formats.fields import Layout, Reader
from services.abis.formats.finger_image import PackedImage, finger

MAGIC = b"FIR\0"
_VERSION_2005 = b"010\0"
_VERSION_2011 = b"020\0"
_RAW = 0
_PACKED = 1
_PPI = 1
_PPCM = 2
_HEADER_2005 = Layout(
    "record header",
    "length_high:H length:I device:H level:H fingers:B unit:B scan_x:H scan_y:H resolution_x:H resolution_y:H"
    " depth:B compression:B reserved:H",
)
_FINGER_2005 = Layout(
    "finger image header",
    "length:I position:B views:B view:B quality:B impression:B width:H height:H reserved:B",
)
_HEADER_2011 = Layout("record header", "length:I representations:H certified:B positions:B")
_LENGTH = Layout("length of a representation", "length:I")
_CAPTURE_BYTES = 9 + 1 + 2 + 2
"""Capture date and time, device technology, vendor and type: of no use here."""
_COUNT = Layout("number of quality or certification blocks", "count:B")
_QUALITY_BYTES = 5
_CERTIFICATION_BYTES = 3
_IMAGE_2011 = Layout(
    "finger image header",
    "position:B number:B unit:B scan_x:H scan_y:H resolution_x:H resolution_y:H depth:B compression:B"
    " impression:B width:H height:H length:I",
)


def read(data: bytes, *, field: str = "image") -> tuple[PackedImage, ...]:
    """All finger images of a record; InvalidArgument (IMAGE_HEADER, IMAGE_LENGTH, IMAGE_VALUE) with the
    offset of what is wrong.
    """
    version = data[4:8]
    edition = 2011 if version == _VERSION_2011 else 2005
    reader = Reader(data, f"ISO/IEC 19794-4:{edition}", field, prefix="IMAGE")
    reader.constant(MAGIC, "format identifier")
    reader.constant(_VERSION_2011 if edition == 2011 else _VERSION_2005, "version")
    images = _read_2011(reader) if edition == 2011 else _read_2005(reader)
    reader.end()
    return images


def _read_2005(reader: Reader) -> tuple[PackedImage, ...]:
    head = reader.take(_HEADER_2005)
    reader.declared(head["length_high"] << 32 | head["length"], head.offset("length_high"))
    dpi = _dpi(reader, head["unit"], head["resolution_x"], head["resolution_y"], head.offset("unit"))
    raw = _is_raw(reader, head["compression"], head["depth"], head.offset("depth"))
    images = []
    # "fingers" counts positions, each of which may have several views.
    while reader.left:
        image = reader.take(_FINGER_2005)
        if image["length"] < _FINGER_2005.size:
            raise reader.error("LENGTH", image.at, f"An image of {image['length']} bytes has no header.")
        content = reader.raw(image["length"] - _FINGER_2005.size, "image data")
        position = finger(reader, image["position"], image.offset("position"))
        images.append(PackedImage(content, raw, image["width"], image["height"], dpi, position))
    return tuple(images)


def _read_2011(reader: Reader) -> tuple[PackedImage, ...]:
    head = reader.take(_HEADER_2011)
    reader.declared(head["length"], head.offset("length"))
    return tuple(_read_representation(reader, head["certified"]) for _ in range(head["representations"]))


def _read_representation(reader: Reader, certified: int) -> PackedImage:
    declared = reader.take(_LENGTH)
    reader.raw(_CAPTURE_BYTES, "capture data")
    reader.raw(reader.take(_COUNT)["count"] * _QUALITY_BYTES, "quality blocks")
    if certified:
        reader.raw(reader.take(_COUNT)["count"] * _CERTIFICATION_BYTES, "certification blocks")
    image = reader.take(_IMAGE_2011)
    dpi = _dpi(reader, image["unit"], image["resolution_x"], image["resolution_y"], image.offset("unit"))
    raw = _is_raw(reader, image["compression"], image["depth"], image.offset("depth"))
    content = reader.raw(image["length"], "image data")
    # What follows up to the declared end is extended data.
    rest = declared.at + declared["length"] - reader.offset
    if rest < 0:
        raise reader.error("LENGTH", declared.at, "The representation is longer than it declares.")
    reader.raw(rest, "representation")
    position = finger(reader, image["position"], image.offset("position"))
    return PackedImage(content, raw, image["width"], image["height"], dpi, position)


def _dpi(reader: Reader, unit: int, x: int, y: int, at: int) -> tuple[float, float]:
    if unit not in (_PPI, _PPCM):
        raise reader.error("VALUE", at, f"The unit of resolution {unit} does not exist.")
    factor = 2.54 if unit == _PPCM else 1.0
    return x * factor, y * factor


def _is_raw(reader: Reader, compression: int, depth: int, at: int) -> bool:
    """Whether the image data are plain grey values; any other content says itself what it is."""
    if compression == _PACKED or (compression == _RAW and depth != 8):
        raise reader.error("VALUE", at, f"Grey values of {depth} bits, or packed ones, are not supported.")
    return compression == _RAW
