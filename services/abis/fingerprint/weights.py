"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand.

Bias, then one weight a feature, in the order of `agreement.FEATURES`. HELD_OUT has, for each set
trained on, the weights trained on the others: its figures are reported under those.
"""

from __future__ import annotations

from typing import Final

# fvc2002-db1b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 1.1 %, highest
#   impostor 4.04
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 1.1 %, highest
#   impostor 2.78
# fvc2004-db2b: EER 5.35 %, FNMR at FMR 0.1 % 7.86 %, FNMR at score 3 / 6.5 10.7 / 13.6 %, highest
#   impostor 0.06
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 1.4 %, highest
#   impostor 0.69
IMAGE: Final = (
    -12.20840,
    68.43436,
    -0.32230,
    1.99314,
    89.97691,
    3.78479,
    -74.00098,
    -1.92614,
    -3.16215,
    36.20798,
)

# fvc2002-db1b: EER 0.40 %, FNMR at FMR 0.1 % 0.71 %, FNMR at score 3 / 6.5 0.7 / 1.1 %, highest
#   impostor 2.33
# fvc2002-db3b: EER 0.02 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.7 / 1.4 %, highest
#   impostor 2.92
# fvc2004-db2b: EER 6.78 %, FNMR at FMR 0.1 % 8.93 %, FNMR at score 3 / 6.5 11.4 / 14.3 %, highest
#   impostor 0.54
# fvc2004-db4b: EER 0.72 %, FNMR at FMR 0.1 % 1.07 %, FNMR at score 3 / 6.5 1.4 / 3.9 %, highest
#   impostor 1.78
MINUTIAE: Final = (
    -33.93569,
    102.53893,
    -0.65932,
    2.13615,
    127.38855,
    0.00000,
    0.00000,
    3.01453,
    -4.87136,
    0.00000,
)

HELD_OUT: Final = {
    "fvc2002-db1b": (
        (
            -24.81339,
            78.50310,
            -0.22695,
            2.56028,
            113.97497,
            2.37226,
            -100.03764,
            -0.23871,
            -3.75779,
            42.35413,
        ),
        (-36.64863, 95.01875, -0.63175, 1.88033, 124.45328, 0.00000, 0.00000, 3.72484, -4.84790, 0.00000),
    ),
    "fvc2002-db3b": (
        (-12.43106, 80.28939, -0.24401, 2.33368, 97.61904, 5.36979, -72.14062, -1.95536, -6.01936, 32.65903),
        (-23.75919, 84.84555, -0.34827, 1.77627, 96.67979, 0.00000, 0.00000, 2.06058, -5.37352, 0.00000),
    ),
    "fvc2004-db2b": (
        (6.51743, 56.14012, 0.17214, 0.82439, 66.68280, 10.71962, -78.64473, -6.96673, 0.88942, 50.76156),
        (-24.22087, 111.38584, -0.43743, 0.12831, 143.07014, 0.00000, 0.00000, -0.22116, -1.21683, 0.00000),
    ),
    "fvc2004-db4b": (
        (-17.35538, 79.96166, -0.77774, 5.20133, 102.30367, 2.42846, -85.03083, -0.93530, -3.74825, 30.80276),
        (-31.63155, 98.42646, -0.89012, 4.81482, 115.45456, 0.00000, 0.00000, 2.91660, -4.19690, 0.00000),
    ),
}
