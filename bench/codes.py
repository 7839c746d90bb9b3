"""Trains the 64-bit codes of the first search stage: `python -m bench.codes DIR DIR...`, seeded.

Writes the codebook trained on all sets (services/abis/search/codes.npz) and, for each set, the one trained on
the others (bench/codes_held_out.npz): figures about a set are only ever reported under the latter.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

import services.abis.search
from bench import datasets
from services.abis.fingerprint import score
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.template import Template
from services.abis.kernels import F64, U64
from services.abis.search import codes as search_codes
from services.abis.search.codes import MEAN_UNIT, Codebook
from services.abis.search.parameters import FULL_CODES, HOT_CODES, PROBE_CODES
from services.common.errors import InvalidArgument

SEED = 20261121
BITS = 64
SHRINKAGE = 1.0
"""Multiple of the mean within-class variance that is added to every direction: cells outnumber the data."""
ROUNDS = 60
BACKGROUND = 1024
SURE_SCORE, SURE_CLOSENESS = 3.0, 0.2
"""Comparisons, and pairs of minutiae in them, that are taken for true correspondences."""
HELD_OUT = Path(__file__).parent / "codes_held_out.npz"


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Templates of one set, the finger of each, and corresponding minutiae (template, index, template,
    index).
    """

    name: str
    templates: list[Template]
    fingers: list[tuple[str, str]]
    pairs: NDArray[np.int64]


def load(folder: Path) -> TrainingSet:
    """Extract a set and find the corresponding minutiae of its genuine pairs."""
    templates, fingers = [], []
    for sample in datasets.read(folder):
        try:
            templates.append(extract(sample.path.read_bytes(), sample.dpi))
        except InvalidArgument:
            continue
        fingers.append(sample.finger)
    name = folder.resolve().name
    weights = score.held_out(name)
    pairs = []
    for i, j in itertools.combinations(range(len(templates)), 2):
        if fingers[i] != fingers[j]:
            continue
        found = compare(templates[i], templates[j], weights)
        if found.score > SURE_SCORE:
            sure = found.pairs[found.closeness > SURE_CLOSENESS]
            pairs += [(i, p, j, q) for p, q in sure.tolist()]
    return TrainingSet(name, templates, fingers, np.array(pairs, np.int64).reshape(-1, 4))


