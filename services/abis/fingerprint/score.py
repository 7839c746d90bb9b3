"""Which weights turn the features of a comparison into its score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.abis.fingerprint import weights
from services.abis.kernels import F64


@dataclass(frozen=True, eq=False)
class Weights:
    """Bias and one weight a feature: for two templates from images, and where one holds minutiae only."""

    image: F64
    minutiae: F64


DEFAULT = Weights(np.array(weights.IMAGE), np.array(weights.MINUTIAE))


def held_out(name: str) -> Weights:
    """Weights for reporting on a set: those trained without it if it is a training set, else the default."""
    if name not in weights.HELD_OUT:
        return DEFAULT
    image, minutiae = weights.HELD_OUT[name]
    return Weights(np.array(image), np.array(minutiae))
