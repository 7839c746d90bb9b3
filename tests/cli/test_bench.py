from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app


def tunggal(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, ["bench", *arguments])


@pytest.fixture(scope="module")
def prints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three synthetic fingers with two prints each, as the benchmark itself writes them."""
    directory = tmp_path_factory.mktemp("prints")
    figures = directory / "figures" / "synthetic.json"
    result = tunggal(
        "synthetic", "--fingers", "12", "--impressions", "2", "--dir", str(directory), "--json", str(figures)
    )
    assert result.exit_code == 0, result.output
    assert "equal error rate" in result.stdout
    assert json.loads(figures.read_text())["genuine"] == 12
    return directory


def test_a_set_is_measured_and_written_as_the_interface_says(prints: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / "out" / name for name in ("scores.csv", "figures.json", "det.svg")}
    result = tunggal(
        "fingerprint",
        str(prints),
        "--scores",
        str(files["scores.csv"]),
        "--json",
        str(files["figures.json"]),
        "--plot",
        str(files["det.svg"]),
        "--peer",
        "nbis",
    )
    assert result.exit_code == 0, result.output
    figures = json.loads(files["figures.json"].read_text())
    assert set(figures["sets"][0]) == {
        "set",
        "eer",
        "fnmr_at_fmr_1e-2",
        "fnmr_at_fmr_1e-3",
        "fnmr_at_zero_fmr",
        "failures_to_extract",
        "extract_ms",
        "comparisons_per_second",
    }
    assert set(figures["mean"]) == set(figures["sets"][0]) - {"set"}
    assert set(figures["peers"]) == {"nbis"}
    with files["scores.csv"].open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["set", "probe", "reference", "genuine", "score"]
    assert sum(row["genuine"] == "1" for row in rows) == 12
    assert "<svg" in files["det.svg"].read_text()
    assert "nbis" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere"], "manifest.csv"), ([".", "--peer", "nobody"], "nobody")],
)
def test_what_cannot_be_measured_is_one_line(arguments: list[str], words: str) -> None:
    result = tunggal("fingerprint", *arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: DATA_UNUSABLE")
    assert words in line


def test_quality_and_stress_are_measured_and_told(prints: Path, tmp_path: Path) -> None:
    figures, plot = tmp_path / "out" / "q.json", tmp_path / "out" / "q.svg"
    result = tunggal("quality", str(prints), "--json", str(figures), "--plot", str(plot))
    assert result.exit_code == 0, result.output
    assert "NFIQ 2" in result.stdout
    assert json.loads(figures.read_text())["all"]["pairs"] == 12
    assert "<svg" in plot.read_text()
    result = tunggal("stress", str(prints), "--variant", "faint", "--every", "1", "--peer", "nbis")
    assert result.exit_code == 0, result.output
    assert "faint" in result.stdout
    assert "nbis FNMR" in result.stdout


def test_extractors_need_a_second_set_to_train_on(prints: Path) -> None:
    result = tunggal("extractors", str(prints))
    assert result.exit_code != 0
    assert "Two sets are needed" in result.output
