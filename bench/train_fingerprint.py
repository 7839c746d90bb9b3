"""Train the weights of the fingerprint comparison score: `python -m bench.train_fingerprint DIR...`

Every pair of every set is compared; a logistic regression turns the features into a log-likelihood ratio,
once for templates from images and once for templates of minutiae alone. Reported are the error rates of each
set under the weights trained on the other sets; written to `services/abis/fingerprint/weights.py` are the
weights trained on all. Nothing is drawn at random, so the same sets give the same weights.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import accuracy, datasets, logistic
from services.abis.fingerprint import texture
from services.abis.fingerprint import weights as current
from services.abis.fingerprint.agreement import FEATURES
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.template import Template, minutiae_only
from services.abis.fingerprint.verify import ALIGNMENTS, evidence, propose
from services.common.errors import InvalidArgument

F64 = NDArray[np.float64]
RIDGE = 1e-3
ROUNDS = 4
"""The weights choose between alignments, whose features train the weights: repeated until that settles."""
FIELD_FEATURES = ("orientation", "frequency", "texture")
START = {"ratio": 10.0, "orientation": 2.0, "texture": 10.0}


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

    @functools.cached_property
    def features(self) -> F64:
        """Features of each alignment of each pair, (pairs, ALIGNMENTS, features); NaN where there is none."""
        packed = [template.prepared for template in self.templates]
        order = [template.digest for template in self.templates]
        out = np.full((len(self.index), ALIGNMENTS, len(FEATURES)), np.nan)
        for row, (i, j) in enumerate(self.index):
            a, b = (packed[i], packed[j]) if order[i] <= order[j] else (packed[j], packed[i])
            local, motions = propose(a, b)
            for k, motion in enumerate(motions):
                found, field, _, _ = evidence(a, b, local, motion)
                found[-1] = texture.agreement(a.blocks, a.ridges, b.grid, b.ridges, motion, field)
                out[row, k] = found
        return out


def best(features: F64, weights: F64) -> F64:
    """Features of the alignment of each pair that these weights prefer before the texture is known, (pairs,
    features); 0 where there is none.
    """
    score = np.nan_to_num(features[..., :-1]) @ weights[1:-1]
    score[np.isnan(features[..., 0])] = -np.inf
    return np.asarray(np.nan_to_num(features[np.arange(len(features)), score.argmax(axis=1)]))


def train(sets: Sequence[Pairs], columns: Sequence[int]) -> F64:
    """Weights of all features (0 for those not in columns), bias first, trained on all pairs of the sets."""
    weights = np.r_[0.0, [START.get(name, 0.0) for name in FEATURES]]
    genuine = np.concatenate([pairs.genuine for pairs in sets])
    for _ in range(ROUNDS):
        features = np.concatenate([best(pairs.features, weights) for pairs in sets])
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


def cross_validate(sets: Sequence[Pairs], columns: Sequence[int]) -> tuple[list[str], dict[str, F64]]:
    """One line a set with its error rates under weights trained on the other sets, and those weights."""
    lines: list[str] = []
    held_out: dict[str, F64] = {}
    for held in sets:
        weights = train([pairs for pairs in sets if pairs is not held], columns)
        score = weights[0] + best(held.features, weights) @ weights[1:]
        genuine, impostor = score[held.genuine], score[~held.genuine]
        curve = accuracy.det(genuine, impostor)
        shares = " / ".join(f"{100 * np.mean(genuine < score):.1f}" for score in (3.0, 6.5))
        lines.append(
            f"{held.name}: EER {100 * accuracy.equal_error_rate(curve):.2f} %, FNMR at FMR 0.1 % "
            f"{100 * accuracy.fnmr_at_fmr(curve, 1e-3):.2f} %, FNMR at score 3 / 6.5 {shares} %, "
            f"highest impostor {impostor.max():.2f}"
        )
        held_out[held.name] = weights
    return lines, held_out


def main() -> None:
    """Train on the sets named on the command line, print the cross-validation, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="two sets or more")
    folders = parser.parse_args().folders
    kinds: list[tuple[str, list[str], F64, dict[str, F64]]] = []
    for name, minutiae in (("IMAGE", False), ("MINUTIAE", True)):
        columns = [k for k, f in enumerate(FEATURES) if not (minutiae and f in FIELD_FEATURES)]
        sets = [Pairs(folder, minutiae=minutiae) for folder in folders]
        lines, held_out = cross_validate(sets, columns)
        print(name, *lines, sep="\n  ", flush=True)
        kinds.append((name, lines, train(sets, columns), held_out))
    Path(str(current.__file__)).write_text(_module(kinds), encoding="utf-8")


def _module(kinds: Sequence[tuple[str, list[str], F64, dict[str, F64]]]) -> str:
    """Source of the module that holds the weights."""
    (_, _, _, images), (_, _, _, minutiae) = kinds
    text = [
        '"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand.',
        "",
        "Bias, then one weight a feature, in the order of `agreement.FEATURES`. HELD_OUT has, for each set",
        "trained on, the weights trained on the others: its figures are reported under those.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import Final",
    ]
    for name, lines, weights, _ in kinds:
        text.append("")
        for line in lines:
            text += textwrap.wrap(line, 100, initial_indent="# ", subsequent_indent="#   ")
        text.append(f"{name}: Final = {_tuple(weights)}")
    text += ["", "HELD_OUT: Final = {"]
    for name in images:
        text += [
            f'    "{name}": (',
            f"        {_tuple(images[name])},",
            f"        {_tuple(minutiae[name])},",
            "    ),",
        ]
    text += ["}", ""]
    return "\n".join(text)


def _tuple(weights: F64) -> str:
    return "(" + ", ".join(f"{value:.5f}" for value in weights) + ")"


if __name__ == "__main__":
    main()
