"""Both faces as a PDF whose pages have the size of a card, for printers that take documents (ISO 32000-1).

The pictures go in as they are in the PNG files, so nothing is lost at the edges of letters and codes.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence

from PIL import Image

WIDTH_MM, HEIGHT_MM = 85.6, 53.98
"""CR80, the size of ID-1 cards (ISO/IEC 7810)."""
_POINTS_PER_MM = 72 / 25.4
_PNG_HEAD = 8


def document(pages: Sequence[bytes]) -> bytes:
    """A document with one page for each PNG file (RGB, 8 bits, not interlaced), filling it."""
    width, height = (f"{side * _POINTS_PER_MM:.4f}" for side in (WIDTH_MM, HEIGHT_MM))
    kids = " ".join(f"{3 + 3 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
    ]
    for number, png in enumerate(pages):
        first = 3 + 3 * number
        paint = f"{width} 0 0 {height} 0 0 cm /Face Do".encode()
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] "
            f"/Resources << /XObject << /Face {first + 2} 0 R >> >> /Contents {first + 1} 0 R >>".encode(),
            b"<< /Length %d >>\nstream\n%b\nendstream" % (len(paint), paint),
            _picture(png),
        ]
    return _file(objects)


def _picture(png: bytes) -> bytes:
    """An image whose data is that of the PNG file: both use zlib and the same row filters."""
    with Image.open(io.BytesIO(png)) as image:
        if image.format != "PNG" or image.mode != "RGB" or image.info.get("interlace"):
            raise ValueError("pages are RGB PNG files that are not interlaced")
        across, down = image.size
    data = b"".join(content for kind, content in _chunks(png) if kind == b"IDAT")
    head = (
        f"<< /Type /XObject /Subtype /Image /Width {across} /Height {down} /ColorSpace /DeviceRGB "
        f"/BitsPerComponent 8 /Filter /FlateDecode /DecodeParms << /Predictor 15 /Colors 3 "
        f"/BitsPerComponent 8 /Columns {across} >> /Length {len(data)} >>"
    )
    return head.encode() + b"\nstream\n" + data + b"\nendstream"


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _PNG_HEAD
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        yield kind, png[at + 8 : at + 8 + size]
        at += size + 12


def _file(objects: Sequence[bytes]) -> bytes:
    """Objects, their positions, and where to begin."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)
