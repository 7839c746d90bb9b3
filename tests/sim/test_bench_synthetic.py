"""The measurement of synthetic fingers: a set that others can read, and numbers that hang together."""

from pathlib import Path

import pytest
from PIL import Image

from bench import datasets, synthetic
from sim.fingerprints import COLUMNS, ROWS, Level


def test_a_small_set_is_written_and_scored(tmp_path: Path) -> None:
    report = synthetic.run(tmp_path, fingers=3, impressions=2, level=Level.EASY)
    samples = datasets.read(tmp_path)
    assert len(samples) == 6
    assert {sample.dpi for sample in samples} == {500.0}
    assert {_size(sample.path) for sample in samples} == {(COLUMNS, ROWS)}
    assert (report.genuine, report.impostor) == (3, 12)
    assert report.eer == 0
    assert report.extraction_failures == 0
    assert sum(report.patterns.values()) == 3
    assert 0 < report.impression_seconds < report.master_seconds


def test_a_set_with_nothing_to_compare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least two"):
        synthetic.run(tmp_path, fingers=1, impressions=4)


def test_the_contact_sheet_shows_real_fingers_only_where_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    synthetic.contact_sheet(tmp_path / "alone.png", tmp_path / "nowhere")
    synthetic.run(tmp_path / "set", fingers=2, impressions=2)
    synthetic.contact_sheet(tmp_path / "both.png", tmp_path / "set")
    alone, both = _size(tmp_path / "alone.png"), _size(tmp_path / "both.png")
    assert alone[0] == both[0]
    assert alone[1] < both[1]


def _size(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size
