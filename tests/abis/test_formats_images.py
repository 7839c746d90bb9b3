"""Fingers in JPEG 2000, WSQ, ISO/IEC 19794-4 and ANSI/NIST-ITL files, written by other programs."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from contextlib import suppress

import nistitl
import numpy as np
import pytest
import wsq  # noqa: F401 - registers its encoder with Pillow
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tunggal.abis.v1 import abis_pb2 as pb
from tunggal.common.v1 import biometric_pb2

from services.abis.fingerprint import image
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.template import Template
from services.abis.formats import iso19794_4, nist_itl, wsq_file
from services.abis.formats.finger_image import PackedImage
from services.abis.kernels import U8
from services.abis.samples import Reader
from services.common.errors import InvalidArgument
from tests.abis.abis_files import encoded, fir_2005, fir_2011, itl, lossless_jpeg, type_4, type_14

BY_ANOTHER_PROGRAM = bytes.fromhex(
    "46495200303230000000004e000101010000003e07ea0302011e00000000000000000150000100020100030406000201f401f400c500c5080000000400030000000c000102030405060708090a0b"
)
"""Four by three grey values of a left thumb as iso19794 0.1.0 writes them."""


def containers(pixels: U8) -> dict[str, bytes]:
    height, width = pixels.shape
    raw, png, squeezed = pixels.tobytes(), encoded(pixels, "PNG"), encoded(pixels, "WSQ")
    jp2 = encoded(pixels, "JPEG2000")
    return {
        "FIR 2005, grey values": fir_2005(raw, width, height, 0),
        "FIR 2005, PNG": fir_2005(png, width, height, 5),
        "FIR 2005, WSQ": fir_2005(squeezed, width, height, 2),
        "FIR 2011, grey values": fir_2011(raw, width, height, 0),
        "FIR 2011, JPEG 2000": fir_2011(jp2, width, height, 5),
        "type 4, grey values": itl(type_4(raw, width, height, 0)),
        "type 4, WSQ": itl(type_4(squeezed, width, height, 1)),
        "type 14, grey values": itl(type_14(raw, width, height, "NONE")),
        "type 14, PNG": itl(type_14(png, width, height, "PNG")),
        "type 14, lossless JPEG": itl(type_14(lossless_jpeg(pixels), width, height, "JPEGL")),
        "type 14, pixels per centimetre": itl(type_14(jp2, width, height, "JP2L", dpi=197, unit=2)),
        "type 14 after a type 2": itl(nistitl.AsciiRecord(2), type_14(squeezed, width, height, "WSQ20")),
    }


def refused(data: bytes, dpi: float | None = 500) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as error:
        image.decode(data, dpi, field="fingers[1].image.content")
    assert error.value.field == "fingers[1].image.content"
    assert error.value.remedy
    return error.value


def test_every_container_gives_the_image_that_was_put_in(prints: list[list[U8]]) -> None:
    grey = prints[0][0]
    unpacked_wsq = image.decode(encoded(grey, "WSQ"), 500)
    for name, data in containers(grey).items():
        expected = unpacked_wsq if "WSQ" in name or "type 2" in name else grey
        assert (image.decode(data, 500) == expected).all(), name
        assert (image.decode(data) == expected).all(), name


def test_lossless_jpeg_2000_is_read_exactly_and_a_lossy_one_is_found(
    prints: list[list[U8]], templates: list[list[Template]]
) -> None:
    assert (image.decode(encoded(prints[0][0], "JPEG2000"), 500) == prints[0][0]).all()
    lossy = encoded(prints[0][0], "JPEG2000", quality_mode="rates", quality_layers=[10], irreversible=True)
    assert compare(extract(lossy, 500), templates[0][1]).score > 4.0


def test_a_finger_compressed_fifteen_to_one_matches_its_original_and_its_other_print(
    prints: list[list[U8]], templates: list[list[Template]]
) -> None:
    squeezed = encoded(prints[0][0], "WSQ")
    assert prints[0][0].size / len(squeezed) > 12
    template = extract(squeezed, 500)
    assert compare(template, templates[0][0]).score > compare(templates[0][1], templates[0][0]).score
    assert compare(template, templates[0][1]).score > 4.0
    assert max(compare(template, other[0]).score for other in templates[1:]) < 2.0


@pytest.mark.parametrize("shape", [(374, 388), (301, 257), (200, 300), (131, 127), (64, 65)])
def test_wsq_is_decoded_to_the_grey_values_of_nists_decoder(
    prints: list[list[U8]], shape: tuple[int, int]
) -> None:
    data = encoded(np.ascontiguousarray(prints[0][0][: shape[0], : shape[1]]), "WSQ")
    file = wsq_file.read(data)
    assert (file.size, file.dpi) == ((shape[1], shape[0]), 500.0)
    ours = wsq_file.decode(file).astype(int)
    theirs = np.asarray(Image.open(io.BytesIO(data), formats=["WSQ"])).astype(int)
    # Sums of float32 in another order: a grey value on the edge may fall to the other side.
    assert np.abs(ours - theirs).max() <= 1
    assert (ours != theirs).mean() < 1e-3


def test_a_record_of_another_program_is_read() -> None:
    (found,) = iso19794_4.read(BY_ANOTHER_PROGRAM)
    assert found == PackedImage(bytes(range(12)), True, 4, 3, (197 * 2.54, 197 * 2.54), position=6)


def test_the_request_decides_on_the_resolution_and_a_file_must_not_contradict_it(
    prints: list[list[U8]],
) -> None:
    grey = prints[0][0]
    height, width = grey.shape
    for data in (
        encoded(grey, "PNG", dpi=(508, 508)),
        fir_2011(grey.tobytes(), width, height, 0, dpi=508),
        itl(type_14(grey.tobytes(), width, height, "NONE", dpi=508)),
        itl(type_4(grey.tobytes(), width, height, 0), native="20.00"),
    ):
        assert (image.decode(data, 500) == grey).all()
        error = refused(data, 1000)
        assert error.reason == "IMAGE_RESOLUTION_CONTRADICTED"
    assert refused(encoded(grey, "WSQ"), 1000).reason == "IMAGE_RESOLUTION_CONTRADICTED"
    # 72 dpi is what editors write for "unknown".
    assert image.decode(encoded(grey, "PNG", dpi=(72, 72)), 500).shape == grey.shape
    assert refused(encoded(grey, "PNG", dpi=(500, 1000))).reason == "IMAGE_RESOLUTION"


def jpeg_2000_at(pixels: U8, dpi: int) -> bytes:
    """JPEG 2000 with a capture resolution: pixels a metre, in a superbox that its encoder does not write."""
    data = encoded(pixels, "JPEG2000")
    per_metre = round(dpi / 0.0254)
    capture = struct.pack(">I4sHHHHBB", 18, b"resc", per_metre, 1, per_metre, 1, 0, 0)
    resolution = struct.pack(">I4s", 8 + len(capture), b"res ") + capture
    at = data.index(b"jp2h") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    header = (length + len(resolution)).to_bytes(4, "big") + data[at + 4 : at + length] + resolution
    return data[:at] + header + data[at + length :]


def wsq_at(pixels: U8, dpi: int) -> bytes:
    """WSQ whose NIST comment has this resolution instead of the encoder's own, which is 500 dpi."""
    data = encoded(pixels, "WSQ")
    start = data.index(b"\xff\xa8") + 2
    length = int.from_bytes(data[start : start + 2], "big")
    comment = data[start + 2 : start + length].replace(b"PPI 500", b"PPI %d" % dpi)
    return data[:start] + struct.pack(">H", 2 + len(comment)) + comment + data[start + length :]


