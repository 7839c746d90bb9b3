"""One comparison with everything that the matcher throws away once it has the score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.abis.fingerprint.agreement import FEATURES
from services.abis.fingerprint.align import place
from services.abis.fingerprint.lssr import relax
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.fingerprint.score import DEFAULT, Weights
from services.abis.fingerprint.similar import similarities
from services.abis.fingerprint.template import Template
from services.abis.fingerprint.verify import FLOOR, verify
from services.abis.kernels import F32, F64, I32, kernel

_INVERSIONS = 8


@dataclass(frozen=True, eq=False)
class Evidence:
    """One feature of the comparison: its value, and by how much it moves the score."""

    name: str
    value: float
    contribution: float


@dataclass(frozen=True, eq=False)
class Match:
    """A comparison, laid open.

    similarity: (n, m) of the cylinders of probe and reference. local: the LSSR score; relaxed: (k, 2) pairs
    that kept most of their similarity, best first; strength: (k) their relaxed values. motion, field: how
    the probe is laid over the reference, or the reference over the probe if `swapped` (`align.place`).
    pairs: (p, 2) minutiae that coincide then, closeness: (p). score: natural log-likelihood ratio, made of
    bias and evidence.
    """

    probe: Template
    reference: Template
    swapped: bool
    similarity: F32
    local: float
    relaxed: I32
    strength: F64
    motion: F64
    field: F64
    pairs: I32
    closeness: F64
    score: float
    bias: float
    evidence: tuple[Evidence, ...]

    @property
    def aligned(self) -> bool:
        """Whether the two could be laid over each other at all."""
        return bool(len(self.relaxed) >= 2 and len(self.pairs))


def match(probe: Template, reference: Template, weights: Weights = DEFAULT) -> Match:
    """Compare as `compare` does, and keep everything."""
    swapped = probe.digest > reference.digest
    first, second = (reference, probe) if swapped else (probe, reference)
    chosen = weights.image if probe.from_image and reference.from_image else weights.minutiae
    score, values, motion, field, pairs, closeness = verify(first.prepared, second.prepared, chosen, FLOOR)
    if min(len(first), len(second)) < MIN_MINUTIAE:
        similarity = np.zeros((len(first), len(second)), np.float32)
    else:
        similarity = similarities(*first.cylinders, *second.cylinders)
    local, relaxed, strength = relax(similarity, first.points, second.points)
    evidence = tuple(
        Evidence(name, float(values[k]), float(values[k] * chosen[k + 1]))
        for k, name in enumerate(FEATURES)
        if chosen[k + 1]
    )
    side = -1 if swapped else 1
    return Match(
        probe,
        reference,
        swapped,
        similarity.T if swapped else similarity,
        float(local),
        relaxed[:, ::side],
        strength,
        motion,
        field,
        pairs[:, ::side],
        closeness,
        float(score),
        float(chosen[0]),
        evidence,
    )


@kernel("float32[:,:,::1](int64, int64, float64[::1], float64[:,::1])")
def laid_over(height: int, width: int, motion: F64, field: F64) -> F32:
    """Where every pixel of the first finger comes to lie in the second, (height, width, 2) as x, y."""
    out = np.empty((height, width, 2), np.float32)
    for y in range(height):
        for x in range(width):
            out[y, x, 0], out[y, x, 1] = place(float(x), float(y), motion, field)
    return out


def brought_back(points: F32, motion: F64, field: F64) -> F64:
    """Minutiae of the second finger in the frame of the first: (n, 3) x, y, angle.

    The displacement field is smooth, so a few fixed-point steps invert it.
    """
    c, s = float(motion[0]), float(motion[1])
    out = np.empty((len(points), 3))
    for k, (x, y, angle, _) in enumerate(points.astype(np.float64)):
        u, v = x - motion[2], y - motion[3]
        px, py = c * u - s * v, s * u + c * v
        for _ in range(_INVERSIONS):
            qx, qy = place(px, py, motion, field)
            u, v = x - qx, y - qy
            px, py = px + c * u - s * v, py + s * u + c * v
        out[k] = px, py, angle - np.arctan2(s, c)
    return out
