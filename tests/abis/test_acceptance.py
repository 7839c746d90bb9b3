"""The demo's demand on real fingers, under weights that never saw the set they are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import datasets
from services.abis.fingerprint.compare import compare
from services.abis.fingerprint.extract import extract
from services.abis.fingerprint.score import held_out
from services.abis.fingerprint.template import Template
from services.abis.settings import Settings

DUPLICATE = Settings.model_fields["duplicate_threshold"].default
# Without it in the training only clean sets are left to learn from; the weights that ship reach 27.
HARD = ("fvc2004-db2b",)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fvc2002-db1b", "fvc2002-db3b", "fvc2004-db2b", "fvc2004-db4b"])
def test_nearly_all_duplicates_are_found_and_no_false_one(shared_dir: Path, name: str) -> None:
    weights = held_out(name)
    samples = datasets.read(shared_dir / "data" / "fingerprints" / name)
    gallery: list[tuple[str, Template]] = []
    found = false = 0
    for impression in "1234":
        for sample in (s for s in samples if s.impression == impression):
            template = extract(sample.path.read_bytes(), sample.dpi)
            scored = [(compare(template, other, weights).score, subject) for subject, other in gallery]
            best, subject = max(scored, default=(0.0, ""))
            if best < DUPLICATE:
                gallery.append((sample.subject, template))
            elif subject == sample.subject:
                found += 1
            else:
                false += 1
    assert false == 0
    assert found >= (26 if name in HARD else 27)
