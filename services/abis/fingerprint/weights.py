"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand.

Bias, then one weight a feature, in the order of `agreement.FEATURES`. HELD_OUT has, for each set
trained on, the weights trained on the others: its figures are reported under those.
"""

from __future__ import annotations

from typing import Final

# fvc2002-db1b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.7 %, highest
#   impostor 1.79
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.7 %, highest
#   impostor 2.29
# fvc2004-db2b: EER 2.15 %, FNMR at FMR 0.1 % 3.93 %, FNMR at score 3 / 6.5 7.9 / 8.9 %, highest
#   impostor -4.22
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 1.1 %, highest
#   impostor 0.75
IMAGE: Final = (
    -5.89059,
    16.35415,
    -0.03692,
    2.02254,
    72.76783,
    9.22006,
    -30.40791,
    -4.71368,
    -1.60971,
    74.02564,
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
        (-9.14055, 11.82173, 0.05903, 1.64705, 60.25505, 7.00892, -27.22056, -2.99906, -1.08898, 62.25024),
        (-28.48237, 21.73513, -0.33207, 2.26194, 124.42713, 0.00000, 0.00000, 2.06798, -4.48102, 0.00000),
    ),
    "fvc2002-db3b": (
        (-3.91425, 13.90711, -0.06088, 1.71541, 65.68182, 8.22311, -22.50138, -4.11618, -3.08761, 63.99461),
        (-15.92470, 17.98115, -0.15131, 1.93552, 103.63640, 0.00000, 0.00000, 0.42540, -5.60763, 0.00000),
    ),
    "fvc2004-db2b": (
        (6.51273, 40.02725, 0.78063, 2.36939, 128.52683, 18.15194, -69.25309, -14.21441, 3.93897, 129.58545),
        (-9.24784, 24.32395, -0.12498, 0.33988, 112.82272, 0.00000, 0.00000, -2.58879, 0.19122, 0.00000),
    ),
    "fvc2004-db4b": (
        (-3.59037, 15.70268, -0.24772, 4.03084, 72.48210, 10.01384, -31.48392, -5.05381, -1.64270, 69.54543),
        (-17.40036, 19.30187, -0.42392, 5.08749, 108.07224, 0.00000, 0.00000, 0.28847, -3.62998, 0.00000),
    ),
}
