"""The benchmark's figures, on scores whose rates are known and on a small set of synthetic fingers."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bench import accuracy, datasets, fingerprint, logistic
from cli.main import app
from services.abis.kernels import U8

KEYS = {
    "set",
    "eer",
    "fnmr_at_fmr_1e-2",
    "fnmr_at_fmr_1e-3",
    "fnmr_at_zero_fmr",
    "failures_to_extract",
    "extract_ms",
    "comparisons_per_second",
}


@pytest.fixture
def small_set(tmp_path: Path, images: list[list[bytes]]) -> Path:
    """Three fingers, two prints each, and one file that is no image."""
    folder = tmp_path / "small"
    folder.mkdir()
    rows = ["path,subject,position,impression,dpi"]
    for subject, prints in enumerate(images[:3]):
        for impression, content in enumerate(prints):
            name = f"{subject}_{impression}.png"
            (folder / name).write_bytes(content)
            rows.append(f"{name},{subject},unknown,{impression},500")
    (folder / "broken.png").write_bytes(b"no image")
    rows.append("broken.png,0,unknown,9,500")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_rates_of_known_scores() -> None:
    curve = accuracy.det([1, 2, 3, 4], [0, 0, 0, 2.5])
    assert accuracy.equal_error_rate(curve) == pytest.approx(0.25)
    assert accuracy.fnmr_at_fmr(curve, 0.25) == 0.0
    assert accuracy.fnmr_at_fmr(curve, 0.0) == 0.5


def test_separated_scores_have_no_error_and_mixed_ones_half() -> None:
    assert accuracy.equal_error_rate(accuracy.det([5, 6], [1, 2])) == 0.0
    assert accuracy.equal_error_rate(accuracy.det([1, 2], [1, 2])) == pytest.approx(0.5)


def test_a_failure_to_extract_never_matches() -> None:
    curve = accuracy.det([-math.inf, 3, 4, 5], [-math.inf, 0, 1, 2])
    assert accuracy.fnmr_at_fmr(curve, 1.0) == 0.25
    assert curve.fmr.max() == 0.75


def test_logistic_regression_finds_the_likelihood_ratio_of_two_gaussians() -> None:
    rng = np.random.default_rng(1)
    values = np.r_[rng.normal(2, 1, 4000), rng.normal(0, 1, 8000)][:, None]
    genuine = np.arange(12000) < 4000
    bias, slope = logistic.fit(values, genuine, 1e-6)
    assert (bias, slope) == pytest.approx((-2.0, 2.0), abs=0.25)


def test_a_run_writes_figures_scores_and_a_plot(small_set: Path, tmp_path: Path) -> None:
    scores, figures, plot = tmp_path / "s.csv", tmp_path / "f.json", tmp_path / "p.svg"
    report = fingerprint.run([small_set], scores, figures, plot, peer="nbis")
    assert json.loads(figures.read_text()) == report
    (measured,) = report["sets"]
    assert set(measured) == KEYS
    assert (measured["set"], measured["failures_to_extract"]) == ("small", 1)
    # Five genuine pairs, two of which have a sample that cannot be extracted.
    assert measured["fnmr_at_zero_fmr"] == pytest.approx(2 / 5)
    assert set(report["mean"]) == KEYS - {"set"}
    assert set(report["peers"]["nbis"]["sets"][0]) == KEYS
    for low, high in report["intervals"]["mean"].values():
        assert 0.0 <= low <= high <= 1.0
    assert report["fused_2"]["fnmr_at_fmr_1e-3"] <= measured["fnmr_at_fmr_1e-3"]
    assert report["fused_4"]["eer"] is None  # three fingers are not enough
    with scores.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["set", "probe", "reference", "genuine", "score"]
    assert (len(rows), sum(row["genuine"] == "1" for row in rows)) == (7 * 6 // 2, 5)
    assert tmp_path.joinpath("s.nbis.csv").exists()
    assert "<svg" in plot.read_text()


def test_a_folder_that_is_no_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"manifest\.csv"):
        datasets.read(tmp_path)
    (tmp_path / "manifest.csv").write_text("path,subject\nx,1\n")
    with pytest.raises(ValueError, match="impression, position"):
        datasets.read(tmp_path)
    with pytest.raises(ValueError, match="peer"):
        fingerprint.run([], peer="nobody")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("gone.png,1,unknown,1,500", r"line 3.*gone\.png does not exist"),
        ("0_0.png,0,unknown,1,500", "line 3.*twice"),
        ("0_1.png,0,unknown,1,many", "line 3.*dpi is 'many'"),
        ("0_1.png,0,unknown,1,-5", "line 3.*dpi is -5"),
        ("0_1.png,,unknown,1,500", "line 3.*subject"),
    ],
)
def test_a_wrong_line_of_a_manifest_is_named(row: str, told: str, small_set: Path) -> None:
    lines = ["path,subject,position,impression,dpi", "0_0.png,0,unknown,0,500", row]
    (small_set / "manifest.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=told):
        datasets.read(small_set)


def test_a_declared_resolution_is_used(small_set: Path, tmp_path: Path, prints: list[list[U8]]) -> None:
    halved = Image.fromarray(prints[0][1]).resize(tuple(2 * side for side in prints[0][1].shape[::-1]))
    halved.save(small_set / "fine.png")
    manifest = small_set / "manifest.csv"
    manifest.write_text(manifest.read_text() + "fine.png,0,unknown,5,1000\n")
    scores = tmp_path / "s.csv"
    fingerprint.run([small_set], scores)
    with scores.open(newline="") as file:
        found = [row for row in csv.DictReader(file) if "fine.png" in (row["probe"], row["reference"])]
    mates = [float(row["score"]) for row in found if row["genuine"] == "1" and row["score"] != "-inf"]
    others = [float(row["score"]) for row in found if row["genuine"] == "0"]
    assert min(mates) > max(others)


def test_the_command_calibrates_and_refuses_too_little(small_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "calibration.json"
    told = CliRunner().invoke(app, ["bench", "calibrate", str(small_set), "--out", str(out)])
    assert told.exit_code != 0
    assert "more sets" in told.output
    assert not out.exists()
