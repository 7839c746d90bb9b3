"""Synthetic fingerprints: a finger that exists nowhere, and as many prints of it as you like.

    finger = master(person_seed=7, position=2)     # grows once in about 0.2 s, then comes from the disk
    image = impression(finger, seed=1)             # uint8, 374 × 388, 500 dpi, ridges dark on white

The same seeds give the same pixels in every process. The steps are one file each, in this order: `traits`,
`orientation`, `frequency`, `growth`, `pores`, `touch`; masters are kept by `cache`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.fingerprints import cache
from sim.fingerprints.fields import Field
from sim.fingerprints.frequency import ridge_period
from sim.fingerprints.growth import grow
from sim.fingerprints.orientation import orientation_field
from sim.fingerprints.pores import pore_depth
from sim.fingerprints.touch import COLUMNS, ROWS, Level, touch_sensor
from sim.fingerprints.traits import POSITIONS, FingerTraits, Pattern, finger_traits, person_traits

__all__ = [
    "COLUMNS",
    "DPI",
    "POSITIONS",
    "ROWS",
    "Level",
    "Master",
    "Pattern",
    "impression",
    "master",
    "pattern_of",
]

DPI: Final = 500

_RIDGE_SCALE: Final = 40
_PORE_SCALE: Final = 255


@dataclass(frozen=True, eq=False)
class Master:
    """A finger from which impressions are taken.

    Attributes:
        person_seed: the person it belongs to.
        position: as in ISO/IEC 19794-2, from 1 (right thumb) to 10 (left little finger).
        pattern: its Henry class.
        ridges: float32 (544, 416), above 0 on ridges, local RMS 1.
        pores: float32 (544, 416), depth of sweat pores between 0 and 1.
    """

    person_seed: int
    position: int
    pattern: Pattern
    ridges: Field
    pores: Field


def master(person_seed: int, position: int, directory: Path | None = cache.DEFAULT_DIRECTORY) -> Master:
    """The finger at `position` of the person with this seed.

    Args:
        person_seed: any integer from 0; the ten fingers of one seed share period, tip and whorl propensity.
        position: 1 to 10.
        directory: where grown masters are kept between runs; None keeps none.

    Raises:
        ValueError: for a position that no hand has or a negative seed.
    """
    if position not in POSITIONS:
        raise ValueError(f"finger position {position} is not one of 1 to 10")
    stored = cache.load(directory, person_seed, position) if directory is not None else None
    if stored is None:
        stored = _grow(person_seed, position)
        if directory is not None:
            cache.store(directory, person_seed, position, stored)
    pattern, ridges, holes = stored
    return Master(
        person_seed=person_seed,
        position=position,
        pattern=pattern,
        ridges=ridges * np.float32(1 / _RIDGE_SCALE),
        pores=holes * np.float32(1 / _PORE_SCALE),
    )


def impression(finger: Master, seed: int, level: Level | None = None) -> NDArray[np.uint8]:
    """One print of `finger`; another `seed` is another touch of the sensor.

    Returns:
        uint8 of shape (ROWS, COLUMNS) at `DPI`, ridges dark on white.
    """
    rng = np.random.default_rng(np.random.SeedSequence((finger.person_seed, finger.position, seed)))
    return touch_sensor(finger.ridges, finger.pores, level, rng)


def pattern_of(person_seed: int, position: int) -> Pattern:
    """The class that `master` will have, without growing it."""
    return _traits(person_seed, position)[0].pattern


def _traits(person_seed: int, position: int) -> tuple[FingerTraits, np.random.Generator]:
    """What the finger is, and the generator from which its random fields follow."""
    # Position 0 is no finger: it seeds what the ten have in common.
    person = person_traits(np.random.default_rng(np.random.SeedSequence((person_seed, 0))))
    rng = np.random.default_rng(np.random.SeedSequence((person_seed, position)))
    return finger_traits(person, position, rng), rng


def _grow(person_seed: int, position: int) -> cache.Stored:
    finger, rng = _traits(person_seed, position)
    theta = orientation_field(finger, rng)
    ridges = grow(finger, theta, ridge_period(finger, theta, rng), rng)
    holes = pore_depth(ridges, rng)
    # Rounded the same way whether it goes through the disk or not, so that both give the same prints.
    return (
        finger.pattern,
        np.clip(np.rint(ridges * _RIDGE_SCALE), -127, 127).astype(np.int8),
        np.rint(holes * _PORE_SCALE).astype(np.uint8),
    )
