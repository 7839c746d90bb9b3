"""WSQ files (FBI IAFIS-IC-0110, wavelet scalar quantization): header, tables and blocks.

The usual decoder, NIST's C code, trusts the file's code lengths and table numbers and leaves its arrays where
they lie, so that this one is written anew; the grey values are the same. Steps: codes of each block to
quantized coefficients (wsq_codes), these to subbands, subbands to pixels (wsq_wavelet).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from services.abis.formats.fields import Layout, Reader, Taken
from services.abis.formats.wsq_codes import HUFFMAN_LENGTHS, HUFFMAN_VALUES, Huffman, decode_block
from services.abis.formats.wsq_wavelet import SUBBANDS, Filters, reconstruct, subbands
from services.abis.kernels import F32, U8

MAGIC = b"\xff\xa0"
_SOF, _SOB, _EOI = 0xFFA2, 0xFFA3, 0xFFA1
_DTT, _DQT, _DHT, _DRT, _COM = 0xFFA4, 0xFFA5, 0xFFA6, 0xFFA7, 0xFFA8
_MARKER = Layout("marker", "marker:H")
_LENGTH = Layout("length of a table", "length:H")
_FRAME = Layout(
    "frame header",
    "length:H black:B white:B height:H width:H shift_exponent:B shift:H scale_exponent:B scale:H encoder:B"
    " software:H",
)
_BLOCK = Layout("block header", "length:H table:B")
_TAPS = Layout("filter lengths", "low:B high:B")
_TAP = Layout("filter coefficient", "sign:B exponent:B value:I")
_CENTRE = Layout("bin centre", "exponent:B value:H")
_BIN = Layout("quantization bin", "q_exponent:B q:H z_exponent:B z:H")
_BINS = 64
_MOST_TAPS = 31
_MOST_TAP = 2.0
"""With it no image can overflow, however its bins are set."""
_TABLE_ID = Layout("Huffman table number", "table:B")
_MOST_EXPONENT = 30


@dataclass
class WsqFile:
    """A file taken apart. size: width and height; dpi: as the NIST comment declares it, 0 where there is
    none; blocks: compressed codes with the Huffman table that was in force.
    """

    size: tuple[int, int] = (0, 0)
    dpi: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    filters: Filters | None = None
    centre: float = 0.0
    q: list[float] = field(default_factory=list)
    z: list[float] = field(default_factory=list)
    blocks: list[tuple[bytes, Huffman]] = field(default_factory=list)


def read(data: bytes, *, field: str = "image") -> WsqFile:
    """Take a file apart without decoding it; InvalidArgument (IMAGE_HEADER, IMAGE_LENGTH, IMAGE_VALUE) with
    the offset of what is wrong.
    """
    reader = Reader(data, "WSQ", field, prefix="IMAGE")
    reader.constant(MAGIC, "format identifier")
    file, tables = WsqFile(), dict[int, Huffman]()
    while True:
        marker = reader.take(_MARKER)
        kind = marker["marker"]
        if kind in (_DTT, _DQT, _DHT, _DRT, _COM):
            _table(reader, kind, file, tables)
        elif kind == _SOF and not file.size[0]:
            frame = reader.take(_FRAME)
            file.size = frame["width"], frame["height"]
            file.shift, file.scale = _scaled(reader, frame, "shift"), _scaled(reader, frame, "scale")
            if not (frame["width"] and frame["height"]):
                raise reader.error("VALUE", frame.at, "The image size must not be zero.")
        elif kind == _SOB and file.size[0]:
            block = reader.take(_BLOCK)
            if block["table"] not in tables:
                raise reader.error("VALUE", block.at, f"Huffman table {block['table']} is not defined.")
            file.blocks.append((_codes(reader), tables[block["table"]]))
        elif kind == _EOI and file.size[0]:
            if file.filters is None or not file.q:
                raise reader.error("VALUE", marker.at, "The file has no filters or no quantization table.")
            return file
        else:
            raise reader.error("VALUE", marker.at, f"Marker {kind:04x} is not expected here.")


def decode(file: WsqFile, *, field: str = "image") -> U8:
    """Grey values, shape (height, width); InvalidArgument IMAGE_VALUE where the codes are damaged."""
    assert file.filters is not None
    width, height = file.size
    bands = [band for band, q in zip(subbands(width, height), file.q, strict=False) if q]
    coefficients = np.zeros(sum(band.pixels for band in bands), np.int32)
    filled = 0
    for codes, huffman in file.blocks:
        filled = decode_block(codes, huffman, coefficients, filled) if filled >= 0 else filled
    if filled != len(coefficients):
        damaged = "do not fill the image" if filled >= 0 else "are damaged"
        raise Reader(b"", "WSQ", field, prefix="IMAGE").error("VALUE", 0, f"The compressed data {damaged}.")
    image: F32 = np.zeros((height, width), np.float32)
    bins = [(q, z) for q, z in zip(file.q, file.z, strict=True) if q]
    at = 0
    for band, (q, z) in zip(bands, bins, strict=False):
        values = coefficients[at : at + band.pixels].reshape(band.height, band.width)
        at += band.pixels
        sign = np.sign(values)
        image[band.rows, band.columns] = sign * ((np.abs(values) - file.centre) * q + z / 2.0)
    reconstruct(image, file.filters)
    grey = image * np.float32(file.scale) + np.float32(file.shift + 0.5)
    pixels: U8 = np.clip(grey, 0, 255).astype(np.uint8)
    return pixels


def _table(reader: Reader, kind: int, file: WsqFile, tables: dict[int, Huffman]) -> None:
    length = reader.take(_LENGTH)
    if length["length"] < _LENGTH.size:
        raise reader.error("LENGTH", length.at, "A table is shorter than its own length.")
    end = length.at + length["length"]
    if end > len(reader.data):
        raise reader.error("LENGTH", length.at, "The file ends within a table.")
    if kind == _DTT:
        file.filters = _filters(reader)
    elif kind == _DQT:
        _bins(reader, file)
    elif kind == _DHT:
        while reader.offset < end:
            _huffman(reader, tables)
    elif kind == _COM and (
        dpi := re.search(rb"^PPI (\d{1,5})\s*$", reader.data[reader.offset : end], re.MULTILINE)
    ):
        if file.dpi not in (0.0, float(dpi[1])):
            raise reader.error("VALUE", length.at, "Two comments declare two resolutions.")
        file.dpi = float(dpi[1])
    if reader.offset > end:
        raise reader.error("LENGTH", length.at, "A table is longer than it declares.")
    reader.raw(end - reader.offset, "table")


def _filters(reader: Reader) -> Filters:
    """Half of each analysis filter is transmitted; the synthesis filters are these with every other sign
    turned, and change their places.
    """
    taps = reader.take(_TAPS)
    if not (taps["low"] % 2 and taps["high"] % 2 and max(taps["low"], taps["high"]) <= _MOST_TAPS):
        raise reader.error("VALUE", taps.at, "Wavelet filters must have an odd number of taps, up to 31.")
    halves = []
    for count in (taps["low"], taps["high"]):
        half = []
        for k in range((count + 1) // 2):
            tap = reader.take(_TAP)
            value = _scaled(reader, tap, "value", "exponent")
            if value > _MOST_TAP:
                raise reader.error("VALUE", tap.at, f"A filter coefficient of {value:g} is absurd.")
            half.append(value * (-1) ** (k + (tap["sign"] != 0)))
        halves.append(np.array(half[:0:-1] + half, np.float32))
    return Filters(low=halves[1], high=halves[0])


def _bins(reader: Reader, file: WsqFile) -> None:
    if file.blocks:
        raise reader.error("VALUE", reader.offset, "The quantization changes within the image.")
    file.centre = _scaled(reader, reader.take(_CENTRE), "value", "exponent")
    bins = [reader.take(_BIN) for _ in range(_BINS)][:SUBBANDS]
    file.q = [_scaled(reader, entry, "q") for entry in bins]
    file.z = [_scaled(reader, entry, "z") for entry in bins]


def _huffman(reader: Reader, tables: dict[int, Huffman]) -> None:
    table = reader.take(_TABLE_ID)
    lengths = reader.raw(HUFFMAN_LENGTHS, "Huffman code lengths")
    if sum(lengths) > HUFFMAN_VALUES:
        raise reader.error("VALUE", table.at, "A Huffman table has more than 256 codes.")
    tables[table["table"]] = Huffman(lengths, reader.raw(sum(lengths), "Huffman values"))


def _codes(reader: Reader) -> bytes:
    """Compressed data end at the next marker; a byte ff in them is followed by 00."""
    found = re.compile(rb"\xff[^\x00]").search(reader.data, reader.offset)
    if found is None:
        raise reader.error("LENGTH", len(reader.data), "The file ends within the compressed data.")
    return reader.raw(found.start() - reader.offset, "compressed data").replace(b"\xff\x00", b"\xff")


def _scaled(reader: Reader, taken: Taken, name: str, exponent: str = "") -> float:
    """A number that is given as an integer and a power of ten to divide it by."""
    power = taken[exponent or f"{name}_exponent"]
    if power > _MOST_EXPONENT:
        raise reader.error("VALUE", taken.at, f"A power of ten of -{power} is absurd.")
    return float(taken[name] / 10**power)
