"""How good a print is: a map of the clarity of its ridges, and one score from 0 to 100 for the finger.

The score says how well the print will serve in comparisons, as ISO/IEC 29794-1 asks of a quality score: how
many minutiae another print is likely to show again, on how much clear ridge area, of ridges as far apart as
those of fingers are. NFIQ 2 says the same from the image alone, in some sixty times the time.
"""

from __future__ import annotations

import numpy as np

from services.abis.fingerprint import grid
from services.abis.fingerprint.mask import Mask
from services.abis.fingerprint.minutiae import Minutiae
from services.abis.fingerprint.parameters import BLOCK, DPI
from services.abis.kernels import F32

_AROUND = grid.gaussian(1.5)
_CLEAR_POWER = 0.6
"""Ridge power of a print that could hardly be clearer."""
_COHERENT = (0.5, 0.9)
"""Length of the mean orientation vector around a block: of no common direction, of one."""
_MINUTIAE = 6.0
_AREA = 60.0
"""Sum of the minutiae's qualities, and clear area in mm², that are half as good as any number of them."""
_PERIODS = (5.2, 6.2, 11.5, 14.0)
"""Pixels between ridges at 500 dpi: nobody's, children's, large men's, nobody's. Twice or half the declared
resolution lies outside.
"""
_BLOCK_AREA = (BLOCK * 25.4 / DPI) ** 2


def clarity(power: F32, c: F32, s: F32, area: Mask) -> F32:
    """Clarity of the ridges from 0 to 1, one a block: power times coherence of direction, 0 outside of them.

    Parameters
    ----------
    power, c, s, area: ridge power, doubled-angle orientation and ridge area, shape (rows, columns).
    """
    inside = area.astype(np.float32)
    weight = np.maximum(grid.blur(inside, _AROUND), 1e-3)
    mean = (grid.blur(np.ascontiguousarray(v * inside), _AROUND) / weight for v in (c, s))
    low, high = _COHERENT
    coherent = np.clip((np.hypot(*mean) - low) / (high - low), 0.0, 1.0)
    return np.asarray(np.clip(power / _CLEAR_POWER, 0.0, 1.0) * coherent * inside, dtype=np.float32)


def score(clear: F32, wave: F32, area: Mask, found: Minutiae) -> int:
    """Quality of a print from 0 (useless) to 100.

    Parameters
    ----------
    clear: from `clarity`. wave: ridge frequency in cycles per pixel; area: of the ridges; one a block.
    found: the minutiae that the template keeps.
    """
    minutiae, extent = float(found.quality.sum()), _BLOCK_AREA * float(clear.sum())
    period = float(np.median(1.0 / wave[area])) if area.any() else 0.0
    plausible = float(np.interp(period, _PERIODS, (0.2, 1.0, 1.0, 0.2)))
    share = minutiae / (minutiae + _MINUTIAE) * extent / (extent + _AREA)
    return round(100.0 * plausible * float(np.sqrt(share)))