def declaring(pixels: U8, dpi: int) -> dict[str, bytes]:
    """An image in every encoding that can say its resolution, in all the ways of saying it."""
    height, width = pixels.shape
    raw = pixels.tobytes()
    per_cm = round(dpi / 2.54)
    jpeg = encoded(pixels, "JPEG", quality=95, dpi=(per_cm, per_cm))
    exif = Image.Exif()
    exif[282], exif[296] = float(dpi), 2
    return {
        "PNG": encoded(pixels, "PNG", dpi=(dpi, dpi)),
        "TIFF, inches": encoded(pixels, "TIFF", dpi=(dpi, dpi)),
        "TIFF, centimetres": encoded(
            pixels, "TIFF", resolution_unit="cm", x_resolution=dpi / 2.54, y_resolution=dpi / 2.54
        ),
        "BMP": encoded(pixels, "BMP", dpi=(dpi, dpi)),
        "JPEG, inches": encoded(pixels, "JPEG", dpi=(dpi, dpi)),
        "JPEG, centimetres": jpeg.replace(b"JFIF\0\x01\x01\x01", b"JFIF\0\x01\x01\x02"),
        "JPEG, EXIF": encoded(pixels, "JPEG", exif=exif),
        "JPEG 2000": jpeg_2000_at(pixels, dpi),
        "WSQ": wsq_at(pixels, dpi),
        "FIR 2005": fir_2005(raw, width, height, 0, dpi),
        "FIR 2011": fir_2011(raw, width, height, 0, dpi),
        "type 4": itl(type_4(raw, width, height, 0), native=f"{dpi / 25.4:.2f}"),
        "type 14, inches": itl(type_14(raw, width, height, "NONE", dpi)),
        "type 14, centimetres": itl(type_14(raw, width, height, "NONE", per_cm, 2)),
    }


