"""First-stage kernel for processors with AVX2: four fingers a register, popcount by table look-up."""

from __future__ import annotations

import numpy as np

from services.abis.kernels import I32, U64, kernel
from services.abis.search.lanes import nearest
from services.abis.search.plain import SIGNATURE, U16
from services.abis.vectors import LANES, shuffle_popcount

_four = nearest(4, 4, shuffle_popcount)


@kernel(SIGNATURE)
def score(rows: U64, width: int, owners: I32, codes: U64, limits: U64, sums: U16, greatest: bool) -> None:
    """See `plain.score`, which this equals. Four probe codes with their minima fill the 16 registers."""
    total = np.uint64(0)
    for k in range(limits.size):
        total += limits[k]
    least = np.empty(LANES, np.uint64)
    for group in range(owners.size // LANES):
        for lane in range(LANES):
            least[lane] = 0
        for at in range(0, codes.size, 4):
            _four(rows, group * width, width, codes, limits, at, least)
        for lane in range(LANES):
            owner = owners[group * LANES + lane]
            if owner < 0 or owner >= sums.size:
                continue
            value = total - least[lane]
            if not greatest:
                sums[owner] += np.uint16(value)
            elif value > sums[owner]:
                sums[owner] = np.uint16(value)
