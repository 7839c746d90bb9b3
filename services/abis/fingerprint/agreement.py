"""What the two aligned fingers have in common: features of one comparison, from which the score is computed.

Every ratio is shrunk by n / (n + n0), n the size of the overlap it was seen on: small overlaps otherwise look
perfect.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint.overlap import overlap, seen
from services.abis.fingerprint.prepared import ROOT
from services.abis.kernels import F32, F64, I32, kernel

FEATURES = (
    "local",
    "weight",
    "density",
    "ratio",
    "orientation",
    "frequency",
    "overlap",
    "evidence",
    "texture",
)
"""Names of the features, in the order of the arrays below."""
COUNT = len(FEATURES)
_SHRINK_CELLS = 60.0
_SHRINK_MINUTIAE = 20.0
_STRETCH = 0.12
"""Mean difference of log frequency that strangers show: shrinking goes towards it, not towards agreement."""


@kernel(
    "float64[::1](float32[:,::1], float32[:,::1], int32[:,::1], float32[:,::1], int32[:,::1],"
    " float64[::1], int32[:,::1], float64[::1], float64)"
)
def features(
    a: F32,
    cells: F32,
    grid_a: I32,
    b: F32,
    grid_b: I32,
    motion: F64,
    pairs: I32,
    closeness: F64,
    local: float,
) -> F64:
    """Features of one alignment, in the order of FEATURES; the texture is left at 0.

    Parameters
    ----------
    a, b: minutiae in lanes. cells: of a; grid_*: coarse fields (`prepared.Prepared`).
    motion, pairs, closeness: from `align`. local: the LSSR score.
    """
    out = np.zeros(COUNT)
    # Displacements are small against cells: what lies where is asked of the rigid motion.
    common, agree, stretch = overlap(cells, cells.shape[1], grid_b, motion)
    common, agree, stretch = 2.0 * common, 2.0 * agree, 2.0 * stretch
    n_a, seen_a = seen(a, grid_b, motion)
    back = np.array(
        [
            motion[0],
            -motion[1],
            motion[1] * motion[3] - motion[0] * motion[2],
            -motion[1] * motion[2] - motion[0] * motion[3],
        ]
    )
    n_b, seen_b = seen(b, grid_a, back)
    weight = 0.0
    for k in range(pairs.shape[0]):
        weight += closeness[k] * a[ROOT, pairs[k, 0]] * b[ROOT, pairs[k, 1]]
    n = 0.5 * (n_a + n_b)
    quality = 0.5 * (seen_a + seen_b) + 1e-6
    trust = common / (common + _SHRINK_CELLS)
    out[0] = local
    out[1] = weight
    out[2] = weight * weight / (n + 1.0)
    out[3] = weight / quality * n / (n + _SHRINK_MINUTIAE)
    if common > 0:
        out[4] = agree / common * trust
        out[5] = (stretch / common - _STRETCH) * trust
    out[6] = np.log(common + 1.0)
    out[7] = np.log(weight + 0.3)
    return out