NAMES = list(declaring(np.zeros((80, 90), np.uint8), 1000))


@pytest.fixture(scope="module")
def fine(prints: list[list[U8]]) -> dict[str, bytes]:
    """A print at 1,000 dpi, saying so."""
    return declaring(np.asarray(Image.fromarray(prints[0][0]).resize((832, 1088))), 1000)


@pytest.mark.parametrize("name", NAMES)
def test_the_resolution_that_a_file_declares_counts_and_must_not_be_contradicted(
    fine: dict[str, bytes], name: str
) -> None:
    data = fine[name]
    assert image.decode(data).shape == (544, 416)
    assert image.decode(data, 1000).shape == (544, 416)
    assert refused(data, 500).reason == "IMAGE_RESOLUTION_CONTRADICTED"


def test_a_record_must_not_contradict_the_image_in_it(prints: list[list[U8]]) -> None:
    height, width = prints[0][0].shape
    png = encoded(prints[0][0], "PNG", dpi=(1000, 1000))
    for data in (
        fir_2005(png, width, height, 5),
        fir_2011(png, width, height, 6),
        itl(type_14(png, width, height, "PNG")),
        itl(type_4(wsq_at(prints[0][0], 1000), width, height, 1)),
    ):
        assert refused(data, None).reason == "IMAGE_RESOLUTION_CONTRADICTED"


def test_a_wsq_file_with_two_resolutions_is_refused(prints: list[list[U8]]) -> None:
    fine, coarse = wsq_at(prints[0][0], 1000), wsq_at(prints[0][0], 500)
    start = fine.index(b"\xff\xa8")
    end = start + 2 + int.from_bytes(fine[start + 2 : start + 4], "big")
    assert refused(coarse[:2] + fine[start:end] + coarse[2:], None).reason == "IMAGE_VALUE"


def test_a_record_of_a_resolution_that_no_scanner_has_is_refused(prints: list[list[U8]]) -> None:
    height, width = prints[0][0].shape
    raw = prints[0][0].tobytes()
    for data in (fir_2005(raw, width, height, 0, dpi=50), fir_2011(raw, width, height, 0, dpi=5000)):
        assert refused(data, None).reason == "IMAGE_RESOLUTION"


def test_a_type_4_image_that_is_not_native_has_500_dpi(prints: list[list[U8]]) -> None:
    height, width = prints[0][0].shape
    record = type_4(prints[0][0].tobytes(), width, height, 0, native=0)
    (found,) = nist_itl.read(itl(record, native="39.37"))
    assert (found.dpi, found.position) == ((500.0, 500.0), 2)


def test_files_of_no_or_two_fingers_are_refused(prints: list[list[U8]]) -> None:
    raw = prints[0][0].tobytes()
    height, width = prints[0][0].shape
    two = itl(type_14(raw, width, height, "NONE"), type_14(raw, width, height, "NONE"))
    for data in (two, fir_2005(raw, width, height, 0, views=2), itl(nistitl.AsciiRecord(2))):
        assert refused(data).reason == "IMAGE_COUNT"


@pytest.mark.parametrize("wrap", [fir_2005, fir_2011])
def test_absurd_sizes_are_refused_before_room_is_taken(wrap: Callable[[bytes, int, int, int], bytes]) -> None:
    assert refused(wrap(b"x" * 100, 65535, 65535, 0)).reason == "IMAGE_TOO_LARGE"
    assert refused(wrap(b"x" * 100, 300, 300, 0)).reason == "IMAGE_TRUNCATED"
    assert refused(itl(type_4(b"x" * 100, 65535, 65535, 0))).reason == "IMAGE_TOO_LARGE"
    assert refused(itl(type_14(b"x" * 100, 999999999, 9, "NONE"))).reason == "IMAGE_TOO_LARGE"
    assert refused(wrap(b"x" * 100, 7000, 7000, 0)).reason == "IMAGE_TOO_LARGE"
    squeezed = bytearray(encoded(RAMP, "WSQ"))
    frame = squeezed.index(b"\xff\xa2") + 6
    squeezed[frame : frame + 4] = b"\xff\xff\xff\xff"
    assert refused(bytes(squeezed)).reason == "IMAGE_TOO_LARGE"
    bomb = bytearray(encoded(np.zeros((64, 64), np.uint8), "JPEG2000", no_jp2=True))
    size = bomb.index(b"\xff\x51") + 6
    bomb[size : size + 8] = b"\x00\x00\xff\xff\x00\x00\xff\xff"
    assert refused(bytes(bomb)).reason == "IMAGE_TOO_LARGE"


