"""Which scores lead to which decision, by the size of the gallery and the number of fingers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.abis.calibration import Calibration
from services.abis.fusion import Thresholds

ANYWHERE = 1.2
"""A single finger is looked for under all ten positions, nine of them at ln 100 less: a fifth more chances to
be somebody else's by accident, as scores of impostors fall off in the calibration.
"""


@dataclass(frozen=True)
class Policy:
    """Thresholds that hold a requested false positive identification rate.

    least: never below these, however small the gallery. fpir_duplicate, fpir_adjudicate: share of searches of
    people who are not in the gallery that may end so.
    """

    calibration: Calibration
    least: Thresholds
    fpir_duplicate: float
    fpir_adjudicate: float

    def at(self, persons: int, fingers: int) -> Thresholds:
        """Thresholds for a search with so many fingers among so many people."""
        if fingers == 1:
            persons = math.ceil(ANYWHERE * persons)
        duplicate = self.calibration.threshold(self.fpir_duplicate, persons, fingers).score
        adjudicate = self.calibration.threshold(self.fpir_adjudicate, persons, fingers).score
        return Thresholds(
            adjudicate=max(adjudicate, self.least.adjudicate), duplicate=max(duplicate, self.least.duplicate)
        )
