"""What other sensors and worse touches cost: the work behind `tunggal bench stress`.

Every print of some sets becomes what another sensor would have given of it (`stress_variants`), and the sets
are measured again, variant by variant, beside a peer that gets the same pictures at 500 dpi, for which it was
made. Nothing was trained on these pictures: where we fall behind out of proportion, the extractor believes
too much of a sensor.
"""

from __future__ import annotations

import csv
import json
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench import datasets
from bench.fingerprint import PEERS, measure
from bench.matchers import Tunggal
from bench.stress_variants import VARIANTS
from services.abis.fingerprint import image, score
from services.abis.kernels import U8

SEED = 11
EVERY = 2
"""Of each finger every second print is taken, or the benchmark would last hours."""
RATES = ("eer", "fnmr_at_fmr_1e-3", "failures_to_extract")


def run(
    dirs: Sequence[Path],
    json_path: Path | None = None,
    peer: str | None = None,
    variants: Sequence[str] = (),
    every: int = EVERY,
) -> list[dict[str, Any]]:
    """Measure the sets in every variant, or in those named.

    Returns
    -------
    One entry a variant: {"variant", "eer", "fnmr_at_fmr_1e-3" (means of the sets), "failures_to_extract" (in
    all), "sets": [the same by set]}, with a peer also {"peers": {name: the same}}. ValueError where a folder
    is no set, or a variant or the peer is not known.
    """
    unknown = [name for name in variants if name not in VARIANTS]
    if unknown:
        raise ValueError(f"Unknown variants {', '.join(unknown)}; known: {', '.join(VARIANTS)}.")
    if peer is not None and peer not in PEERS:
        raise ValueError(f"Unknown peer {peer!r}; known: {', '.join(PEERS)}.")
    sets = {folder.resolve().name: taken(datasets.read(folder), every) for folder in dirs}
    report = []
    for variant in variants or VARIANTS:
        ours: list[dict[str, Any]] = []
        theirs: list[dict[str, Any]] = []
        for name, samples in sets.items():
            with tempfile.TemporaryDirectory() as folder:
                written = write(Path(folder), name, samples, variant)
                ours.append(measure(name, written, Tunggal(score.held_out(name))).summary())
            if peer is not None:
                with tempfile.TemporaryDirectory() as folder:
                    written = write(Path(folder), name, samples, variant, resampled=True)
                    theirs.append(measure(name, written, PEERS[peer]()).summary())
        entry = {"variant": variant, **_mean(ours)}
        if peer is not None:
            entry["peers"] = {peer: _mean(theirs)}
        report.append(entry)
        if json_path is not None:  # after each: it takes long
            json_path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def taken(samples: Sequence[datasets.Sample], every: int) -> list[datasets.Sample]:
    """The first, and from then on every so many-th print of each finger."""
    seen: dict[tuple[str, str], int] = {}
    out = []
    for sample in samples:
        number = seen.get(sample.finger, 0)
        seen[sample.finger] = number + 1
        if number % every == 0:
            out.append(sample)
    return out


def varied(variant: str, set_name: str, sample: datasets.Sample) -> tuple[U8, float]:
    """A print as the variant's sensor gives it, and the resolution that it declares."""
    touch = zlib.crc32(f"{variant} {set_name} {sample.name}".encode())
    pixels = image.decode(sample.path.read_bytes(), sample.dpi)
    draws = (np.random.default_rng([SEED, seed]) for seed in (touch, zlib.crc32(variant.encode())))
    return VARIANTS[variant](pixels, *draws)


def write(
    folder: Path, name: str, samples: Sequence[datasets.Sample], variant: str, *, resampled: bool = False
) -> list[datasets.Sample]:
    """Write a set in a variant, at 500 dpi if that is asked for; its samples."""
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "subject", "position", "impression", "dpi"))
        for number, sample in enumerate(samples):
            pixels, dpi = varied(variant, name, sample)
            if resampled:
                pixels, dpi = image.resample(pixels, dpi), 500.0
            Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=1)
            rows.writerow((f"{number}.png", sample.subject, sample.position, sample.impression, dpi))
    return datasets.read(folder)


def _mean(sets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means of the sets, failures in all, and the sets themselves."""
    out: dict[str, Any] = {rate: float(np.mean([one[rate] for one in sets])) for rate in RATES}
    out["failures_to_extract"] = sum(one["failures_to_extract"] for one in sets)
    out["sets"] = [{key: one[key] for key in ("set", *RATES)} for one in sets]
    return out
