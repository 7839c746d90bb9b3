"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand.

Bias, then one weight a feature, in the order of `agreement.FEATURES`. HELD_OUT has, for each set
trained on, the weights trained on the others: its figures are reported under those.
"""

from __future__ import annotations

from typing import Final

# fvc2002-db1b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.7 %, highest
#   impostor 2.35
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.0 %, highest
#   impostor 2.26
# fvc2004-db2b: EER 2.15 %, FNMR at FMR 0.1 % 4.29 %, FNMR at score 3 / 6.5 8.6 / 9.3 %, highest
#   impostor -5.11
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 1.1 %, highest
#   impostor 1.13
IMAGE: Final = (
    -4.35341,
    19.44163,
    -0.09970,
    2.38773,
    84.61880,
    7.37892,
    -46.31814,
    -5.29317,
    -2.03273,
    79.28553,
)

# fvc2002-db1b: EER 0.35 %, FNMR at FMR 0.1 % 0.71 %, FNMR at score 3 / 6.5 0.7 / 0.7 %, highest
#   impostor 2.87
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.0 %, highest
#   impostor 6.60
# fvc2004-db2b: EER 4.28 %, FNMR at FMR 0.1 % 7.14 %, FNMR at score 3 / 6.5 11.4 / 16.1 %, highest
#   impostor 0.45
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.71 %, FNMR at score 3 / 6.5 1.1 / 2.9 %, highest
#   impostor 2.47
MINUTIAE: Final = (
    -19.49638,
    20.58288,
    -0.33419,
    1.90130,
    117.07214,
    0.00000,
    0.00000,
    0.39090,
    -3.50082,
    0.00000,
)

HELD_OUT: Final = {
    "fvc2002-db1b": (
        (-10.48607, 17.54118, 0.00545, 2.24276, 82.96666, 5.69683, -48.89244, -3.76322, -1.66011, 77.76253),
        (-28.10949, 21.45969, -0.34663, 1.85109, 126.94216, 0.00000, 0.00000, 1.88634, -4.01161, 0.00000),
    ),
    "fvc2002-db3b": (
        (-3.20027, 18.04596, -0.09634, 2.02714, 80.37004, 7.14558, -33.33397, -4.60800, -4.23279, 68.11980),
        (-21.13326, 23.62353, -0.22617, 2.25357, 136.96761, 0.00000, 0.00000, 0.50645, -6.98301, 0.00000),
    ),
    "fvc2004-db2b": (
        (9.28423, 38.26831, 0.71213, 2.22174, 115.67146, 3.25220, -89.57691, -12.02096, 4.45723, 117.44399),
        (-5.31826, 26.25440, -0.09627, 0.29407, 115.61027, 0.00000, 0.00000, -3.50416, 0.45697, 0.00000),
    ),
    "fvc2004-db4b": (
        (0.57772, 16.07902, -0.20977, 4.19133, 69.83971, 9.98459, -33.06086, -5.52037, -2.05548, 63.31460),
        (-15.03911, 17.98222, -0.37649, 4.35313, 103.83224, 0.00000, 0.00000, -0.10541, -2.91620, 0.00000),
    ),
}
