"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand.

Bias, then one weight a feature, in the order of `agreement.FEATURES`. HELD_OUT has, for each set
trained on, the weights trained on the others: its figures are reported under those.
"""

from __future__ import annotations

from typing import Final

# fvc2002-db1b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.7 %, highest
#   impostor 1.77
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.7 %, highest
#   impostor 2.37
# fvc2004-db2b: EER 2.15 %, FNMR at FMR 0.1 % 4.29 %, FNMR at score 3 / 6.5 7.9 / 8.9 %, highest
#   impostor -2.85
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 0.7 %, highest
#   impostor 1.11
IMAGE: Final = (
    -4.39481,
    18.89110,
    0.02741,
    2.34504,
    82.81417,
    10.99150,
    -33.72243,
    -6.06259,
    -1.73182,
    89.47560,
)

# fvc2002-db1b: EER 0.35 %, FNMR at FMR 0.1 % 0.71 %, FNMR at score 3 / 6.5 0.7 / 0.7 %, highest
#   impostor 2.13
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.4 %, highest
#   impostor 5.88
# fvc2004-db2b: EER 4.65 %, FNMR at FMR 0.1 % 6.79 %, FNMR at score 3 / 6.5 11.8 / 17.1 %, highest
#   impostor -1.57
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.7 / 3.9 %, highest
#   impostor 3.37
MINUTIAE: Final = (
    -20.72736,
    21.48041,
    -0.32062,
    2.25601,
    117.07647,
    0.00000,
    0.00000,
    0.66713,
    -4.00756,
    0.00000,
)

HELD_OUT: Final = {
    "fvc2002-db1b": (
        (-7.76025, 13.21657, 0.12152, 1.77318, 63.98078, 7.72698, -27.96463, -3.78056, -1.08082, 70.78482),
        (-28.48237, 21.73513, -0.33207, 2.26194, 124.42713, 0.00000, 0.00000, 2.06798, -4.48102, 0.00000),
    ),
    "fvc2002-db3b": (
        (-1.58982, 14.83716, 0.00410, 1.85144, 68.40090, 9.37665, -22.16232, -5.10382, -3.19020, 72.52203),
        (-15.92470, 17.98115, -0.15131, 1.93552, 103.63640, 0.00000, 0.00000, 0.42540, -5.60763, 0.00000),
    ),
    "fvc2004-db2b": (
        (7.75380, 39.37427, 0.80014, 2.35677, 129.94361, 17.89633, -70.13342, -14.51689, 4.13781, 129.63246),
        (-9.24784, 24.32395, -0.12498, 0.33988, 112.82272, 0.00000, 0.00000, -2.58879, 0.19122, 0.00000),
    ),
    "fvc2004-db4b": (
        (-1.60607, 18.66548, -0.18208, 4.69420, 82.59191, 12.20503, -34.42701, -6.59868, -1.84425, 86.51375),
        (-17.40036, 19.30187, -0.42392, 5.08749, 108.07224, 0.00000, 0.00000, 0.28847, -3.62998, 0.00000),
    ),
}
