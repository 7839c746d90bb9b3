"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand.

Bias, then one weight a feature, in the order of `agreement.FEATURES`. HELD_OUT has, for each set
trained on, the weights trained on the others: its figures are reported under those.
"""

from __future__ import annotations

from typing import Final

# fvc2002-db1b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 1.4 %, highest
#   impostor 2.94
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 2.1 %, highest
#   impostor 1.88
# fvc2004-db2b: EER 5.05 %, FNMR at FMR 0.1 % 6.79 %, FNMR at score 3 / 6.5 11.1 / 13.6 %, highest
#   impostor -0.17
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 1.4 %, highest
#   impostor 1.20
IMAGE: Final = (-6.52502, 51.94013, -0.34520, 1.27908, 82.23268, 3.95469, -62.00677, -2.65614, -2.33241, 32.75227)

# fvc2002-db1b: EER 0.35 %, FNMR at FMR 0.1 % 0.71 %, FNMR at score 3 / 6.5 0.7 / 1.1 %, highest
#   impostor 2.53
# fvc2002-db3b: EER 0.28 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 1.1 / 2.1 %, highest
#   impostor 3.43
# fvc2004-db2b: EER 6.07 %, FNMR at FMR 0.1 % 9.29 %, FNMR at score 3 / 6.5 11.1 / 14.3 %, highest
#   impostor 0.65
# fvc2004-db4b: EER 0.72 %, FNMR at FMR 0.1 % 1.07 %, FNMR at score 3 / 6.5 1.1 / 3.6 %, highest
#   impostor 1.34
MINUTIAE: Final = (-24.65976, 97.12156, -0.54718, 1.80332, 122.05817, 0.00000, 0.00000, 1.28253, -4.45857, 0.00000)

HELD_OUT: Final = {
    "fvc2002-db1b": (
        (-8.68792, 41.03626, -0.21642, 1.02873, 78.46137, 2.93299, -59.20821, -1.79772, -1.98492, 28.21100),
        (-26.05153, 88.97622, -0.54228, 1.53991, 116.96026, 0.00000, 0.00000, 1.80894, -4.40812, 0.00000),
    ),
    "fvc2002-db3b": (
        (-5.28190, 45.81438, -0.20177, 1.21215, 67.13570, 4.09718, -44.95160, -1.93852, -3.67557, 21.98450),
        (-16.65538, 81.34122, -0.24256, 1.51244, 93.54820, 0.00000, 0.00000, 0.67299, -4.94856, 0.00000),
    ),
    "fvc2004-db2b": (
        (6.18487, 56.73981, 0.14521, 0.91326, 71.24384, 11.62662, -83.36982, -7.17754, 0.43724, 52.36942),
        (-26.48359, 122.56698, -0.49602, 0.17508, 149.66397, 0.00000, 0.00000, 0.07753, -1.75674, 0.00000),
    ),
    "fvc2004-db4b": (
        (-8.63965, 60.59777, -0.75606, 3.10739, 93.78378, 3.46876, -68.64199, -2.34374, -2.31489, 28.05970),
        (-20.99203, 87.80985, -0.67701, 3.97119, 108.85121, 0.00000, 0.00000, 0.94023, -3.50952, 0.00000),
    ),
}
