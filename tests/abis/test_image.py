"""Pictures that are no finger are refused with what is wrong, and never crash."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from services.abis.fingerprint import image
from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract, extract_pixels
from services.abis.kernels import U8
from services.common.errors import InvalidArgument


def encoded(pixels: NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def reason(data: bytes, dpi: float | None = 500) -> str:
    with pytest.raises(InvalidArgument) as refused:
        extract(data, dpi, field="fingers[2].image")
    assert refused.value.field == "fingers[2].image"
    assert refused.value.remedy
    return refused.value.reason


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_lossless_encodings_give_the_same_template(prints: list[list[U8]], kind: str) -> None:
    expected = extract_pixels(prints[0][0])
    assert extract(encoded(prints[0][0], kind), 500).to_bytes() == expected.to_bytes()


def test_colour_transparency_and_sixteen_bits_are_read_as_grey(prints: list[list[U8]]) -> None:
    grey = prints[0][0]
    rgba = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    assert (image.decode(encoded(rgba)) == grey).all()
    wide = np.clip(grey.astype(np.uint16) * 257, 0, 65535).astype(np.uint16)
    read = image.decode(encoded(wide))
    assert np.corrcoef(read.ravel(), grey.ravel())[0, 1] > 0.999
    assert (read.min(), read.max()) == (0, 255)


def test_jpeg_is_close_enough_to_be_found(prints: list[list[U8]]) -> None:
    squeezed = extract(encoded(prints[0][0], "JPEG", quality=70), 500)
    assert compare(squeezed, extract_pixels(prints[0][1])).score > 4.0


def test_an_image_of_another_resolution_is_resampled(prints: list[list[U8]]) -> None:
    grey = prints[0][0]
    doubled = np.asarray(Image.fromarray(grey).resize((grey.shape[1] * 2, grey.shape[0] * 2)))
    template = extract(encoded(doubled), 1000)
    assert (template.height, template.width) == grey.shape
    assert compare(template, extract_pixels(prints[0][1])).score > 4.0


def test_the_files_own_resolution_counts_where_none_is_declared(prints: list[list[U8]]) -> None:
    doubled = np.asarray(Image.fromarray(prints[0][0]).resize((832, 1088)))
    assert image.decode(encoded(doubled, dpi=(1000, 1000))).shape == (544, 416)
    assert image.decode(encoded(doubled, dpi=(72, 72))).shape == (1088, 832)


def test_each_unusable_image_has_its_reason(prints: list[list[U8]]) -> None:
    good = encoded(prints[0][0])
    assert reason(b"") == "IMAGE_EMPTY"
    assert reason(b"\0" * (p.MAX_IMAGE_BYTES + 1)) == "IMAGE_TOO_LARGE"
    assert reason(b"not an image at all, but long enough to be one") == "IMAGE_UNREADABLE"
    assert reason(good[: len(good) // 2]) == "IMAGE_TRUNCATED"
    assert reason(encoded(np.full((300, 300), 255, np.uint8))) == "IMAGE_BLANK"
    assert reason(encoded(np.zeros((300, 300), np.uint8))) == "IMAGE_BLANK"
    assert reason(encoded(prints[0][0][:40, :40])) == "IMAGE_TOO_SMALL"
    assert reason(good, dpi=20) == "IMAGE_RESOLUTION"
    assert reason(encoded(np.tile(prints[0][0], (6, 1)))) == "IMAGE_TOO_LARGE"
    faint = np.full((300, 300), 200, np.uint8)
    faint[140:150, 140:150] = 190
    assert reason(encoded(faint)) == "IMAGE_NO_RIDGES"


def test_a_picture_of_absurd_size_is_refused_before_it_is_decoded() -> None:
    assert reason(encoded(np.zeros((1, 30000), np.uint8))) == "IMAGE_TOO_LARGE"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_decoded_or_refused(data: st.DataObject) -> None:
    ramp = np.add.outer(np.arange(80), np.arange(90)).astype(np.uint8)
    kind = data.draw(st.sampled_from(["PNG", "TIFF", "BMP", "JPEG"]))
    content = bytearray(encoded(ramp, kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidArgument):
        assert image.decode(bytes(content), 500).dtype == np.uint8