def test_a_file_of_another_finger_than_declared_is_refused(prints: list[list[U8]]) -> None:
    height, width = prints[0][0].shape
    content = itl(type_14(prints[0][0].tobytes(), width, height, "NONE"))
    reader = Reader(1)
    index, thumb, unknown = (
        pb.FingerSample(position=position, image=pb.FingerImage(content=content, dpi=500))
        for position in (
            biometric_pb2.FINGER_POSITION_RIGHT_INDEX,
            biometric_pb2.FINGER_POSITION_RIGHT_THUMB,
            biometric_pb2.FINGER_POSITION_UNKNOWN,
        )
    )
    assert len(reader.samples([index, unknown])) == 2
    with pytest.raises(InvalidArgument) as error:
        reader.samples([thumb])
    assert (error.value.reason, error.value.field) == ("POSITION_CONTRADICTED", "fingers[0].position")
    reader.close()


def test_a_blank_wsq_image_is_blank() -> None:
    assert refused(encoded(np.full((100, 120), 200, np.uint8), "WSQ")).reason == "IMAGE_BLANK"


def test_a_size_that_the_image_inside_does_not_have_is_refused(prints: list[list[U8]]) -> None:
    height, width = prints[0][0].shape
    png = encoded(prints[0][0], "PNG")
    assert refused(fir_2011(png, height, width, 6)).reason == "IMAGE_VALUE"


RAMP = np.add.outer(np.arange(80), 2 * np.arange(90)).astype(np.uint8)
SEEDS = [encoded(RAMP, "WSQ"), encoded(RAMP, "JPEG2000"), *containers(RAMP).values()]


@settings(max_examples=300, deadline=None)
@given(seed=st.sampled_from(SEEDS), data=st.data())
def test_damaged_files_are_decoded_or_refused(seed: bytes, data: st.DataObject) -> None:
    content = bytearray(seed)
    reach = data.draw(st.sampled_from([60, 500, len(content)]))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, min(reach, len(content)) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidArgument):
        assert image.decode(bytes(content), 500).dtype == np.uint8


@given(seed=st.sampled_from(SEEDS), keep=st.floats(0, 0.99))
def test_files_cut_short_are_refused(seed: bytes, keep: float) -> None:
    # Pillow decodes the end of a cut JPEG 2000 file as grey.
    if seed is not SEEDS[1]:
        assert refused(seed[: int(len(seed) * keep)]).reason.startswith("IMAGE_")


@settings(max_examples=60)
@given(
    st.sampled_from([b"", b"FIR\x00010\0", b"FIR\x00020\0", b"1.001:", b"\xff\xa0"]), st.binary(max_size=300)
)
def test_arbitrary_bytes_are_refused(start: bytes, rest: bytes) -> None:
    refused(start + rest)


def progressive(side: int, scans: int) -> bytes:
    """A grey JPEG of nothing but zeros that is refined again and again."""

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    one_code = bytes([1] + [0] * 15)
    frame = struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0])
    blocks = (side // 8) ** 2
    first = segment(0xDA, bytes([1, 1, 0, 0, 0, 0])) + bytes(blocks // 8)
    # The only code is "a run of 2^14 blocks that end here, and so many more".
    run = f"{'0' + '1' * 14:1<16}"
    more = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + int(run, 2).to_bytes(2, "big").replace(
        b"\xff", b"\xff\0"
    )
    tables = segment(0xC4, b"\x00" + one_code + b"\0") + segment(0xC4, b"\x10" + one_code + b"\xe0")
    head = b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1] * 64)) + segment(0xC2, frame)
    return head + tables + first + more * scans + b"\xff\xd9"


def test_files_that_are_built_to_take_long_are_refused() -> None:
    assert refused(progressive(640, 3)).reason == "IMAGE_BLANK"
    assert refused(progressive(640, 100)).reason == "IMAGE_VALUE"
    tiles = bytearray(encoded(np.zeros((1900, 1900), np.uint8), "JPEG2000", tile_size=(1900, 1900)))
    assert refused(bytes(tiles)).reason == "IMAGE_BLANK"
    start = tiles.index(b"\xff\x4f\xff\x51")
    harmless = bytes(tiles[start : start + 47])
    tiles[start + 24 : start + 32] = struct.pack(">II", 16, 16)
    box = struct.pack(">I4s", 8 + len(harmless), b"free") + harmless
    for data in (tiles, tiles[: start - 8] + box + tiles[start - 8 :]):
        assert refused(bytes(data)).reason == "IMAGE_VALUE"
    png = encoded(np.zeros((3300, 3300), np.uint8), "PNG")
    assert refused(png).reason == "IMAGE_TOO_LARGE"
