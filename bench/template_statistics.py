"""What real templates and those of `bench.synthetic_templates` look like, side by side.

    python -m bench.template_statistics DIR DIR...

Real ones are compared under the weights that never saw their set, to find out which minutiae of two prints
are the same. The constants of the model were fitted by hand to what this prints.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import codes, datasets, synthetic_templates
from services.abis.explain.matching import Match, match
from services.abis.finger import UNKNOWN, Finger
from services.abis.fingerprint import score
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.score import DEFAULT, Weights
from services.abis.fingerprint.template import CELL, Template
from services.abis.kernels import F64, I32
from services.abis.search import codes as search_codes
from services.abis.search import crossed
from services.common.errors import InvalidArgument

SURE = 8.0
"""Score from which on the minutiae that a comparison pairs are taken for the same ones."""
SYNTHETIC = 40
"""People of the model, of ten fingers each."""
Prints = dict[tuple[str, str], list[Template]]


def real(folder: Path) -> Prints:
    """Templates of a set by finger."""
    found: Prints = {}
    for sample in datasets.read(folder):
        try:
            template = extract(sample.path.read_bytes(), sample.dpi)
        except InvalidArgument:
            continue
        found.setdefault(sample.finger, []).append(template)
    return found


def synthetic() -> Prints:
    """Two prints of each finger of people of the model."""
    rng = np.random.default_rng(11)
    positions = range(1, 11)
    found: Prints = {}
    for person in range(SYNTHETIC):
        own = synthetic_templates.fingers(12, person, positions)
        for visit in (synthetic_templates.visit(own, rng) for _ in range(2)):
            for position, template in zip(positions, visit, strict=True):
                found.setdefault((str(person), str(position)), []).append(template)
    return found


def singles(prints: Prints) -> Iterator[tuple[str, str]]:
    """Names and figures of single prints."""
    every = [template for own in prints.values() for template in own if len(template) > 1]
    area = np.array([np.count_nonzero(t.frequency) * CELL**2 for t in every])
    count = np.array([len(t) for t in every])
    nearest = np.concatenate([_nearest(t) for t in every])
    quality = np.concatenate([t.points[:, 3] for t in every])
    means = np.array([t.points[:, 3].mean() for t in every])
    usable = [int(t.cylinders[2].sum()) for t in every]
    yield "minutiae", f"{count.mean():.0f} (sd {count.std():.0f})"
    yield "usable cylinders", f"{np.mean(usable):.0f}"
    yield "ridge area, px", f"{area.mean():,.0f} (sd {area.std():,.0f})"
    yield "minutiae / 10,000 px", f"{1e4 * (count / area).mean():.1f}"
    yield "nearest neighbour 5, 50 %, px", "{:.0f}, {:.0f}".format(*np.quantile(nearest, (0.05, 0.5)))
    yield "quality", f"{quality.mean():.2f} (sd {quality.std():.2f}, of prints {means.std():.2f})"


def mated(prints: Prints, weights: Weights) -> Iterator[tuple[str, str]]:
    """Names and figures of two prints of one finger."""
    pairs = [(a, b) for own in prints.values() for a, b in itertools.combinations(own, 2)]
    found = [one for a, b in pairs if (one := match(a, b, weights)).score > SURE and one.aligned]
    rows: F64 = np.array([_aligned(one) for one in found])
    common, again, turn = rows[:, 0], rows[:, 1], rows[:, 2]
    residual = np.concatenate([_residuals(one) for one in found])
    persists = np.concatenate([_qualities(one) for one in found])
    yield "surely the same", f"{len(found) / len(pairs):.0%}"
    yield "common area", f"{common.mean():.0%} (sd {common.std():.0%})"
    yield "minutiae found again", f"{again.mean():.0%} (sd {again.std():.0%})"
    yield "residual 50, 90 %, px", "{:.1f}, {:.1f}".format(*np.quantile(residual, (0.5, 0.9)))
    yield "turn, sd, degrees", f"{turn.std():.0f}"
    yield "correlation of qualities", f"{np.corrcoef(persists.T)[0, 1]:.2f}"


def first_stage(prints: Prints, book: search_codes.Codebook) -> Iterator[tuple[str, str]]:
    """Names and quantiles of first-stage scores, all codes, of mates and of strangers."""
    every = [(finger, template) for finger, own in prints.items() for template in own]
    encoded = [search_codes.encode(template, book) for _, template in every]
    fingers = [Finger(UNKNOWN, template) for _, template in every]
    scores = crossed.code_scores(fingers, encoded, book)
    same = np.array([[a == b for b, _ in every] for a, _ in every])
    own = scores[same & ~np.eye(len(every), dtype=bool)]
    yield "codes, mates 5, 10, 50 %", "{:.0f}, {:.0f}, {:.0f}".format(*np.quantile(own, (0.05, 0.1, 0.5)))
    high = np.quantile(scores[~same], (0.5, 0.99, 0.999))
    yield "codes, strangers 50, 99, 99.9 %", "{:.0f}, {:.0f}, {:.0f}".format(*high)


def _nearest(template: Template) -> F64:
    xy = template.points[:, :2].astype(np.float64)
    distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    return np.asarray(distance.min(axis=1))


def _laid(found: Match, xy: F64) -> F64:
    """Points of the finger that was moved, in the frame of the other."""
    c, s, x, y = found.motion
    return np.column_stack([c * xy[:, 0] + s * xy[:, 1] + x, c * xy[:, 1] - s * xy[:, 0] + y])


def _ordered(found: Match) -> tuple[Template, Template, I32]:
    """The finger that was moved, the other, and the pairs in this order."""
    if found.swapped:
        return found.reference, found.probe, found.pairs[:, ::-1]
    return found.probe, found.reference, found.pairs


def _inside(template: Template, xy: F64) -> NDArray[np.bool_]:
    rows, columns = template.frequency.shape
    i, j = (xy[:, 1] // CELL).astype(int), (xy[:, 0] // CELL).astype(int)
    there = (i >= 0) & (j >= 0) & (i < rows) & (j < columns)
    return np.asarray(there & (template.frequency[np.where(there, i, 0), np.where(there, j, 0)] != 0))


def _aligned(found: Match) -> tuple[float, float, float]:
    """Common share of the smaller area, share of its minutiae found again, turn in degrees."""
    moved, other, pairs = _ordered(found)
    cells = ((np.argwhere(moved.frequency)[:, ::-1] + 0.5) * CELL).astype(np.float64)
    common = _inside(other, _laid(found, cells)).sum()
    smaller = min(np.count_nonzero(moved.frequency), np.count_nonzero(other.frequency))
    within = _inside(other, _laid(found, moved.points[:, :2].astype(np.float64))).sum()
    turn = np.degrees(np.arctan2(found.motion[1], found.motion[0]))
    return min(common / smaller, 1.0), len(pairs) / max(within, 1), float(turn)


def _residuals(found: Match) -> F64:
    moved, other, pairs = _ordered(found)
    there = _laid(found, moved.points[pairs[:, 0], :2].astype(np.float64))
    return np.asarray(np.hypot(*(there - other.points[pairs[:, 1], :2]).T))


def _qualities(found: Match) -> F64:
    moved, other, pairs = _ordered(found)
    return np.column_stack([moved.points[pairs[:, 0], 3], other.points[pairs[:, 1], 3]]).astype(np.float64)


def described(prints: Prints, weights: Weights, book: search_codes.Codebook) -> dict[str, str]:
    """All figures by name."""
    return dict([*singles(prints), *mated(prints, weights), *first_stage(prints, book)])


def main() -> None:
    """Print a table: a column for each set, and one for the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    folders: Sequence[Path] = parser.parse_args().folders
    books = codes.held_out()
    columns = {}
    for folder in folders:
        name = folder.resolve().name
        book = books.get(name, search_codes.default())
        columns[name] = described(real(folder), score.held_out(name), book)
    columns["model"] = described(synthetic(), DEFAULT, search_codes.default())
    print("| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for figure in columns["model"]:
        print(f"| {figure} | " + " | ".join(column[figure] for column in columns.values()) + " |")


if __name__ == "__main__":
    main()
