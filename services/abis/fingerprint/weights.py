"""Weights of the comparison score. Written by `python -m bench.train_fingerprint`; not edited by hand."""

from __future__ import annotations

from typing import Final

PROVENANCE: Final = "trained on all pairs of fvc2002-db1b, fvc2002-db3b, fvc2004-db2b, fvc2004-db4b"

# Bias, then one weight a feature. Each set under weights trained on the others:
# fvc2002-db1b: EER 0.02 %, FNMR at FMR 0.1 % 0.00 %, at zero FMR 0.36 %, highest impostor score 1.64
# fvc2002-db3b: EER 0.00 %, FNMR at FMR 0.1 % 0.00 %, at zero FMR 0.00 %, highest impostor score 0.83
# fvc2004-db2b: EER 4.65 %, FNMR at FMR 0.1 % 8.21 %, at zero FMR 8.21 %, highest impostor score -0.54
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 1.07 %, at zero FMR 2.14 %, highest impostor score 1.52
IMAGE: Final = (
    -13.644356,
    43.244775,
    -0.529973,
    0.215791,
    39.636936,
    1.027071,
    -33.649235,
    1.299215,
)

# Bias, then one weight a feature. Each set under weights trained on the others:
# fvc2002-db1b: EER 0.72 %, FNMR at FMR 0.1 % 0.71 %, at zero FMR 1.07 %, highest impostor score 0.55
# fvc2002-db3b: EER 0.07 %, FNMR at FMR 0.1 % 0.71 %, at zero FMR 0.71 %, highest impostor score 1.36
# fvc2004-db2b: EER 7.50 %, FNMR at FMR 0.1 % 9.29 %, at zero FMR 10.36 %, highest impostor score 0.99
# fvc2004-db4b: EER 0.35 %, FNMR at FMR 0.1 % 0.36 %, at zero FMR 1.43 %, highest impostor score 1.40
MINUTIAE: Final = (
    -14.751514,
    60.114828,
    -0.562934,
    -0.225743,
    39.405183,
    0.000000,
    0.000000,
    1.014182,
)
