"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand.

Bias, then one weight a feature, in the order of `agreement.FEATURES`. HELD_OUT has, for each set
trained on, the weights trained on the others: its figures are reported under those.
"""

from __future__ import annotations

from typing import Final

# fvc2002-db1b: EER 0.03 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.4 / 2.1 %, highest
#   impostor 1.34
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.0 %, highest
#   impostor 1.43
# fvc2004-db2b: EER 5.74 %, FNMR at FMR 0.1 % 6.79 %, FNMR at score 3 / 6.5 10.7 / 13.6 %, highest
#   impostor -1.52
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.7 / 2.5 %, highest
#   impostor 0.99
IMAGE: Final = (
    -15.62516,
    54.00867,
    -0.06304,
    1.79855,
    84.79484,
    -2.62962,
    -55.72386,
    -0.23303,
    -3.41347,
    44.93475,
)

# fvc2002-db1b: EER 0.72 %, FNMR at FMR 0.1 % 1.07 %, FNMR at score 3 / 6.5 1.4 / 1.8 %, highest
#   impostor 0.70
# fvc2002-db3b: EER 0.32 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 2.9 %, highest
#   impostor 3.17
# fvc2004-db2b: EER 7.15 %, FNMR at FMR 0.1 % 10.00 %, FNMR at score 3 / 6.5 11.4 / 12.9 %, highest
#   impostor 0.68
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.7 / 2.9 %, highest
#   impostor 1.76
MINUTIAE: Final = (
    -18.36766,
    92.49392,
    -0.29798,
    2.29891,
    121.00185,
    0.00000,
    0.00000,
    0.32622,
    -4.81407,
    0.00000,
)

HELD_OUT: Final = {
    "fvc2002-db1b": (
        (-18.23918, 53.95072, -0.04297, 1.41998, 80.70568, -2.67524, -53.42742, 0.67351, -3.36823, 37.69565),
        (-23.88080, 109.29841, -0.39972, 2.21297, 123.68836, 0.00000, 0.00000, 1.46406, -5.34604, 0.00000),
    ),
    "fvc2002-db3b": (
        (-15.41760, 59.40802, -0.02670, 1.68019, 86.06529, -0.54738, -52.05293, -0.05062, -5.60683, 38.12513),
        (-14.82142, 71.20058, -0.10268, 1.99759, 104.70756, 0.00000, 0.00000, 0.34898, -5.93088, 0.00000),
    ),
    "fvc2004-db2b": (
        (-2.37390, 45.09021, 0.32592, 1.26395, 53.98973, 7.75514, -40.43557, -5.04723, 2.43735, 68.24023),
        (-9.88898, 138.46421, -0.14068, 1.27200, 162.45689, 0.00000, 0.00000, -4.17873, 0.21709, 0.00000),
    ),
    "fvc2004-db4b": (
        (-15.48423, 46.35983, -0.22129, 3.29038, 84.91291, -3.11253, -55.82974, 0.15723, -3.53510, 34.43198),
        (-15.69050, 85.71122, -0.33462, 3.86244, 107.79065, 0.00000, 0.00000, 0.12730, -4.05986, 0.00000),
    ),
}
