"""The quality score falls with everything that makes a print worse, and what is no print gets none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from services.abis.fingerprint import quality
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import Trace, extract_pixels
from services.abis.fingerprint.interchange import quality_of, to_view
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.template import Template, minutiae_only
from services.abis.kernels import U8
from services.common.errors import InvalidArgument

MATCH = 3.0
"""The least threshold that any decision is made with by default is 2; a match starts here."""


def noise(seed: int, size: int) -> U8:
    return np.random.default_rng(seed).integers(0, 256, (size, size)).astype(np.uint8)


def gradient(seed: int, size: int) -> U8:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    slope = rng.uniform(-1, 1, 2)
    ramp = slope[0] * y + slope[1] * x
    return np.asarray(255 * (ramp - ramp.min()) / max(float(np.ptp(ramp)), 1e-6), dtype=np.uint8)


def text(seed: int, size: int) -> U8:
    letters = np.random.default_rng(seed).choice(list("KARTU TANDA PENDUDUK elektronik 0123456789"), 2000)
    picture = Image.new("L", (size, size), 255)
    lines = "\n".join("".join(letters[k : k + 60]) for k in range(0, 2000, 60))
    ImageDraw.Draw(picture).multiline_text((4, 4), lines, fill=0, font=ImageFont.load_default(14))
    return np.array(picture)


def constant(seed: int, size: int) -> U8:
    return np.full((size, size), seed % 256, np.uint8)


Picture = Callable[[int, int], U8]


def attempted(pixels: U8) -> Template | str:
    """A template, or the reason why there is none."""
    try:
        return extract_pixels(pixels)
    except InvalidArgument as refused:
        return refused.reason


@pytest.fixture(scope="module")
def strangers(templates: list[list[Template]]) -> list[Template]:
    """Real enough fingers, and what could be extracted of other pictures, with which nothing must match."""
    return [templates[0][0], templates[1][0]]


@settings(max_examples=25, deadline=None)
@given(
    draw=st.sampled_from([noise, gradient, text, constant]),
    other=st.sampled_from([noise, gradient, text, constant]),
    seed=st.integers(0, 1000),
    size=st.integers(100, 400),
)
def test_what_is_no_finger_is_refused_or_matches_nothing(
    strangers: list[Template], draw: Picture, other: Picture, seed: int, size: int
) -> None:
    first, second = attempted(draw(seed, size)), attempted(other(seed + 1, size))
    if isinstance(first, Template):
        for stranger in strangers:
            assert compare(first, stranger).score < MATCH
        if isinstance(second, Template):
            assert compare(first, second).score < MATCH
    else:
        assert first in {"IMAGE_NO_RIDGES", "IMAGE_SATURATED"}


def test_a_black_image_is_saturated_and_a_white_one_has_no_ridges(prints: list[list[U8]]) -> None:
    wet = np.clip(prints[0][0].astype(int) - 250, 0, 255).astype(np.uint8)
    for image, reason in ((wet, "IMAGE_SATURATED"), (255 - wet, "IMAGE_NO_RIDGES")):
        with pytest.raises(InvalidArgument) as refused:
            extract_pixels(np.ascontiguousarray(image), field="fingers[1].image")
        assert (refused.value.reason, refused.value.field) == (reason, "fingers[1].image")


def test_less_of_a_print_and_a_noisier_one_are_of_lower_quality(prints: list[list[U8]]) -> None:
    whole = prints[0][0]
    grades = [extract_pixels(np.ascontiguousarray(whole[:height])).quality for height in (374, 230, 150)]
    assert grades[0] > grades[1] > grades[2] > 0
    rng = np.random.default_rng(1)
    noisy = [
        extract_pixels(np.clip(whole + rng.normal(0, sd, whole.shape), 0, 255).astype(np.uint8)).quality
        for sd in (0, 70, 140)
    ]
    assert noisy[0] > noisy[1] > noisy[2]


def test_a_print_at_twice_its_resolution_is_of_lower_quality(prints: list[list[U8]]) -> None:
    picture = Image.fromarray(prints[0][0])
    double = np.array(picture.resize((picture.width * 2, picture.height * 2)))
    assert extract_pixels(double).quality < 0.8 * extract_pixels(prints[0][0]).quality


def test_the_map_is_clear_on_ridges_and_zero_beside_them(prints: list[list[U8]]) -> None:
    seen: Trace = {}
    extract_pixels(prints[0][0], trace=seen)
    assert seen["quality"].shape == seen["area"].shape
    assert not seen["quality"][~seen["area"]].any()
    assert 0.3 < float(seen["quality"][seen["area"]].mean()) <= 1.0


def test_no_ridges_are_no_quality() -> None:
    shape = (10, 12)
    nothing = np.zeros(0, np.float32)
    none = Minutiae(nothing, nothing, nothing, np.zeros(0, np.uint8), nothing)
    empty = np.zeros(shape, np.float32)
    assert quality.score(empty, empty + 0.1, np.zeros(shape, np.bool_), none) == 0


def test_the_quality_of_a_print_survives_the_store_and_goes_into_records(
    templates: list[list[Template]],
) -> None:
    template = templates[0][0]
    assert 30 < template.quality <= 100
    assert Template.from_bytes(template.to_bytes()).quality == template.quality
    assert quality_of(template) == to_view(template, 2).quality == template.quality
    assert 0 < quality_of(minutiae_only(template)) <= 100
