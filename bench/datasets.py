"""Test sets on disk: a folder with images and a `manifest.csv` (path, subject, position, impression, dpi)."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_NEEDED = ("path", "subject", "position", "impression")


@dataclass(frozen=True)
class Sample:
    """One image of a set. `finger` is the subject and position: two samples of one are a genuine pair."""

    path: Path
    name: str
    subject: str
    position: str
    impression: str
    dpi: float | None

    @property
    def finger(self) -> tuple[str, str]:
        """What two genuine samples have in common."""
        return self.subject, self.position


def read(folder: Path) -> list[Sample]:
    """Samples of a set in the order of its manifest; ValueError, naming the line, where that is
    missing, incomplete or wrong.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise ValueError(f"{folder} has no manifest.csv (columns path, subject, position, impression, dpi).")
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = set(_NEEDED) - set(rows[0] if rows else {})
    if missing:
        raise ValueError(f"{manifest} lacks {', '.join(sorted(missing))}.")
    seen: set[str] = set()
    samples = []
    for line, row in enumerate(rows, 2):
        samples.append(_sample(folder, row, f"{manifest}, line {line}"))
        if samples[-1].name in seen:
            raise ValueError(f"{manifest}, line {line}: {samples[-1].name} occurs twice.")
        seen.add(samples[-1].name)
    return samples


def _sample(folder: Path, row: Mapping[str, str | None], where: str) -> Sample:
    path, subject, position, impression = ((row[name] or "").strip() for name in _NEEDED)
    if not path or not subject:
        raise ValueError(f"{where}: path and subject must be given.")
    if not (folder / path).is_file():
        raise ValueError(f"{where}: {folder / path} does not exist.")
    text = (row.get("dpi") or "").strip()
    try:
        dpi = float(text) if text else None
    except ValueError:
        raise ValueError(f"{where}: dpi is {text!r}, not a number.") from None
    if dpi is not None and not 0 < dpi < math.inf:
        raise ValueError(f"{where}: dpi is {text}, not above 0.")
    return Sample(folder / path, path, subject, position, impression, dpi)
