"""Train the weights of the fingerprint comparison score: `python -m bench.train_fingerprint DIR...`

Every pair of every set is compared; a logistic regression turns the features into a log-likelihood ratio,
once for templates from images and once for templates of minutiae alone. Reported are the error rates of each
set under the weights trained on the other sets; written to `services/abis/fingerprint/weights.py` are the
weights trained on all. Nothing is drawn at random, so the same sets give the same weights.
"""

from __future__ import annotations

import argparse
import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import accuracy, datasets, logistic
from services.abis.fingerprint import weights as current
from services.abis.fingerprint.agreement import FEATURES
from services.abis.fingerprint.compare import arrays
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.template import Template, minutiae_only
from services.abis.fingerprint.verify import verify
from services.common.errors import InvalidArgument

F64 = NDArray[np.float64]
RIDGE = 1e-3
ROUNDS = 3
"""The weights choose between two alignments, whose features train the weights: repeated until that settles.
"""
FIELD_FEATURES = ("orientation", "frequency")
START = {"ratio": 10.0, "orientation": 2.0}


class Pairs:
    """All pairs of fingers of one set."""

    def __init__(self, folder: Path, *, minutiae: bool) -> None:
        self.name = folder.resolve().name
        kept: list[tuple[datasets.Sample, Template]] = []
        for sample in datasets.read(folder):
            try:
                template = extract(sample.path.read_bytes(), sample.dpi)
            except InvalidArgument:
                continue
            kept.append((sample, minutiae_only(template) if minutiae else template))
        self.templates = [template for _, template in kept]
        self.index = list(itertools.combinations(range(len(kept)), 2))
        self.genuine = np.array([kept[i][0].finger == kept[j][0].finger for i, j in self.index])

    def features(self, weights: F64) -> F64:
        """Features of every pair, shape (pairs, features), of the alignment that these weights prefer."""
        packed = [arrays(template) for template in self.templates]
        order = [template.digest for template in self.templates]
        out = np.empty((len(self.index), len(FEATURES)))
        for row, (i, j) in enumerate(self.index):
            first, second = (i, j) if order[i] <= order[j] else (j, i)
            out[row] = verify(*packed[first], *packed[second], weights)[1]
        return out


def train(sets: Sequence[Pairs], columns: Sequence[int]) -> F64:
    """Weights of all features (0 for those not in columns), bias first, trained on all pairs of the sets."""
    weights = np.r_[0.0, [START.get(name, 0.0) for name in FEATURES]]
    genuine = np.concatenate([pairs.genuine for pairs in sets])
    for _ in range(ROUNDS):
        features = np.concatenate([pairs.features(weights) for pairs in sets])
        fitted = logistic.fit(features[:, columns], genuine, RIDGE)
        # The ridge, and genuine pairs beyond all hope, make the score too modest. One factor and offset,
        # fitted where both kinds of pairs occur, bring it back to likelihood ratios there, which is where
        # decisions are made.
        raw = fitted[0] + features[:, columns] @ fitted[1:]
        low, high = np.quantile(raw[~genuine], 0.95), np.quantile(raw[genuine], 0.2)
        near = (raw >= low) & (raw <= high)
        priors = np.where(genuine, 0.5 / genuine.sum(), 0.5 / (~genuine).sum())
        offset, factor = logistic.fit(raw[near, None], genuine[near], 1e-6, priors[near])
        weights = np.zeros(len(FEATURES) + 1)
        weights[0] = offset + factor * fitted[0]
        weights[1 + np.asarray(columns)] = factor * fitted[1:]
    return np.asarray(weights)


def report(sets: Sequence[Pairs], columns: Sequence[int]) -> list[str]:
    """One line a set: its error rates under weights trained on the other sets."""
    lines, scores = [], []
    for held in sets:
        weights = train([pairs for pairs in sets if pairs is not held], columns)
        score = weights[0] + held.features(weights) @ weights[1:]
        scores.append((score[held.genuine], score[~held.genuine]))
        curve = accuracy.det(*scores[-1])
        lines.append(
            f"{held.name}: EER {100 * accuracy.equal_error_rate(curve):.2f} %, "
            f"FNMR at FMR 0.1 % {100 * accuracy.fnmr_at_fmr(curve, 1e-3):.2f} %, "
            f"at zero FMR {100 * accuracy.fnmr_at_fmr(curve, 0.0):.2f} %, "
            f"highest impostor score {scores[-1][1].max():.2f}, "
            f"FNMR at score 4 / 6 / 8: {_shares(scores[-1][0])} %"
        )
    return lines


def _shares(genuine: F64) -> str:
    return " / ".join(f"{100 * np.mean(genuine < score):.2f}" for score in (4.0, 6.0, 8.0))


def main() -> None:
    """Train on the sets named on the command line, print the cross-validation, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    blocks = []
    for name, minutiae in (("IMAGE", False), ("MINUTIAE", True)):
        columns = [k for k, f in enumerate(FEATURES) if not (minutiae and f in FIELD_FEATURES)]
        sets = [Pairs(folder, minutiae=minutiae) for folder in folders]
        lines = report(sets, columns) if len(sets) > 1 else []
        print(name, *lines, sep="\n  ", flush=True)
        blocks.append((name, lines, train(sets, columns)))
    _write(blocks, [folder.resolve().name for folder in folders])


def _write(blocks: Sequence[tuple[str, list[str], F64]], sets: Sequence[str]) -> None:
    text = [
        '"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand."""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import Final",
        "",
        f'PROVENANCE: Final = "trained on all pairs of {", ".join(sets)}"',
    ]
    for name, lines, weights in blocks:
        text += ["", "# Bias, then one weight a feature. Each set under weights trained on the others:"]
        text += [part for line in lines for part in textwrap.wrap(f"# {line}", 100, subsequent_indent="#   ")]
        text += [f"{name}: Final = ("]
        text += [f"    {value:.6f}," for value in weights]
        text += [")"]
    Path(str(current.__file__)).write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
