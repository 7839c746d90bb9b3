"""Whether what is captured today still looks like what the thresholds were computed from.

Each submission is compared with the one before it: nearly always another person, chosen by nothing that the
score depends on, so these scores are a fair sample of impostors. Their distribution, that of the scores of
the first stage for the same pairs, and that of the prints' quality are held against the calibration's.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client import Histogram as Buckets
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.abis.calibration import Calibration, Histogram
from services.abis.finger import Finger
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.fingerprint.template import Template
from services.abis.search import codes, crossed

WINDOW: Final = 5_000
"""Values that a drift figure looks back on."""
LEAST: Final = 200
"""Values without which there is no figure: chance alone would look like drift."""
SAME: Final = 3.0
"""Score from which two submissions in a row are taken for the same person, and for no impostors."""
_LLR_BUCKETS = (-20.0, -15.0, -10.0, -7.5, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 2.0, 5.0, 10.0, 20.0, 40.0)
_QUALITY_BUCKETS = tuple(k / 10 for k in range(1, 10))


def quality(template: Template) -> float:
    """Mean clarity of the ridges around the minutiae, 0 to 1."""
    return float(template.points[:, 3].mean()) if len(template) else 0.0


def stability(reference: Histogram, values: Sequence[float]) -> float:
    """Population stability index of the values against a distribution: 0 the same, from 0.25 on another.

    The sum over bins of (q - p) ln(q / p), shares p expected and q seen; half a value is added to each bin.
    """
    counts = np.full(len(reference.shares), 0.5)
    for value in values:
        counts[bisect_right(reference.edges, value)] += 1.0
    seen = counts / counts.sum()
    expected = np.maximum(np.array(reference.shares), 1e-6)
    return float(((seen - expected) * np.log(seen / expected)).sum())


class Drift(Collector):
    """``tunggal_abis_comparison_llr{kind}``, ``tunggal_abis_finger_quality`` and
    ``tunggal_abis_drift_psi{of}``.
    """

    def __init__(self, calibration: Calibration, registry: CollectorRegistry) -> None:
        self._references = {
            "impostors": calibration.impostors,
            "quality": calibration.quality,
            "codes": calibration.codes,
        }
        self._recent = {of: deque[float](maxlen=WINDOW) for of in self._references}
        self._previous: Template | None = None
        self._lock = threading.Lock()
        self._llr = Buckets(
            "tunggal_abis_comparison_llr",
            "Scores of single fingers: of consecutive submissions, and of confirmed identities.",
            ["kind"],
            registry=registry,
            buckets=_LLR_BUCKETS,
        )
        for kind in ("impostor", "genuine"):
            self._llr.labels(kind)
        self._quality = Buckets(
            "tunggal_abis_finger_quality",
            "Mean ridge clarity of submitted fingers.",
            registry=registry,
            buckets=_QUALITY_BUCKETS,
        )
        registry.register(self)

    def submitted(self, fingers: Sequence[Finger]) -> None:
        """Take note of a submission; costs one comparison, by codes and in full."""
        usable = [finger.template for finger in fingers if len(finger.template) >= MIN_MINUTIAE]
        if not usable:
            return
        with self._lock:
            before, self._previous = self._previous, usable[0]
        score = compare(usable[0], before).score if before is not None else None
        alike = crossed.score(usable[0], before, codes.default()) if before is not None else 0
        values = [quality(template) for template in usable]
        for value in values:
            self._quality.observe(value)
        with self._lock:
            self._recent["quality"].extend(values)
            if score is not None and score < SAME:
                self._recent["impostors"].append(score)
                self._recent["codes"].append(alike)
                self._llr.labels("impostor").observe(score)

    def confirmed(self, scores: Iterable[float]) -> None:
        """Take note of the scores of fingers of which it was decided that they are the same person's."""
        for score in scores:
            self._llr.labels("genuine").observe(score)

    def figures(self) -> dict[str, float]:
        """Population stability index of each kind of value of which enough was seen."""
        with self._lock:
            recent = {of: list(values) for of, values in self._recent.items()}
        return {
            of: stability(self._references[of], values)
            for of, values in recent.items()
            if len(values) >= LEAST
        }

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Called by Prometheus' registry."""
        family = GaugeMetricFamily(
            "tunggal_abis_drift_psi",
            "Population stability index against the calibration: above 0.25, calibrate again.",
            labels=["of"],
        )
        for of, value in self.figures().items():
            family.add_metric([of], value)
        yield family
