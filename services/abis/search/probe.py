"""A finger that is searched with, in the form in which the kernels take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.abis.finger import UNKNOWN, Finger
from services.abis.kernels import U64
from services.abis.search.codes import Codebook, encode, thresholds
from services.abis.search.parameters import PROBE_CODES

_BLOCK = 4
"""Kernels take codes in multiples of this many."""


@dataclass(frozen=True, eq=False)
class ProbeFinger:
    """position: 0 where unknown. codes, limits: for the first pass; full_codes, full_limits: for the second.

    All are filled up to multiples of 4 with limits of 0, which nothing can fall below.
    """

    position: int
    codes: U64
    limits: U64
    full_codes: U64
    full_limits: U64


def prepare(fingers: Sequence[Finger], book: Codebook) -> list[ProbeFinger]:
    """Probe fingers of those that show enough to be searched with."""
    found = []
    for finger in fingers:
        codes = encode(finger.template, book)
        if codes.size:
            found.append(from_codes(finger.position, codes, book))
    return found


def from_codes(position: int, codes: U64, book: Codebook) -> ProbeFinger:
    """A probe finger from its codes (n), best first."""
    limits = thresholds(codes, book)
    short, short_limits = _filled(codes[:PROBE_CODES]), _filled(limits[:PROBE_CODES])
    return ProbeFinger(position, short, short_limits, _filled(codes), _filled(limits))


def mirrored(probe: Sequence[ProbeFinger]) -> list[ProbeFinger]:
    """The probe as if its left and right hand had been swapped."""
    return [
        ProbeFinger(
            UNKNOWN if f.position == UNKNOWN else (f.position + 4) % 10 + 1,
            f.codes,
            f.limits,
            f.full_codes,
            f.full_limits,
        )
        for f in probe
    ]


def _filled(values: U64) -> U64:
    return np.pad(values, (0, -values.size % _BLOCK))
