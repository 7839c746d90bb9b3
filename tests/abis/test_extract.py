"""The steps of the extractor, on patterns whose truth is known."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from services.abis.fingerprint import enhance, frame, frequency, mask, orientation
from services.abis.fingerprint import parameters as p
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract_pixels
from services.abis.fingerprint.template import Template, minutiae_only
from services.abis.kernels import U8
from services.common.errors import DataLoss, InvalidArgument


def ridges(angle: float, period: float, noise: float = 0.0) -> U8:
    """Straight ridges in a disc on white paper."""
    y, x = np.mgrid[:240, :240].astype(float)
    wave = np.cos(2 * np.pi * (x * np.sin(angle) + y * np.cos(angle)) / period)
    grey = 128 + 100 * wave + np.random.default_rng(0).normal(0, noise, wave.shape)
    grey[np.hypot(x - 120, y - 120) > 90] = 255
    return np.asarray(np.clip(grey, 0, 255), dtype=np.uint8)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.0, 1.57, 2.2, 3.0])
@pytest.mark.parametrize("period", [7.0, 9.0, 12.0])
def test_orientation_period_and_area_of_straight_ridges_are_found(angle: float, period: float) -> None:
    image = ridges(angle, period, noise=25)
    valid, mean, contrast, share = frame.fill(image)
    level = frame.level(image, valid, mean, contrast)
    area = mask.candidates(contrast)
    c, s = orientation.estimate(level, np.ones_like(contrast), orientation.COARSE)
    theta = orientation.angles(c, s)
    wave = frequency.estimate(level, theta, area)
    _, power = enhance.gabor(level, c, s, wave, area)
    found = mask.ridges(power, contrast, share)
    i, j = np.mgrid[:30, :30] * 8 + 4
    inside = np.hypot(i - 120, j - 120) < 70
    off = np.abs(np.mod(theta - angle + np.pi / 2, np.pi) - np.pi / 2)
    assert off[inside].max() < 0.1
    assert np.median(1 / wave[inside]) == pytest.approx(period, rel=0.05)
    assert found[inside].all()
    assert not found[np.hypot(i - 120, j - 120) > 115].any()


def test_straight_ridges_have_no_minutiae_but_doubtful_ones_at_the_rim() -> None:
    for x, y, _, quality in extract_pixels(ridges(0.4, 9.0)).points:
        assert quality < 0.1
        assert np.hypot(x - 120, y - 120) > 70


def test_noise_is_refused_or_has_no_clear_minutiae() -> None:
    noise = np.random.default_rng(5).integers(0, 255, (300, 300)).astype(np.uint8)
    with suppress(InvalidArgument):
        assert float(extract_pixels(noise).points[:, 3].mean()) < 0.3


def test_a_faint_image_is_stretched_and_another_is_left_alone() -> None:
    clear = ridges(0.4, 9.0)
    assert frame.stretch(clear) is clear
    faint = (200 + clear.astype(float) * 0.08).astype(np.uint8)
    stretched = frame.stretch(faint)
    assert np.corrcoef(stretched.ravel(), clear.ravel())[0, 1] > 0.99
    assert int(stretched.max()) - int(stretched.min()) >= p.FAINT_RANGE
    blank = np.full_like(clear, 77)
    assert frame.stretch(blank) is blank


def test_dead_lines_and_specks_are_no_skin_and_ridges_are() -> None:
    clear = (128 + 0.3 * (ridges(0.4, 9.0).astype(float) - 128)).astype(np.uint8)
    faulty = clear.copy()
    faulty[:, 100] = 255
    faulty[130:132] = 0
    faulty[90:93, 140:143] = 0
    valid = frame.fill(faulty)[0]
    inside = np.hypot(*(np.mgrid[:240, :240] - 120)) < 80
    wrong = faulty != clear
    assert not valid[wrong & inside].any()
    assert valid[~wrong & inside].mean() > 0.999
    assert frame.fill(clear)[0][inside].all()


def test_a_faint_print_and_a_noisy_one_match_the_clear_one(prints: list[list[U8]]) -> None:
    clear, other = prints[0][0], prints[0][1]
    faint = (205 + 0.09 * (clear.astype(float) - 255)).astype(np.uint8)
    noise = np.random.default_rng(6).normal(0, 45, clear.shape)
    noisy = np.clip(60 + 0.5 * clear.astype(float) + noise, 0, 255).astype(np.uint8)
    for worse in (faint, noisy):
        assert compare(extract_pixels(worse), extract_pixels(other)).score > 4.0


def test_an_inverted_print_matches_as_well_as_it_was(prints: list[list[U8]]) -> None:
    clear, other = prints[0][0], extract_pixels(prints[0][1])
    inverted = compare(extract_pixels(255 - clear), other).score
    assert inverted > 0.7 * compare(extract_pixels(clear), other).score > 4.0


def test_otsu_splits_two_levels() -> None:
    values = np.array([1.0] * 50 + [9.0] * 30, np.float32)
    assert 1.0 < mask.otsu(values) <= 9.0


def test_a_mask_is_one_area_without_holes() -> None:
    raw = np.zeros((30, 30), np.bool_)
    raw[4:24, 4:24] = True
    raw[12:14, 12:14] = False
    raw[26:29, 26:29] = True
    assert mask.clean(raw)[13, 13]
    assert not mask.clean(raw)[27, 27]


def test_a_template_survives_its_binary_form(templates: list[list[Template]]) -> None:
    for template in (templates[0][0], minutiae_only(templates[0][0])):
        again = Template.from_bytes(template.to_bytes())
        assert again.to_bytes() == template.to_bytes()
        assert (again.points == template.points).all()
        assert (again.texture == template.texture).all()
        assert again.from_image is template.from_image


def test_the_best_sixty_minutiae_are_kept_best_first(templates: list[list[Template]]) -> None:
    for person in templates:
        for template in person:
            assert p.MIN_MINUTIAE <= len(template) <= p.MAX_MINUTIAE
            assert (np.diff(template.points[:, 3]) <= 0).all()


def test_a_damaged_stored_template_is_data_loss(templates: list[list[Template]]) -> None:
    data = bytearray(templates[0][0].to_bytes())
    data[40] ^= 1
    for damaged in (bytes(data), bytes(data[:-9]), b""):
        with pytest.raises(DataLoss):
            Template.from_bytes(damaged)
