"""How a synthetic human looks: drawn once from the human's number, whatever name they go by."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.enroll.nik import Sex
from sim.drawing import Color, mix
from sim.population import Person

_LIGHT_SKIN: Final[Color] = (240, 205, 172)
_DARK_SKIN: Final[Color] = (128, 82, 56)
_EASTERN_SKIN: Final[Color] = (92, 58, 42)
_BLACK_HAIR: Final[Color] = (26, 21, 22)
_GREY_HAIR: Final[Color] = (168, 166, 166)

_SHIRTS: Final[tuple[Color, ...]] = (
    (238, 238, 236),
    (205, 214, 226),
    (88, 104, 132),
    (120, 62, 52),
    (62, 84, 66),
    (182, 160, 120),
    (60, 60, 66),
    (150, 88, 104),
)
_SCARVES: Final[tuple[Color, ...]] = (
    (242, 240, 236),
    (44, 48, 62),
    (176, 140, 128),
    (122, 138, 118),
    (88, 62, 82),
    (196, 170, 140),
    (60, 92, 112),
    (150, 60, 72),
)


TIED_BACK: Final = 1
"""Hairstyle of women that needs nothing drawn behind the head."""


@dataclass(frozen=True)
class Looks:
    """Measures are pixels of a 413 × 531 portrait or factors around 1."""

    skin: Color
    hair: Color
    face_width: float
    jaw: float
    chin: float
    eye_spacing: float
    eye_size: float
    eye_tilt: float
    brow: float
    nose_width: float
    nose_length: float
    mouth_width: float
    lips: float
    smile: float
    hairstyle: int
    """0 to 3; men: parted, brushed up, close-cropped, receding; women: parted, tied back, fringe, short."""
    bald: bool
    glasses: bool
    moustache: bool
    beard: bool
    hijab: bool
    peci: bool
    wrinkles: float
    """0 smooth to 1 old."""
    shirt: Color
    scarf: Color


def looks(person: Person) -> Looks:
    """The face of the human behind `person`, dressed as for this identity."""
    rng = np.random.default_rng(np.random.SeedSequence((person.human, 3)))
    dress = np.random.default_rng(np.random.SeedSequence((person.human, 4, int(person.nik))))
    woman = person.sex is Sex.FEMALE
    age = person.age()
    muslim = person.religion == "ISLAM"
    dark = {"eastern": 0.55, "chinese": 0.12, "minang": 0.3}.get(person.tradition, 0.38) + rng.normal(0, 0.13)
    darkest = _EASTERN_SKIN if person.tradition == "eastern" else _DARK_SKIN
    grey = float(np.clip((age - 42 + rng.normal(0, 7)) / 32, 0, 1))
    old = float(np.clip((age - 30) / 45, 0, 1))

    def spread(deviation: float) -> float:
        return float(np.clip(rng.normal(1.0, deviation), 1 - 2.2 * deviation, 1 + 2.2 * deviation))

    return Looks(
        skin=mix(_LIGHT_SKIN, darkest, float(np.clip(dark, 0.02, 0.98))),
        hair=mix(_BLACK_HAIR, _GREY_HAIR, grey),
        face_width=(84 if woman else 88) * spread(0.045),
        jaw=(0.93 if woman else 1.03) * spread(0.06),
        chin=spread(0.04),
        eye_spacing=41 * spread(0.05),
        eye_size=(1.06 if woman else 0.98) * spread(0.08),
        eye_tilt=float(rng.normal(1.2, 1.6)),
        brow=(0.75 if woman else 1.15) * spread(0.2),
        nose_width=(24 if woman else 28) * spread(0.1),
        nose_length=spread(0.07),
        mouth_width=(36 if woman else 38) * spread(0.09),
        lips=(1.12 if woman else 0.95) * spread(0.16),
        smile=float(rng.normal(1.5, 2.2)),
        hairstyle=int(rng.integers(4)),
        bald=not woman and rng.random() < 0.25 * old,
        glasses=bool(rng.random() < 0.1 + 0.28 * old),
        moustache=not woman and age > 20 and rng.random() < 0.3,
        beard=not woman and age > 22 and rng.random() < 0.16,
        hijab=woman and muslim and rng.random() < 0.8,
        peci=not woman and muslim and rng.random() < 0.16 + 0.2 * old,
        wrinkles=old,
        shirt=_SHIRTS[int(dress.integers(len(_SHIRTS)))],
        scarf=_SCARVES[int(dress.integers(len(_SCARVES)))],
    )
