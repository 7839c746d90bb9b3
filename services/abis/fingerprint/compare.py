"""Comparing two templates: a calibrated score, and the minutiae that speak for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.abis.fingerprint.score import DEFAULT, Weights
from services.abis.fingerprint.template import Template
from services.abis.fingerprint.verify import FLOOR, rate, verify
from services.abis.kernels import F64, I32


@dataclass(frozen=True, eq=False)
class Comparison:
    """Outcome of one comparison.

    score: natural log-likelihood ratio, above 0 speaks for the same finger. pairs: (k, 2) indices of
    corresponding minutiae (probe, reference), closest first; closeness: (k) in (0, 1]. features: what the
    score was computed from, in the order of `agreement.FEATURES`.
    """

    score: float
    pairs: I32
    closeness: F64
    features: F64


def compare(probe: Template, reference: Template, weights: Weights = DEFAULT) -> Comparison:
    """Compare two fingers. Exactly symmetric, deterministic, and independent of how either finger was turned.

    The score is 0 (no evidence) where either template has fewer than MIN_MINUTIAE minutiae.
    """
    # Both orders compute the same thing, so that the score is the same to the last bit.
    swapped = probe.digest > reference.digest
    first, second = (reference, probe) if swapped else (probe, reference)
    chosen = weights.image if probe.from_image and reference.from_image else weights.minutiae
    score, found, _, _, pairs, closeness = verify(first.prepared, second.prepared, chosen, FLOOR)
    order = np.argsort(-closeness, kind="stable")
    pairs = np.ascontiguousarray(pairs[order, ::-1] if swapped else pairs[order])
    return Comparison(float(score), pairs, closeness[order], found)


def score(probe: Template, reference: Template, weights: Weights = DEFAULT) -> float:
    """The score of `compare` alone, for callers that compare many and explain none."""
    swapped = probe.digest > reference.digest
    first, second = (reference, probe) if swapped else (probe, reference)
    chosen = weights.image if probe.from_image and reference.from_image else weights.minutiae
    return float(rate(*first.prepared, *second.prepared, chosen, FLOOR))
