"""Files of finger images as other programs write them."""

from __future__ import annotations

import io
import struct
from typing import Any

import nistitl
import numpy as np
import wsq  # noqa: F401 - registers its encoder with Pillow
from PIL import Image

from services.abis.kernels import U8


def encoded(pixels: U8, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def fir_2005(
    content: bytes,
    width: int,
    height: int,
    compression: int,
    dpi: int = 500,
    views: int = 1,
    others: bytes = b"",
    position: int = 2,
) -> bytes:
    body = fir_2005_finger(content, width, height, position) * views + others
    head = struct.pack(
        ">HIHHBBHHHHBBH", 0, 32 + len(body), 0, 30, 1, 1, dpi, dpi, dpi, dpi, 8, compression, 0
    )
    return b"FIR\x00010\0" + head + body


def fir_2005_finger(content: bytes, width: int, height: int, position: int) -> bytes:
    """One image of a record of 2005."""
    head = struct.pack(">IBBBBBHHB", 14 + len(content), position, 1, 1, 80, 0, width, height, 0)
    return head + content


def fir_2011(content: bytes, width: int, height: int, compression: int, dpi: int = 500) -> bytes:
    tail = struct.pack(
        ">BBBHHHHBBBHHI", 2, 0, 1, dpi, dpi, dpi, dpi, 8, compression, 0, width, height, len(content)
    )
    finger = b"\xff" * 9 + bytes(6) + tail + content
    finger = struct.pack(">I", 4 + len(finger)) + finger
    return b"FIR\x00020\0" + struct.pack(">IHBB", 16 + len(finger), 1, 0, 1) + finger


def itl(*records: Any, native: str = "19.69") -> bytes:
    message = nistitl.Message()
    message.TOT = "TEST"
    first = message[0]
    first.DAT, first.TCN, first.NSR, first.NTR = "20260302", "1", native, native
    for record in records:
        message += record
    content: bytes = message.NIST
    return content


def type_14(
    content: bytes,
    width: int,
    height: int,
    compression: str,
    dpi: int = 500,
    unit: int = 1,
    position: int = 2,
    segments: str = "",
) -> Any:
    record = nistitl.AsciiRecord(14)
    record.IDC = 1
    fields = (3, 0), (4, "X"), (5, "20260302"), (6, width), (7, height), (8, unit), (9, dpi), (10, dpi)
    for number, value in (*fields, (11, compression), (12, 8), (13, position)):
        record += nistitl.Field(14, number, str(value), alias=nistitl.ALIASES[14][number])
    if segments:
        record += nistitl.Field(14, 21, segments, alias=nistitl.ALIASES[14][21])
    record += nistitl.BinaryField(14, 999, content, alias="DATA")
    return record


def type_4(
    content: bytes, width: int, height: int, compression: int, native: int = 1, position: int = 2
) -> Any:
    record = nistitl.BinaryRecord(4)
    record.IDC = 1
    head = struct.pack(">B6sBHHB", 0, bytes([position]) + b"\xff" * 5, native, width, height, compression)
    record.value = head + content
    return record


def lossless_jpeg(pixels: U8) -> bytes:
    """A lossless JPEG (process 14): each pixel as its difference from the one to the left."""
    values = pixels.astype(int)
    before = np.roll(values, 1, axis=1)
    before[1:, 0], before[0, 0] = values[:-1, 0], 128
    bits = []
    for difference in (values - before).ravel().tolist():
        size = abs(difference).bit_length()
        # Sizes from 0 to 9 as codes of four bits, then the difference itself.
        low = difference if difference > 0 else difference + (1 << size) - 1
        bits.append(f"{size:04b}" + (f"{low:0{size}b}" if size else ""))
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    data = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\0")

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    height, width = pixels.shape
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])
    table = bytes([0, 0, 0, 0, 10, *[0] * 12, *range(10)])
    scan = bytes([1, 1, 0, 1, 0, 0])
    return (
        b"\xff\xd8" + segment(0xC3, frame) + segment(0xC4, table) + segment(0xDA, scan) + data + b"\xff\xd9"
    )
