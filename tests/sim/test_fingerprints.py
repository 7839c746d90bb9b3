"""Synthetic fingers: the same in every process, of believable classes, and told apart by the real matcher."""

import hashlib
import io
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.template import Template
from sim import fingerprints
from sim.fingerprints import Level, Master, Pattern, cache, traits

FINGERS = ((1, 2), (1, 7), (2, 3), (3, 1))


@pytest.fixture(scope="module")
def masters_on_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("masters")


@pytest.fixture(scope="module")
def fingers(masters_on_disk: Path) -> list[Master]:
    return [fingerprints.master(person, position, masters_on_disk) for person, position in FINGERS]


@pytest.fixture(scope="module")
def templates(fingers: list[Master]) -> list[list[Template]]:
    """Of each finger two careful and two ordinary prints."""
    levels = (Level.EASY, Level.EASY, Level.NORMAL, Level.NORMAL)
    return [
        [_template(fingerprints.impression(f, k, level)) for k, level in enumerate(levels)] for f in fingers
    ]


def _template(image: NDArray[np.uint8]) -> Template:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return extract(file.getvalue(), fingerprints.DPI)


def _digest(image: NDArray[np.uint8]) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def test_another_process_grows_the_same_finger_and_takes_the_same_print(fingers: list[Master]) -> None:
    person, position = FINGERS[2]
    program = (
        "import hashlib; from sim import fingerprints as f;"
        f"image = f.impression(f.master({person}, {position}, None), 5);"
        "print(hashlib.sha256(image.tobytes()).hexdigest())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=_environment()
    )
    assert elsewhere.stdout.strip() == _digest(fingerprints.impression(fingers[2], 5))


def _environment() -> dict[str, str]:
    # Hash randomisation on: the result must not hang on the order of sets or on hash().
    return {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "random"}


def test_a_finger_from_the_disk_is_the_finger_that_was_grown(
    fingers: list[Master], masters_on_disk: Path
) -> None:
    again = fingerprints.master(*FINGERS[0], masters_on_disk)
    assert np.array_equal(again.ridges, fingers[0].ridges)
    assert np.array_equal(again.pores, fingers[0].pores)
    assert again.pattern is fingers[0].pattern


@pytest.mark.parametrize("kept", [0, 1000, -1])
def test_a_damaged_file_is_grown_anew(kept: int, fingers: list[Master], tmp_path: Path) -> None:
    stored = (fingers[0].pattern, np.zeros((544, 416), np.int8), np.zeros((544, 416), np.uint8))
    cache.store(tmp_path, *FINGERS[0], stored)
    (file,) = tmp_path.rglob("*.npz")
    data = bytearray(file.read_bytes())
    if kept < 0:
        data[len(data) // 2] ^= 0xFF
    file.write_bytes(data if kept < 0 else data[:kept])
    assert np.array_equal(fingerprints.master(*FINGERS[0], tmp_path).ridges, fingers[0].ridges)
    assert cache.load(tmp_path, *FINGERS[0]) is not None


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", disk_full)
    stored = (Pattern.ARCH, np.zeros((544, 416), np.int8), np.zeros((544, 416), np.uint8))
    with pytest.raises(OSError, match="No space"):
        cache.store(tmp_path, 1, 1, stored)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("position", [0, 11, -1])
def test_no_hand_has_a_finger_at_other_positions(position: int) -> None:
    with pytest.raises(ValueError, match="position"):
        fingerprints.master(1, position, None)


def test_a_print_is_a_grey_image_with_dark_ridges_on_white(fingers: list[Master]) -> None:
    for finger in fingers:
        image = fingerprints.impression(finger, 0)
        assert image.dtype == np.uint8
        assert image.shape == (fingerprints.ROWS, fingerprints.COLUMNS)
        border = np.concatenate([image[:, 0], image[:, -1]])
        assert np.median(border) > 240
        assert 0.05 < (image < 128).mean() < 0.5


def test_every_touch_is_different(fingers: list[Master]) -> None:
    prints = [fingerprints.impression(finger, seed) for finger in fingers for seed in range(5)]
    assert len({_digest(image) for image in prints}) == len(prints)


def test_prints_have_as_many_minutiae_as_real_ones(templates: list[list[Template]]) -> None:
    counts = [len(template) for of_finger in templates for template in of_finger]
    assert min(counts) >= 12
    assert max(counts) <= 100
    assert 20 < np.mean(counts) < 60
    assert len(set(counts)) > len(counts) // 2


def test_prints_of_one_finger_match_and_prints_of_different_fingers_do_not(
    templates: list[list[Template]],
) -> None:
    genuine = [compare(a, b).score for prints in templates for a, b in combinations(prints, 2)]
    impostor = [compare(a, b).score for one, other in combinations(templates, 2) for a in one for b in other]
    assert min(genuine) > max(impostor)


def test_careless_prints_are_harder_to_match(fingers: list[Master], templates: list[list[Template]]) -> None:
    def mean_score(level: Level) -> float:
        probes = [_template(fingerprints.impression(finger, 20, level)) for finger in fingers]
        return float(
            np.mean([compare(p, prints[0]).score for p, prints in zip(probes, templates, strict=True)])
        )

    easy, hard = mean_score(Level.EASY), mean_score(Level.HARD)
    assert easy > 1.5 * hard


def test_ridges_are_about_half_a_millimetre_apart(fingers: list[Master]) -> None:
    for finger in fingers:
        spectrum = np.abs(np.fft.fftshift(np.fft.fft2(finger.ridges[:416] * np.hanning(416)[:, None]))) ** 2
        y, x = np.mgrid[-208:208, -208:208]
        frequency = np.hypot(y, x) / 416
        typical = float((spectrum * frequency).sum() / spectrum.sum())
        assert 6.5 < 1 / typical < 12.5


def test_patterns_are_as_common_as_in_people() -> None:
    patterns: Counter[tuple[bool, Pattern]] = Counter()
    for seed in range(300):
        person = traits.person_traits(np.random.default_rng((seed, 0)))
        for position in fingerprints.POSITIONS:
            finger = traits.finger_traits(person, position, np.random.default_rng((seed, position)))
            patterns[position <= 5, finger.pattern] += 1
    total = patterns.total()

    def share(*wanted: Pattern) -> float:
        return sum(count for (_, pattern), count in patterns.items() if pattern in wanted) / total

    # NIST Special Database 4, natural distribution: 27.9, 65.5 and 6.6 %.
    assert 0.23 < share(Pattern.WHORL, Pattern.DOUBLE_LOOP) < 0.35
    assert 0.57 < share(Pattern.LEFT_LOOP, Pattern.RIGHT_LOOP) < 0.72
    assert 0.03 < share(Pattern.ARCH, Pattern.TENTED_ARCH) < 0.11
    # Loops open to the little finger.
    assert patterns[True, Pattern.RIGHT_LOOP] > 5 * patterns[True, Pattern.LEFT_LOOP]
    assert patterns[False, Pattern.LEFT_LOOP] > 5 * patterns[False, Pattern.RIGHT_LOOP]
