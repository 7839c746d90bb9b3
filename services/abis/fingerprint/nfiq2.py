"""NFIQ 2, the quality score that programs of other makers understand (ISO/IEC 29794-4), through nbis-py."""

from __future__ import annotations

import functools
import io

import nbis
from PIL import Image

from services.abis.fingerprint.parameters import DPI
from services.abis.kernels import U8


@functools.cache
def _grader() -> nbis.NbisExtractor:
    return nbis.new_nbis_extractor(
        nbis.NbisExtractorSettings(
            min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=True, ppi=float(DPI)
        )
    )


def score(pixels: U8) -> int | None:
    """NFIQ 2 score from 0 to 100 of grey values at 500 dpi; None where it cannot be computed."""
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG", compress_level=0)
    try:
        graded = _grader().extract_minutiae(encoded.getvalue()).quality()
    except nbis.NbisError:
        return None
    return None if graded is None else int(graded.score)
