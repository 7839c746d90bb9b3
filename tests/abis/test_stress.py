"""The pictures of other sensors are drawn from seeds, and sets of them are measured as any set is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import datasets, quality, stress
from bench.stress_variants import VARIANTS
from services.abis.fingerprint.extract import extract
from services.abis.kernels import U8


@pytest.fixture(scope="module")
def folder(prints: list[list[U8]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two prints of each of four people, as a set."""
    folder = tmp_path_factory.mktemp("set")
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "subject", "position", "impression", "dpi"))
        for person, touches in enumerate(prints[:4]):
            for number, pixels in enumerate(touches):
                Image.fromarray(pixels).save(folder / f"{person}_{number}.png")
                rows.writerow((f"{person}_{number}.png", person, "2", number, 500))
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_picture_of_another_sensor_is_the_same_each_time_and_can_be_extracted(
    folder: Path, variant: str, tmp_path: Path
) -> None:
    sample = datasets.read(folder)[0]
    pixels, dpi = stress.varied(variant, "set", sample)
    again, _ = stress.varied(variant, "set", sample)
    assert pixels.dtype == np.uint8
    assert (pixels == again).all()
    written = stress.write(tmp_path, "set", [sample], variant)[0]
    assert written.dpi == dpi
    assert len(extract(written.path.read_bytes(), written.dpi)) >= 6


def test_what_belongs_to_a_touch_differs_and_what_belongs_to_the_sensor_does_not(folder: Path) -> None:
    one, other = datasets.read(folder)[:2]
    lost = [stress.varied("dead lines", "set", sample)[0] for sample in (one, other)]
    dead = [np.flatnonzero((pixels == 0).mean(axis=0) > 0.95).tolist() for pixels in lost]
    assert dead[0] == dead[1] != []
    places = [stress.varied("turned to 180", "set", sample)[0].shape for sample in (one, other)]
    assert places[0] != places[1]


def test_every_second_print_of_a_finger_is_taken(folder: Path) -> None:
    samples = datasets.read(folder)
    assert [s.impression for s in stress.taken(samples, 2)] == ["0"] * 4
    assert stress.taken(samples, 1) == samples


def test_a_run_measures_each_variant_beside_the_peer(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "stress.json"
    report = stress.run([folder], file, "nbis", ("250 dpi", "faint"), every=1)
    assert json.loads(file.read_text()) == report
    assert [entry["variant"] for entry in report] == ["250 dpi", "faint"]
    for entry in report:
        assert entry["eer"] == 0.0
        assert entry["failures_to_extract"] == 0
        assert set(entry["sets"][0]) == {"set", *stress.RATES}
        assert set(entry["peers"]["nbis"]) == {"sets", *stress.RATES}


def test_unknown_variants_and_peers_are_named(folder: Path) -> None:
    with pytest.raises(ValueError, match="upside down"):
        stress.run([folder], variants=("upside down",))
    with pytest.raises(ValueError, match="nobody"):
        stress.run([folder], peer="nobody")


def test_errors_go_first_where_quality_knows_them() -> None:
    missed = np.arange(100) < 10
    known = quality.discarded(missed, np.arange(100.0))
    assert known[0] == 0.1
    assert known[10:].max() == 0.0
    assert quality.discarded(missed, -np.arange(100.0))[50] == 0.2


def test_quality_is_measured_on_sets_and_drawn(folder: Path, tmp_path: Path) -> None:
    report = quality.run([folder, folder], tmp_path / "q.json", tmp_path / "q.svg")
    assert json.loads((tmp_path / "q.json").read_text()) == report
    assert "<svg" in (tmp_path / "q.svg").read_text()
    assert report["all"]["pairs"] == 2 * report["sets"][0]["pairs"] == 8
    assert report["all"]["missed"] == 0
    assert len(report["all"]["own"]["fnmr"]) == len(report["discarded"])
