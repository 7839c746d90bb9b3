"""First-stage kernel for any processor. It also says what the vector kernels compute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.abis.kernels import I32, U64, kernel, popcount
from services.abis.vectors import LANES

U16 = NDArray[np.uint16]

SIGNATURE = "void(uint64[:,::1], int64, int32[::1], uint64[::1], uint64[::1], uint16[::1], boolean)"


@kernel(SIGNATURE)
def score(rows: U64, width: int, owners: I32, codes: U64, limits: U64, sums: U16, greatest: bool) -> None:
    """Score a probe finger against a partition of fingers.

    The score of a finger is the sum over the probe's codes of max(limit - distance to the nearest code of the
    finger, 0): no division, no root, no sorting.

    Parameters
    ----------
    rows: (groups * width, 8) codes; rows [g * width, (g + 1) * width) hold the codes of the fingers 8 g to
    8 g + 7, one finger a column. A finger with fewer codes repeats its own.
    owners: (groups * 8) index into sums of each finger; one outside of sums (-1) marks an empty column.
    codes, limits: (n) of the probe, n a multiple of 4, filled up with limits of 0; limits at most 64.
    sums: (persons) to which scores are added, or, where `greatest`, into which they go if they are greater.
    """
    for group in range(owners.size // LANES):
        for lane in range(LANES):
            owner = owners[group * LANES + lane]
            if owner < 0 or owner >= sums.size:
                continue
            total = np.uint64(0)
            for k in range(codes.size):
                least = limits[k]
                for row in range(group * width, (group + 1) * width):
                    least = min(least, popcount(rows[row, lane] ^ codes[k]))
                total += limits[k] - least
            if not greatest:
                sums[owner] += np.uint16(total)
            elif total > sums[owner]:
                sums[owner] = np.uint16(total)
