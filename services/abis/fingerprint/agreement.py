"""What the two aligned fingers have in common: features of one comparison, from which the score is computed.

Every ratio is shrunk by n / (n + n0), n the size of the overlap it was seen on: small overlaps otherwise look
perfect.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint.field import place
from services.abis.kernels import F32, F64, I32, U8, kernel

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
_CELL = 16
_SHRINK_CELLS = 60.0
_SHRINK_MINUTIAE = 20.0
_STRETCH = 0.12
"""Mean difference of log frequency that strangers show: shrinking goes towards it, not towards agreement."""
_COSINE = np.cos(2 * np.pi * np.arange(256) / 256)
_LOGARITHM = np.log(np.maximum(np.arange(256), 1.0))


@kernel(
    "float64[::1](float32[:,::1], uint8[:,::1], uint8[:,::1], float32[:,::1], uint8[:,::1], uint8[:,::1],"
    " float64[::1], float64[:,::1], int32[:,::1], float64[::1], float64)"
)
def features(
    a: F32,
    orientation_a: U8,
    frequency_a: U8,
    b: F32,
    orientation_b: U8,
    frequency_b: U8,
    motion: F64,
    field: F64,
    pairs: I32,
    closeness: F64,
    local: float,
) -> F64:
    """Features of one alignment, in the order of FEATURES; the texture is left at 0.

    Parameters
    ----------
    a, b: minutiae (n, 4), (m, 4). orientation_*, frequency_*: coarse fields as templates keep them.
    motion, field, pairs, closeness: from `align`. local: the LSSR score.
    """
    out = np.zeros(COUNT)
    rows_a, columns_a = frequency_a.shape
    rows_b, columns_b = frequency_b.shape
    turn = int(np.round(np.arctan2(motion[1], motion[0]) * (256 / np.pi)))
    # Fields over the overlap, cell by cell of a.
    cells, agree, stretch = 0, 0.0, 0.0
    for i in range(rows_a):
        # Every other cell, as on a chessboard: neighbours tell nearly the same.
        for j in range(i % 2, columns_a, 2):
            if frequency_a[i, j] == 0:
                continue
            x, y = place((j + 0.5) * _CELL - 0.5, (i + 0.5) * _CELL - 0.5, motion, field)
            r, c = int(np.floor((y + 0.5) * (1.0 / _CELL))), int(np.floor((x + 0.5) * (1.0 / _CELL)))
            if r < 0 or c < 0 or r >= rows_b or c >= columns_b or frequency_b[r, c] == 0:
                continue
            cells += 2
            agree += 2.0 * _COSINE[(int(orientation_a[i, j]) - int(orientation_b[r, c]) + turn) & 255]
            stretch += 2.0 * abs(_LOGARITHM[frequency_a[i, j]] - _LOGARITHM[frequency_b[r, c]])
    # Minutiae that lie where the other finger was seen.
    seen_a, seen_b = 0.0, 0.0
    count_a, count_b = 0, 0
    for i in range(a.shape[0]):
        x, y = place(np.float64(a[i, 0]), np.float64(a[i, 1]), motion, field)
        r, c = int(np.floor((y + 0.5) / _CELL)), int(np.floor((x + 0.5) / _CELL))
        if 0 <= r < rows_b and 0 <= c < columns_b and frequency_b[r, c] != 0:
            seen_a += a[i, 3]
            count_a += 1
    # The field is small and smooth, so the inverse motion is close enough the other way round.
    for j in range(b.shape[0]):
        u, v = b[j, 0] - motion[2], b[j, 1] - motion[3]
        x = motion[0] * u - motion[1] * v
        y = motion[1] * u + motion[0] * v
        r, c = int(np.floor((y + 0.5) / _CELL)), int(np.floor((x + 0.5) / _CELL))
        if 0 <= r < rows_a and 0 <= c < columns_a and frequency_a[r, c] != 0:
            seen_b += b[j, 3]
            count_b += 1
    weight = 0.0
    for k in range(pairs.shape[0]):
        weight += closeness[k] * np.sqrt(np.float64(a[pairs[k, 0], 3]) * np.float64(b[pairs[k, 1], 3]))
    n = 0.5 * (count_a + count_b)
    seen = 0.5 * (seen_a + seen_b) + 1e-6
    trust = cells / (cells + _SHRINK_CELLS)
    out[0] = local
    out[1] = weight
    out[2] = weight * weight / (n + 1.0)
    out[3] = weight / seen * n / (n + _SHRINK_MINUTIAE)
    if cells > 0:
        out[4] = agree / cells * trust
        out[5] = (stretch / cells - _STRETCH) * trust
    out[6] = np.log(cells + 1.0)
    out[7] = np.log(weight + 0.3)
    return out
