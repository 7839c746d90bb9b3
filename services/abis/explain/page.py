"""The explanation as one HTML page without anything from outside."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.abis.calibration import PACKAGED, Calibration
from services.abis.explain import comparison
from services.abis.explain.finger import panels
from services.abis.explain.matching import Match, match
from services.abis.explain.steps import Steps
from services.abis.fingerprint.score import DEFAULT, Weights
from services.abis.search import codes, crossed

SLIGHT = 0.7
"""Score below which neither is twice as likely as the other."""
MEASURED = math.log(1e6)
"""Score beyond which nothing was measured: the test sets have not so many pairs of different fingers."""


@dataclass(frozen=True)
class Sheet:
    """One finger of the page: what it is called, and what the extractor saw."""

    name: str
    steps: Steps


def explain(probe: Sheet, reference: Sheet | None = None, weights: Weights = DEFAULT) -> str:
    """The page as HTML text: the extraction of one finger, or of two and their comparison."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    fingers = [(probe.name, panels(probe.steps))]
    shown = None
    if reference is not None:
        fingers.append((reference.name, panels(reference.steps)))
        shown = _comparison(probe, reference, weights)
    return environment.get_template("explain.html.j2").render(fingers=fingers, comparison=shown)


def _comparison(probe: Sheet, reference: Sheet, weights: Weights) -> dict[str, object]:
    found = match(probe.steps.template, reference.steps.template, weights)
    return {
        "score": found.score,
        "tone": "good" if found.score >= SLIGHT else "bad" if found.score <= -SLIGHT else "open",
        "words": in_words(found),
        "stages": stages(found),
        "bias": found.bias,
        "rows": comparison.rows(found),
        "pairs": comparison.correspondences(found, probe.steps, reference.steps),
        "cylinders": comparison.best_cylinders(found),
        "overlay": comparison.overlay(found, probe.steps, reference.steps) if found.aligned else None,
    }


@functools.cache
def _calibration() -> Calibration:
    return Calibration.load(PACKAGED)


def stages(found: Match) -> list[tuple[str, str, float]]:
    """The stages of the comparison, what each looks at, and its own calibrated log-likelihood ratio."""
    calibrated = _calibration().stages
    short = crossed.score(found.probe, found.reference, codes.default())
    return [
        ("codes", "surroundings of the minutiae, in 64 bits each", calibrated["codes"].llr(short)),
        ("local", "surroundings of the minutiae alone (LSSR)", calibrated["lssr"].llr(found.local)),
        (
            "full",
            f"everything, after alignment: the score of {found.score:+.1f}, held against other fingers",
            calibrated["verification"].llr(found.score),
        ),
    ]


def in_words(found: Match) -> str:
    """What the score says, for people who do not think in logarithms."""
    if not found.aligned:
        return "The two have too little in common to be laid over each other."
    if abs(found.score) < SLIGHT:
        return "The comparison says next to nothing either way."
    factor = math.exp(min(abs(found.score), MEASURED))
    # Two digits: nobody knows more.
    rounded = round(factor, 1 - math.floor(math.log10(factor)))
    number = f"about {rounded:,.0f}" if abs(found.score) <= MEASURED else "more than a million"
    if found.score > 0:
        return f"Such agreement is {number} times as likely of one finger as of two different ones."
    return f"Such disagreement is {number} times as likely of two different fingers as of one."
