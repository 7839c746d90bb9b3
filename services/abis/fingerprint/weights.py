"""Weights of the comparison score. Written by `python -m bench.train_fingerprint`; not edited by hand."""

from __future__ import annotations

from typing import Final

PROVENANCE: Final = "trained on all pairs of fvc2002-db1b, fvc2002-db3b, fvc2004-db2b, fvc2004-db4b"

# Bias, then one weight a feature. Each set under weights trained on the others:
# fvc2002-db1b: EER 0.02 %, FNMR at FMR 0.1 % 0.00 %, at zero FMR 0.36 %, highest impostor score 4.15, FNMR at score 4 / 6 / 8: 0.36 / 0.71 / 1.07 %
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, at zero FMR 0.00 %, highest impostor score 1.77, FNMR at score 4 / 6 / 8: 0.00 / 0.36 / 0.71 %
# fvc2004-db2b: EER 5.00 %, FNMR at FMR 0.1 % 7.86 %, at zero FMR 8.93 %, highest impostor score -1.55, FNMR at score 4 / 6 / 8: 11.43 / 12.50 / 12.50 %
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.71 %, at zero FMR 2.14 %, highest impostor score 3.09, FNMR at score 4 / 6 / 8: 2.14 / 3.57 / 4.29 %
IMAGE: Final = (
    -29.027627,
    93.459109,
    -1.135410,
    0.487811,
    84.120084,
    2.025259,
    -69.746209,
    2.845878,
)

# Bias, then one weight a feature. Each set under weights trained on the others:
# fvc2002-db1b: EER 0.72 %, FNMR at FMR 0.1 % 0.71 %, at zero FMR 1.07 %, highest impostor score 1.14, FNMR at score 4 / 6 / 8: 1.07 / 1.43 / 1.79 %
# fvc2002-db3b: EER 0.07 %, FNMR at FMR 0.1 % 0.71 %, at zero FMR 0.71 %, highest impostor score 2.47, FNMR at score 4 / 6 / 8: 1.43 / 2.14 / 3.93 %
# fvc2004-db2b: EER 7.50 %, FNMR at FMR 0.1 % 9.29 %, at zero FMR 10.36 %, highest impostor score 2.00, FNMR at score 4 / 6 / 8: 11.07 / 13.57 / 14.64 %
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, at zero FMR 1.43 %, highest impostor score 2.65, FNMR at score 4 / 6 / 8: 3.21 / 5.00 / 6.07 %
MINUTIAE: Final = (
    -29.078315,
    119.631153,
    -1.118355,
    -0.446154,
    78.316307,
    0.000000,
    0.000000,
    2.012807,
)
