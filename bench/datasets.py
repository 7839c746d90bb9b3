"""Test sets on disk: a folder with images and a `manifest.csv` (path, subject, position, impression, dpi)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


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
    """Samples of a set in the order of its manifest; ValueError where that is missing or incomplete."""
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise ValueError(f"{folder} has no manifest.csv (columns path, subject, position, impression, dpi).")
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = {"path", "subject", "position", "impression"} - set(rows[0] if rows else {})
    if missing:
        raise ValueError(f"{manifest} lacks {', '.join(sorted(missing))}.")
    return [
        Sample(
            path=folder / row["path"],
            name=row["path"],
            subject=row["subject"],
            position=row["position"],
            impression=row["impression"],
            dpi=float(row["dpi"]) if row.get("dpi") else None,
        )
        for row in rows
    ]