def _cells(template: Template) -> tuple[F64, F64, NDArray[np.bool_]]:
    """Bits and validity of all cylinders as (n, 1280) zeros and ones, and which are usable."""
    bits, valid, usable = template.cylinders
    ones = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little").astype(np.float64)
    known = np.unpackbits(valid.view(np.uint8), axis=1, bitorder="little").astype(np.float64)
    return ones, np.tile(known, (1, ones.shape[1] // known.shape[1])), usable.astype(bool)


def train(sets: Sequence[TrainingSet]) -> Codebook:
    """The codebook of the given sets."""
    ones, known, usable, left, right = [], [], [], [], []
    at = 0
    for part in sets:
        starts = []
        for template in part.templates:
            bits, valid, good = _cells(template)
            ones.append(bits)
            known.append(valid)
            usable.append(good)
            starts.append(at)
            at += len(good)
        first = np.array(starts)
        left.append(first[part.pairs[:, 0]] + part.pairs[:, 1])
        right.append(first[part.pairs[:, 2]] + part.pairs[:, 3])
    bits, valid, good = np.concatenate(ones), np.concatenate(known), np.concatenate(usable)
    a, b = np.concatenate(left), np.concatenate(right)
    both = good[a] & good[b]
    share = bits[good].sum(axis=0) / np.maximum(valid[good].sum(axis=0), 1.0)
    mean = np.clip(np.round(share * MEAN_UNIT), 0, 255).astype(np.uint8)
    centred = (bits - mean / MEAN_UNIT) * valid
    weights = _projection(centred, good, centred[a[both]] - centred[b[both]])
    # Only signs matter, so every column may have its own scale: that of the greatest weight that fits.
    whole = np.round(weights * (127 / np.abs(weights).max(axis=0))).astype(np.int8)
    offset = np.round((centred[good] @ whole).mean(axis=0) * MEAN_UNIT).astype(np.int32)
    book = Codebook("", mean, np.ascontiguousarray(whole), offset, np.empty(0, np.uint64), {})
    everything = np.concatenate(
        [search_codes.encode(template, book) for part in sets for template in part.templates]
    )
    rng = np.random.default_rng(SEED)
    background = rng.choice(everything, min(BACKGROUND, everything.size), replace=False)
    about = {
        "script": "bench/codes.py",
        "seed": SEED,
        "sets": [part.name for part in sets],
        "minutia_pairs": int(both.sum()),
        "shrinkage": SHRINKAGE,
    }
    return replace(book, version=f"lda-itq-64/3/{SEED}", background=background, provenance=about)


def _projection(centred: F64, usable: NDArray[np.bool_], differences: F64) -> F64:
    """LDA directions (1280, 64), rotated by ITQ."""
    total = np.cov(centred[usable].T)
    within = differences.T @ differences / (2 * len(differences))
    within += SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    size = len(total)
    _, vectors = eigh(total, within, subset_by_index=[size - BITS, size - 1])
    projected = centred[usable] @ vectors
    projected -= projected.mean(axis=0)
    rotation = np.linalg.qr(np.random.default_rng(SEED).standard_normal((BITS, BITS)))[0]
    for _ in range(ROUNDS):
        u, _, vt = np.linalg.svd(np.sign(projected @ rotation).T @ projected)
        rotation = (u @ vt).T
    return np.asarray(vectors @ rotation)


def finger_score(probe: U64, limits: U64, reference: U64) -> float:
    """The first-stage score of two fingers in plain NumPy."""
    if not probe.size or not reference.size:
        return 0.0
    nearest = np.bitwise_count(probe[:, None] ^ reference[None]).min(axis=1).astype(np.int64)
    return float(np.maximum(limits.astype(np.int64) - nearest, 0).sum())


def beaten(held: TrainingSet, book: Codebook, probe_codes: int, gallery_codes: int) -> float:
    """Share of mated comparisons with more than 1 % of the probe's impostors at or above them."""
    all_codes = [search_codes.encode(template, book) for template in held.templates]
    limits = [search_codes.thresholds(codes[:probe_codes], book) for codes in all_codes]
    above = []
    for i, finger in enumerate(held.fingers):
        scores = np.array(
            [finger_score(all_codes[i][:probe_codes], limits[i], g[:gallery_codes]) for g in all_codes]
        )
        mated = np.array([other == finger for other in held.fingers])
        impostors = scores[~mated]
        mated[i] = False
        above += [float((impostors >= value).mean()) for value in scores[mated]]
    return float(np.mean(np.array(above) > 0.01))


def held_out() -> Mapping[str, Codebook]:
    """For each set that the default codebook was trained on, the codebook trained on the others."""
    with np.load(HELD_OUT) as arrays:
        names = sorted({key.split("/")[0] for key in arrays.files})
        return {
            name: search_codes.from_arrays(
                {key.split("/")[1]: arrays[key] for key in arrays.files if key.startswith(f"{name}/")}
            )
            for name in names
        }


def main() -> None:
    """Train on the sets named on the command line, print the cross-validation, write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="two sets or more")
    sets = [load(folder) for folder in parser.parse_args().folders]
    arrays: dict[str, NDArray[Any]] = {}
    figures = {}
    for held in sets:
        book = train([part for part in sets if part is not held])
        full = beaten(held, book, FULL_CODES, FULL_CODES)
        short = beaten(held, book, PROBE_CODES, HOT_CODES)
        figures[held.name] = {"beaten_full": round(full, 4), "beaten_short": round(short, 4)}
        print(
            f"{held.name}: {full:.1%} of mates beaten by 1 % of impostors with all codes, {short:.1%} with "
            f"{PROBE_CODES} x {HOT_CODES}",
            flush=True,
        )
        arrays |= {f"{held.name}/{key}": value for key, value in search_codes.to_arrays(book).items()}
    book = train(sets)
    book = replace(book, provenance={**book.provenance, "held_out": figures})
    np.savez_compressed(HELD_OUT, **arrays)  # type: ignore[arg-type]
    target = Path(services.abis.search.__path__[0]) / "codes.npz"
    np.savez_compressed(target, **search_codes.to_arrays(book))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
