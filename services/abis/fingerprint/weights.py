"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand.

Bias, then one weight a feature, in the order of `agreement.FEATURES`. HELD_OUT has, for each set
trained on, the weights trained on the others: its figures are reported under those.
"""

from __future__ import annotations

from typing import Final

# fvc2002-db1b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 1.8 %, highest
#   impostor 0.85
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.0 %, highest
#   impostor 0.95
# fvc2004-db2b: EER 5.72 %, FNMR at FMR 0.1 % 6.43 %, FNMR at score 3 / 6.5 8.2 / 10.0 %, highest
#   impostor 0.05
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 1.1 / 4.3 %, highest
#   impostor 1.76
IMAGE: Final = (-21.15927, 67.88287, -0.54454, 0.72179, 60.35187, -4.43075, -47.12897, 1.30498, 52.13445)

# fvc2002-db1b: EER 0.72 %, FNMR at FMR 0.1 % 0.71 %, FNMR at score 3 / 6.5 1.1 / 1.8 %, highest
#   impostor 1.14
# fvc2002-db3b: EER 0.07 %, FNMR at FMR 0.1 % 0.71 %, FNMR at score 3 / 6.5 1.1 / 2.1 %, highest
#   impostor 2.47
# fvc2004-db2b: EER 7.50 %, FNMR at FMR 0.1 % 9.29 %, FNMR at score 3 / 6.5 10.4 / 13.9 %, highest
#   impostor 2.00
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 2.1 / 5.7 %, highest
#   impostor 2.65
MINUTIAE: Final = (-29.07831, 119.63115, -1.11836, -0.44615, 78.31631, 0.00000, 0.00000, 2.01281, 0.00000)

HELD_OUT: Final = {
    "fvc2002-db1b": (
        (-18.01067, 61.91002, -0.45762, 0.35591, 44.85657, -3.26140, -38.90124, 1.58105, 37.10426),
        (-30.27265, 135.82401, -1.29572, -0.72465, 70.59551, 0.00000, 0.00000, 2.71887, 0.00000),
    ),
    "fvc2002-db3b": (
        (-14.58496, 59.35959, -0.71256, 0.29626, 45.12418, -3.21776, -36.04091, 0.89658, 36.98225),
        (-22.99164, 106.32652, -1.24976, -0.41561, 67.15991, 0.00000, 0.00000, 1.43058, 0.00000),
    ),
    "fvc2004-db2b": (
        (-21.15475, 83.09905, 1.41562, 2.54998, 79.31147, 12.06719, -46.55619, -4.78365, 126.90478),
        (-27.15452, 133.20060, 0.44003, 0.32278, 97.80473, 0.00000, 0.00000, -0.37156, 0.00000),
    ),
    "fvc2004-db4b": (
        (-18.25023, 50.03586, -0.81406, 1.18412, 53.48346, -4.11425, -43.00159, 1.64367, 31.34764),
        (-22.66041, 95.82725, -1.05319, 0.18219, 64.02039, 0.00000, 0.00000, 1.50950, 0.00000),
    ),
}
