"""Error rates of a comparison from its genuine and impostor scores (ISO/IEC 19795-1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Det:
    """A detection error trade-off: FMR and FNMR at every threshold where either changes, as fractions."""

    thresholds: F64
    fmr: F64
    fnmr: F64


def det(genuine: ArrayLike, impostor: ArrayLike) -> Det:
    """DET curve. A score at or above the threshold is a match; a failure to extract is a score of minus
    infinity.
    """
    mated = np.sort(np.asarray(genuine, dtype=np.float64))
    other = np.sort(np.asarray(impostor, dtype=np.float64))
    if not mated.size or not other.size:
        raise ValueError("Error rates need at least one genuine and one impostor score.")
    thresholds = np.append(np.unique(np.concatenate([mated, other])), np.inf)
    fnmr = np.searchsorted(mated, thresholds, "left") / mated.size
    fmr = 1.0 - np.searchsorted(other, thresholds, "left") / other.size
    # A failure never matches, not even at a threshold of minus infinity.
    fnmr = np.maximum(fnmr, np.mean(np.isneginf(mated)))
    fmr = np.minimum(fmr, 1.0 - np.mean(np.isneginf(other)))
    return Det(thresholds, fmr, fnmr)


def equal_error_rate(curve: Det) -> float:
    """Where FMR and FNMR meet; halfway between them where they jump past each other."""
    nearest = int(np.argmin(np.abs(curve.fmr - curve.fnmr)))
    return float((curve.fmr[nearest] + curve.fnmr[nearest]) / 2)


def fnmr_at_fmr(curve: Det, fmr: float) -> float:
    """Least FNMR at a threshold whose FMR does not exceed the given one (0: no impostor matches at all)."""
    allowed = curve.fmr <= fmr
    return float(curve.fnmr[allowed].min())
