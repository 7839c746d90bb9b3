"""How good the synthetic fingerprints are: fast enough, told apart like real ones, and pleasing to the eye.

`run` writes a set of prints as any test set is written (PNG files and a `manifest.csv`), scores all its pairs
with the product's own matcher and times every step. `contact_sheet` shows synthetic fingers, above real ones
where a real set is at hand, so that a person can judge what no number says.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench import accuracy, datasets
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.template import Template
from services.common.errors import InvalidArgument
from sim import fingerprints
from sim.fingerprints import Level, Master, Pattern

FIRST_PERSON = 9_000_000_000_000
"""Seed of the first person of a set, far from those of `sim.population`."""

_COLUMNS = 6
_CELL = (fingerprints.COLUMNS // 2, fingerprints.ROWS // 2)
_GAP = 12
_CAPTION = 24

T = TypeVar("T")


@dataclass(frozen=True)
class Report:
    """What was measured on one set.

    Attributes:
        fingers: size of the set; ten fingers belong to one person.
        impressions: of each finger.
        genuine: pairs of the same finger that were compared.
        impostor: pairs of different fingers that were compared.
        extraction_failures: images in which no finger was found; they score minus infinity.
        eer: equal error rate, as a fraction.
        fnmr_at_fmr_0_1_percent: FNMR at the threshold where one impostor pair in a thousand matches.
        minutiae_mean: minutiae in a template.
        minutiae_deviation: standard deviation of that.
        patterns: how many fingers have each Henry class.
        master_seconds: median CPU seconds to grow a finger.
        impression_seconds: median CPU seconds to print it.
        extraction_seconds: median CPU seconds to make a template of the print.
    """

    fingers: int
    impressions: int
    genuine: int
    impostor: int
    extraction_failures: int
    eer: float
    fnmr_at_fmr_0_1_percent: float
    minutiae_mean: float
    minutiae_deviation: float
    patterns: dict[str, int]
    master_seconds: float
    impression_seconds: float
    extraction_seconds: float


def run(folder: Path, *, fingers: int = 50, impressions: int = 4, level: Level | None = None) -> Report:
    """Write a set to `folder` and measure it.

    Args:
        folder: gets the images and the manifest; files of the same names are overwritten.
        fingers: at least two.
        impressions: of each finger, at least two.
        level: how carefully all fingers are placed; None mixes as `fingerprints.impression` does.

    Raises:
        ValueError: where there would be nothing to compare.
    """
    if fingers < 2 or impressions < 2:
        raise ValueError("Error rates need at least two impressions of each of at least two fingers.")
    growing: list[float] = []
    printing: list[float] = []
    extracting: list[float] = []
    masters = [_timed(growing, partial(_master, k)) for k in range(fingers)]
    _write(folder, masters, impressions, level, printing)
    samples = datasets.read(folder)
    templates = [_timed(extracting, partial(_template, sample)) for sample in samples]
    genuine, impostor = _scores(samples, templates)
    curve = accuracy.det(genuine, impostor)
    counts = [len(template) for template in templates if template is not None]
    return Report(
        fingers=fingers,
        impressions=impressions,
        genuine=len(genuine),
        impostor=len(impostor),
        extraction_failures=len(templates) - len(counts),
        eer=accuracy.equal_error_rate(curve),
        fnmr_at_fmr_0_1_percent=accuracy.fnmr_at_fmr(curve, 0.001),
        minutiae_mean=float(np.mean(counts)),
        minutiae_deviation=float(np.std(counts)),
        patterns={str(p): sum(master.pattern is p for master in masters) for p in Pattern},
        master_seconds=float(np.median(growing)),
        impression_seconds=float(np.median(printing)),
        extraction_seconds=float(np.median(extracting)),
    )


def contact_sheet(file: Path, real: Path | None = None) -> None:
    """Draw synthetic fingers of every class to `file` (PNG), above real ones from the set in `real`.

    The real ones are shown only if their folder exists. A sheet with them must not be published: it is for
    those who may have the set.
    """
    rows = [
        ("Synthetic, one of each class, carefully placed", _one_of_each_pattern()),
        ("Synthetic, as they come", _as_they_come()),
    ]
    if real is not None and real.is_dir():
        rows.append((f"Real ({real.name})", _first_impressions(real)))
    width = _COLUMNS * (_CELL[0] + _GAP) + _GAP
    heights = [_CAPTION + -(-len(images) // _COLUMNS) * (_CELL[1] + _CAPTION) for _, images in rows]
    sheet = Image.new("L", (width, sum(heights) + _GAP), 255)
    pen = ImageDraw.Draw(sheet)
    top = 0
    for (title, images), height in zip(rows, heights, strict=True):
        pen.text((_GAP, top + 4), title, fill=0, font=ImageFont.load_default(15))
        for k, (caption, image) in enumerate(images):
            x = _GAP + k % _COLUMNS * (_CELL[0] + _GAP)
            y = top + _CAPTION + k // _COLUMNS * (_CELL[1] + _CAPTION)
            small = image.resize(_CELL, Image.Resampling.LANCZOS)
            sheet.paste(small, (x, y))
            pen.rectangle((x - 1, y - 1, x + _CELL[0], y + _CELL[1]), outline=215)
            pen.text((x, y + _CELL[1] + 2), caption, fill=70, font=ImageFont.load_default(12))
        top += height
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file)


def _timed(seconds: list[float], work: Callable[[], T]) -> T:
    """What `work` returns; the time it took on its core goes to `seconds`."""
    start = time.thread_time()
    result = work()
    seconds.append(time.thread_time() - start)
    return result


def _master(k: int) -> Master:
    # Grown anew, not taken from the cache: this is what is being timed.
    return fingerprints.master(FIRST_PERSON + k // 10, 1 + k % 10, directory=None)


def _write(
    folder: Path, masters: Sequence[Master], impressions: int, level: Level | None, seconds: list[float]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "subject", "position", "impression", "dpi"))
        for finger in masters:
            for number in range(1, impressions + 1):
                name = f"{finger.person_seed - FIRST_PERSON + 1}_{finger.position}_{number}.png"
                image = _timed(seconds, partial(fingerprints.impression, finger, number, level))
                Image.fromarray(image).save(folder / name, dpi=(fingerprints.DPI, fingerprints.DPI))
                subject = finger.person_seed - FIRST_PERSON + 1
                rows.writerow((name, subject, finger.position, number, fingerprints.DPI))


def _template(sample: datasets.Sample) -> Template | None:
    try:
        return extract(sample.path.read_bytes(), sample.dpi)
    except InvalidArgument:
        return None


def _scores(
    samples: Sequence[datasets.Sample], templates: Sequence[Template | None]
) -> tuple[list[float], list[float]]:
    """Scores of all pairs of samples: of the same finger, and of different ones."""
    genuine: list[float] = []
    impostor: list[float] = []
    for (first, probe), (second, reference) in combinations(zip(samples, templates, strict=True), 2):
        score = -np.inf
        if probe is not None and reference is not None:
            score = compare(probe, reference).score
        (genuine if first.finger == second.finger else impostor).append(score)
    return genuine, impostor


def _one_of_each_pattern() -> list[tuple[str, Image.Image]]:
    """A careful print of the first finger of each class that turns up."""
    first: dict[Pattern, tuple[int, int]] = {}
    for k in range(400):
        person, position = FIRST_PERSON + k // 10, 1 + k % 10
        first.setdefault(fingerprints.pattern_of(person, position), (person, position))
    fingers = [fingerprints.master(*first[pattern]) for pattern in Pattern]
    return [(str(f.pattern), Image.fromarray(fingerprints.impression(f, 1, Level.EASY))) for f in fingers]


def _as_they_come() -> list[tuple[str, Image.Image]]:
    fingers = [fingerprints.master(FIRST_PERSON + 10 + k, 1 + k % 10) for k in range(2 * _COLUMNS)]
    return [(str(f.pattern), Image.fromarray(fingerprints.impression(f, 1))) for f in fingers]


def _first_impressions(folder: Path) -> list[tuple[str, Image.Image]]:
    samples = [sample for sample in datasets.read(folder) if sample.impression == "1"]
    return [(sample.name, _grey(sample.path)) for sample in samples[: 2 * _COLUMNS]]


def _grey(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        return picture.convert("L")
