"""Image files: whole, damaged, and far too large."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.common.errors import InvalidArgument
from services.enroll.images import require_whole
from tests.enroll.enroll_people import drawing


def file_of(form: str, size: tuple[int, int] = (64, 80)) -> bytes:
    file = io.BytesIO()
    Image.effect_noise(size, 60).save(file, form)
    return file.getvalue()


def refusal(content: bytes) -> str:
    with pytest.raises(InvalidArgument) as caught:
        require_whole(content, "images[3]")
    assert caught.value.field == "images[3]"
    assert caught.value.remedy
    return caught.value.reason


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP"])
def test_a_whole_image_passes_and_a_truncated_one_does_not(form: str) -> None:
    content = file_of(form)
    require_whole(content, "images[0]")
    assert refusal(content[: len(content) * 2 // 3]) in {"IMAGE_DAMAGED", "IMAGE_UNREADABLE"}
    assert refusal(content[:20]) in {"IMAGE_DAMAGED", "IMAGE_UNREADABLE"}


def test_a_flipped_byte_breaks_the_checksum_of_a_png() -> None:
    content = bytearray(drawing("somebody"))
    content[len(content) // 2] ^= 0xFF
    assert refusal(bytes(content)) == "IMAGE_DAMAGED"


@pytest.mark.parametrize("content", [b"", b"no image", b"%PDF-1.7 " + bytes(100), b"GIF89a" + bytes(100)])
def test_what_is_no_image_is_refused(content: bytes) -> None:
    assert refusal(content) == "IMAGE_UNREADABLE"


@pytest.mark.parametrize("size", [(16, 400), (400, 16), (9000, 40)])
def test_images_of_no_use_are_refused(size: tuple[int, int]) -> None:
    assert refusal(file_of("PNG", size)) == "IMAGE_DIMENSIONS"


def test_a_decompression_bomb_is_refused_unopened() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0))
    assert refusal(bomb + chunk(b"IDAT", b"") + chunk(b"IEND", b"")) == "IMAGE_DIMENSIONS"


@given(st.binary(max_size=300), st.sampled_from(["PNG", "JPEG", "TIFF", "BMP"]), st.integers(0, 200))
def test_rubbish_is_refused_and_nothing_else_happens(rubbish: bytes, form: str, keep: int) -> None:
    with pytest.raises(InvalidArgument):
        require_whole(file_of(form)[:keep] + rubbish, "images[0]")
