"""What scores mean: log-likelihood ratios by stage, and thresholds for a requested false positive rate.

A calibration is a file of figures made by `tunggal bench calibrate` from comparisons whose truth is known,
with its provenance. Thresholds beyond the highest impostor score that was seen are extrapolated there, and
say so.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.abis.fingerprint import weights
from services.common.errors import ConfigurationError

VERSION: Final = 2
PACKAGED: Final = Path(__file__).with_name("calibration.json")
"""Made from public test sets; an operator's own data make a better one."""
MOST_FINGERS: Final = 10


def engine() -> str:
    """A short name of the weights that turn features into scores: another name, other scores."""
    return hashlib.sha256(repr((weights.IMAGE, weights.MINUTIAE)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Tail:
    """How likely high fused scores of impostors are, for one number of fingers.

    exponents: powers of ten, falling, of the chance that one impostor reaches the entry of `scores`. low,
    high: the interval that holds the score with 95 %, by bootstrap over fingers. highest: score that was
    really seen; beyond it all is extrapolated.
    """

    exponents: tuple[float, ...]
    scores: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    highest: float


@dataclass(frozen=True)
class Stage:
    """Log-likelihood ratio of a stage's score: offset + factor * score, or of the logarithm of the score.

    Where it is linear, ranking people by the sum of their fingers' scores, as the first stage does, is
    ranking them by the sum of their log-likelihood ratios.
    """

    offset: float
    factor: float
    logarithm: bool

    def llr(self, score: float) -> float:
        """Natural log-likelihood ratio of one finger."""
        value = math.log(max(score, 1e-6)) if self.logarithm else score
        return self.offset + self.factor * value


@dataclass(frozen=True)
class Histogram:
    """How often values fell between edges; the outer bins are open. shares: one more than edges."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Threshold:
    """A score, the interval that holds it with 95 % (by bootstrap over fingers), and whether it lies beyond
    all impostor scores that were seen.
    """

    score: float
    low: float
    high: float
    extrapolated: bool


@dataclass(frozen=True)
class Calibration:
    """What was measured, on what, with what.

    engine: of `engine`. codebook: `search.codes.recipe`, of the codes of the first stage. made_on: a date.
    data: digest of the manifest and images by set. seed: of all that was drawn. stages: of one finger, by
    name: codes (all of them), lssr, verification. tails: by number of fingers. impostors, genuine, quality,
    codes (first-stage scores of impostors): distributions with which those in production are compared.
    """

    version: int
    engine: str
    codebook: str
    made_on: str
    seed: int
    data: Mapping[str, str]
    comparisons: Mapping[str, int]
    method: str
    stages: Mapping[str, Stage]
    tails: Mapping[int, Tail]
    impostors: Histogram
    genuine: Histogram
    quality: Histogram
    codes: Histogram

    def threshold(self, fpir: float, persons: int, fingers: int) -> Threshold:
        """Fused score that a search of `fingers` fingers among `persons` people reaches by chance with
        probability `fpir`.

        Every person counts as one independent impostor, although the search compares only a list of them in
        full: the true rate is lower.
        """
        chance = -math.expm1(math.log1p(-fpir) / max(persons, 1))
        tail = self.tails[min(max(fingers, 1), MOST_FINGERS)]
        # Rising for numpy; beyond the table, its last entry.
        at = -math.log10(chance)
        known = [-exponent for exponent in tail.exponents]
        score, low, high = (float(np.interp(at, known, v)) for v in (tail.scores, tail.low, tail.high))
        return Threshold(score, low, high, score > tail.highest)

    def to_json(self) -> str:
        """The file's text."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read a file; ConfigurationError where it cannot be, or is of another version."""
        try:
            calibration = cls._of(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"{path} is no calibration: {error}") from error
        if calibration.version != VERSION:
            raise ConfigurationError(
                f"{path} is of version {calibration.version}, not {VERSION}: run `tunggal bench calibrate`."
            )
        return calibration

    @classmethod
    def _of(cls, fields: dict[str, Any]) -> Calibration:
        fields["stages"] = {name: Stage(**stage) for name, stage in fields["stages"].items()}
        fields["tails"] = {
            int(count): Tail(
                tuple(tail["exponents"]),
                tuple(tail["scores"]),
                tuple(tail["low"]),
                tuple(tail["high"]),
                tail["highest"],
            )
            for count, tail in fields["tails"].items()
        }
        for name in ("impostors", "genuine", "quality", "codes"):
            fields[name] = Histogram(tuple(fields[name]["edges"]), tuple(fields[name]["shares"]))
        if set(fields["tails"]) != set(range(1, MOST_FINGERS + 1)):
            raise ValueError("tails must be given for 1 to 10 fingers")
        return cls(**fields)
