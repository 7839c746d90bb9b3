"""What comparing one set of images with one matcher gave: every score, and the error rates that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench import accuracy


@dataclass(frozen=True)
class Outcome:
    """One set under one matcher. rows: (probe, reference, genuine, score) of every pair; fingers: the numbers
    of the two fingers compared, in the same order.
    """

    name: str
    rows: list[tuple[str, str, bool, float]]
    fingers: list[tuple[int, int]]
    failures: int
    extract_ms: float
    comparisons_per_second: float

    def curve(self) -> accuracy.Det:
        """Error rates over all thresholds."""
        genuine = [value for _, _, mated, value in self.rows if mated]
        return accuracy.det(genuine, [value for _, _, mated, value in self.rows if not mated])

    def summary(self) -> dict[str, Any]:
        """The figures of the set; rates as fractions."""
        curve = self.curve()
        return {
            "set": self.name,
            "eer": accuracy.equal_error_rate(curve),
            "fnmr_at_fmr_1e-2": accuracy.fnmr_at_fmr(curve, 1e-2),
            "fnmr_at_fmr_1e-3": accuracy.fnmr_at_fmr(curve, 1e-3),
            "fnmr_at_zero_fmr": accuracy.fnmr_at_fmr(curve, 0.0),
            "failures_to_extract": self.failures,
            "extract_ms": self.extract_ms,
            "comparisons_per_second": self.comparisons_per_second,
        }
