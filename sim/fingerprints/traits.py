"""What a finger is before any ridge grows: its pattern class, its singular points and its growth constants.

The class frequencies are those of NIST Special Database 4's natural distribution (Wilson, Candela and Watson,
1993: arch 3.7 %, tented arch 2.9 %, left loop 33.8 %, right loop 31.7 %, whorl 27.9 %), spread over the ten
positions as in the FBI's tables: whorls prefer ring fingers and thumbs, arches and radial loops prefer index
fingers. Ulnar loops open to the little finger: to the right in a print of the right hand, to the left in one
of the left hand.

Coordinates are pixels at 500 dpi with the origin in the middle of the master and y pointing up.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

Point = tuple[float, float]

POSITIONS: Final = range(1, 11)
"""ISO/IEC 19794-2: 1 right thumb … 5 right little finger, 6 left thumb … 10 left little finger."""

# Thumb, index, middle, ring, little finger: P(whorl or double loop), P(arch of any kind), P(loop is radial).
_WHORL: Final = (0.36, 0.30, 0.19, 0.42, 0.14)
_ARCH: Final = (0.035, 0.125, 0.09, 0.03, 0.02)
_RADIAL: Final = (0.02, 0.30, 0.05, 0.02, 0.01)
_DOUBLE_OF_WHORLS: Final = (0.35, 0.16, 0.12, 0.08, 0.10)
_TENTED_OF_ARCHES: Final = 0.44


class Pattern(StrEnum):
    """Henry class of a finger, as seen in its print."""

    ARCH = "arch"
    TENTED_ARCH = "tented arch"
    LEFT_LOOP = "left loop"
    RIGHT_LOOP = "right loop"
    WHORL = "whorl"
    DOUBLE_LOOP = "double loop"


@dataclass(frozen=True)
class PersonTraits:
    """What the ten fingers of one person share."""

    period: float
    """Mean ridge period in pixels."""
    roundness: float
    """How far a core departs from the zero-pole model towards a round loop (n in the orientation formula)."""
    tip: float
    """Slope in radians of the ridges that run around the fingertip."""
    whorl_bias: float
    """Added to the log-odds of a whorl on every finger."""


@dataclass(frozen=True)
class FingerTraits:
    """Everything about one finger that its random fields are then drawn around."""

    pattern: Pattern
    cores: tuple[Point, ...]
    deltas: tuple[Point, ...]
    period: float
    roundness: float
    tip: float
    iterations: int
    """Passes of the growth filter at half resolution: few leave many minutiae, many smooth them away."""
    bandwidth: float
    """Standard deviation of the growth filter's envelope, in ridge periods."""


def person_traits(rng: np.random.Generator) -> PersonTraits:
    """Draw what the fingers of one person have in common."""
    return PersonTraits(
        period=float(np.clip(rng.normal(8.7, 0.75), 7.2, 10.6)),
        roundness=float(np.clip(rng.normal(0.6, 0.12), 0.4, 0.85)),
        tip=float(np.clip(rng.normal(0.75, 0.07), 0.55, 0.95)),
        whorl_bias=float(rng.normal(0.0, 0.7)),
    )


def finger_traits(person: PersonTraits, position: int, rng: np.random.Generator) -> FingerTraits:
    """Draw one finger of `person`; `position` (1–10) decides the odds of its pattern."""
    pattern = _pattern(person, position, rng)
    cores, deltas = _singular_points(pattern, rng)
    arch = pattern in (Pattern.ARCH, Pattern.TENTED_ARCH)
    iterations = round(float(np.exp(rng.uniform(np.log(10), np.log(70)))))
    bandwidth = float(rng.choice((0.36, 0.375, 0.39, 0.405, 0.42, 0.435, 0.45)))
    return FingerTraits(
        pattern=pattern,
        cores=cores,
        deltas=deltas,
        period=person.period + float(np.clip(rng.normal(0.0, 0.3), -0.8, 0.8)),
        roundness=float(np.clip(person.roundness + rng.normal(0.0, 0.06), 0.4, 0.85)),
        tip=person.tip + float(rng.normal(0.0, 0.04)),
        # An arch has no curvature that would force minutiae, so longer growth would leave it too few of them.
        iterations=min(iterations, 14) if arch else iterations,
        bandwidth=min(bandwidth, 0.375) if arch else bandwidth,
    )


def _pattern(person: PersonTraits, position: int, rng: np.random.Generator) -> Pattern:
    finger = (position - 1) % 5
    odds = _WHORL[finger] / (1 - _WHORL[finger]) * np.exp(person.whorl_bias)
    whorl = odds / (1 + odds)
    arch = _ARCH[finger] * (1 - whorl) / (1 - _WHORL[finger])
    kind, second = rng.random(2)
    if kind < whorl:
        return Pattern.DOUBLE_LOOP if second < _DOUBLE_OF_WHORLS[finger] else Pattern.WHORL
    if kind < whorl + arch:
        return Pattern.TENTED_ARCH if second < _TENTED_OF_ARCHES else Pattern.ARCH
    ulnar = second >= _RADIAL[finger]
    right_hand = position <= 5
    return Pattern.RIGHT_LOOP if ulnar == right_hand else Pattern.LEFT_LOOP


def _singular_points(
    pattern: Pattern, rng: np.random.Generator
) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    x, y = float(rng.normal(0, 9)), float(np.clip(rng.normal(28, 16), -5, 60))
    if pattern is Pattern.ARCH:
        return (), ()
    if pattern is Pattern.TENTED_ARCH:
        return ((x, y),), ((x + float(rng.normal(0, 5)), y - float(rng.uniform(55, 100))),)
    if pattern in (Pattern.LEFT_LOOP, Pattern.RIGHT_LOOP):
        # The delta lies on the side away from the opening.
        side = 1.0 if pattern is Pattern.LEFT_LOOP else -1.0
        across = float(np.clip(rng.normal(88, 20), 50, 135))
        down = float(np.clip(rng.normal(122, 22), 75, 170))
        return ((x, y),), ((x + side * across, y - down),)
    if pattern is Pattern.WHORL:
        half, tilt = float(rng.uniform(10, 26)), float(rng.normal(0.0, 0.3))
    else:
        half, tilt = float(rng.uniform(26, 40)), float(rng.choice((-1.0, 1.0)) * rng.uniform(0.45, 1.0))
    dx, dy = half * np.sin(tilt), half * np.cos(tilt)
    cores = ((x + dx, y + dy), (x - dx, y - dy))
    spread = np.clip(rng.normal(112, 16, 2), 75, 150)
    fall = np.clip(rng.normal(100, 20, 2), 60, 150)
    deltas = ((x - float(spread[0]), y - float(fall[0])), (x + float(spread[1]), y - float(fall[1])))
    return cores, deltas
