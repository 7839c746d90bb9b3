"""The matchers that a benchmark compares: ours, and NIST's through nbis-py."""

from __future__ import annotations

from typing import Any, Protocol

import nbis

from bench.datasets import Sample
from services.abis.fingerprint.compare import score
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.parameters import MIN_MINUTIAE
from services.abis.fingerprint.score import Weights
from services.abis.fingerprint.template import Template
from services.common.errors import InvalidArgument


class Matcher(Protocol):
    """What a benchmark needs of a matcher."""

    def extract(self, sample: Sample) -> Any | None:
        """A template; None where the sample cannot be used."""

    def compare(self, probe: Any, reference: Any) -> float:
        """Comparison score, greater is more alike."""


class Tunggal:
    """Our own extractor and matcher, as the service uses them."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def extract(self, sample: Sample) -> Template | None:
        """A template with enough minutiae to be compared."""
        try:
            template = extract(sample.path.read_bytes(), sample.dpi)
        except InvalidArgument:
            return None
        # Build what an enrolled template carries along.
        _ = template.prepared, template.digest
        return template if len(template) >= MIN_MINUTIAE else None

    def compare(self, probe: Template, reference: Template) -> float:
        """Natural log-likelihood ratio."""
        return score(probe, reference, self._weights)


class Nbis:
    """mindtct and bozorth3."""

    def __init__(self) -> None:
        self._extractor = nbis.new_nbis_extractor(
            nbis.NbisExtractorSettings(
                min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=500.0
            )
        )

    def extract(self, sample: Sample) -> nbis.Minutiae | None:
        """mindtct's minutiae of the image as it is."""
        try:
            return self._extractor.extract_minutiae(sample.path.read_bytes())
        except nbis.NbisError:
            return None

    def compare(self, probe: nbis.Minutiae, reference: nbis.Minutiae) -> float:
        """bozorth3's score."""
        return float(probe.compare(reference))
