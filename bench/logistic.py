"""Logistic regression by Newton's method: what turns features into a log-likelihood ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def fit(
    features: F64, genuine: NDArray[np.bool_], ridge: float, share: F64 | None = None, rounds: int = 40
) -> F64:
    """Weights (bias first) so that bias + features @ weights is a log-likelihood ratio.

    Genuine and impostor comparisons weigh the same in total, so the odds that come out are likelihood ratios.

    Parameters
    ----------
    features: (n, f). genuine: (n). ridge: penalty on the squared weights of the standardised features.
    share: (n) weight of each comparison, where the rows are a selection from a larger set.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(features)), (features - mean) / spread])
    if share is None:
        share = np.where(genuine, 0.5 / genuine.sum(), 0.5 / (~genuine).sum())
    penalty = ridge * np.r_[0.0, np.ones(features.shape[1])]
    weights = np.zeros(design.shape[1])
    for _ in range(rounds):
        odds = 1.0 / (1.0 + np.exp(-design @ weights))
        gradient = design.T @ (share * (odds - genuine)) + penalty * weights
        curvature = (design * (share * odds * (1.0 - odds))[:, None]).T @ design + np.diag(penalty + 1e-9)
        weights -= np.linalg.solve(curvature, gradient)
    slopes = weights[1:] / spread
    return np.asarray(np.r_[weights[0] - slopes @ mean, slopes], dtype=np.float64)
