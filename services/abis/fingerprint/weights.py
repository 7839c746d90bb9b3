"""Weights of the comparison score, written by `python -m bench.train_fingerprint`; not by hand.

Bias, then one weight a feature, in the order of `agreement.FEATURES`. HELD_OUT has, for each set
trained on, the weights trained on the others: its figures are reported under those.
"""

from __future__ import annotations

from typing import Final

# fvc2002-db1b: EER 0.02 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.4 / 1.4 %, highest
#   impostor 1.52
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, FNMR at score 3 / 6.5 0.0 / 0.4 %, highest
#   impostor 1.42
# fvc2004-db2b: EER 5.72 %, FNMR at FMR 0.1 % 6.79 %, FNMR at score 3 / 6.5 10.4 / 11.8 %, highest
#   impostor -2.64
# fvc2004-db4b: EER 0.28 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 2.1 %, highest
#   impostor 1.01
IMAGE: Final = (
    -15.56484,
    53.26884,
    -0.03969,
    1.87554,
    83.98354,
    -3.02588,
    -53.72541,
    -0.29055,
    -3.35939,
    48.67333,
)

# fvc2002-db1b: EER 0.72 %, FNMR at FMR 0.1 % 1.07 %, FNMR at score 3 / 6.5 1.4 / 1.8 %, highest
#   impostor 0.71
# fvc2002-db3b: EER 0.32 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.4 / 2.9 %, highest
#   impostor 3.17
# fvc2004-db2b: EER 7.15 %, FNMR at FMR 0.1 % 10.00 %, FNMR at score 3 / 6.5 11.4 / 12.9 %, highest
#   impostor 0.66
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, FNMR at score 3 / 6.5 0.7 / 2.9 %, highest
#   impostor 1.76
MINUTIAE: Final = (
    -18.40448,
    92.53816,
    -0.29769,
    2.29891,
    121.10361,
    0.00000,
    0.00000,
    0.33167,
    -4.82021,
    0.00000,
)

HELD_OUT: Final = {
    "fvc2002-db1b": (
        (-20.55186, 59.72564, -0.02595, 1.67757, 90.25504, -3.46680, -58.06859, 0.70500, -3.75363, 46.85987),
        (-23.92053, 109.28866, -0.39932, 2.21132, 123.76279, 0.00000, 0.00000, 1.47106, -5.34945, 0.00000),
    ),
    "fvc2002-db3b": (
        (-13.93521, 52.08633, 0.01528, 1.57933, 76.16796, -1.87230, -45.51508, 0.03706, -4.89885, 38.39068),
        (-14.86717, 71.25899, -0.10302, 1.99825, 104.83999, 0.00000, 0.00000, 0.35571, -5.93847, 0.00000),
    ),
    "fvc2004-db2b": (
        (-3.02596, 73.86362, 0.60196, 2.30391, 85.88820, 10.65023, -62.31897, -8.26045, 3.93731, 115.17539),
        (-9.64573, 143.95546, -0.13636, 1.33113, 163.15325, 0.00000, 0.00000, -4.27928, 0.16466, 0.00000),
    ),
    "fvc2004-db4b": (
        (-16.05836, 48.31441, -0.21033, 3.47822, 88.16118, -3.55994, -56.45924, 0.10025, -3.63941, 38.87371),
        (-15.69613, 85.71914, -0.33402, 3.86301, 107.82130, 0.00000, 0.00000, 0.12757, -4.06119, 0.00000),
    ),
}
