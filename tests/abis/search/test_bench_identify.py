"""`tunggal bench identify` measures a search that works, and says so in the agreed words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import identify, population

KEYS = {
    "persons_per_second_per_core",
    "fingers_per_second_per_core",
    "p50_ms",
    "p99_ms",
    "fnir",
    "stage1_loss",
    "bytes_per_person",
    "load_seconds",
    "inserts_per_second",
    "kernel_ceiling_ratio",
    "stages",
}


def test_a_small_gallery_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(population, "POOL", 120)
    file = tmp_path / "figures.json"
    report = identify.run(600, 4, 10, file)
    assert json.loads(file.read_text()) == report
    assert set(report) >= KEYS
    assert report["stage1_loss"] == 0.0
    assert report["fnir"] <= 0.1
    # 16 codes of 8 bytes, an owner of 4, and a flag a person; at most one group of eight is not full.
    assert 4 * 132 * 0.9 < report["bytes_per_person"] < 4 * 132 + 30
    assert 0.2 < report["kernel_ceiling_ratio"] < 1.2
    assert [stage["stage"] for stage in report["stages"]] == ["codes", "all_codes", "verification"]


def test_the_scaling_curve_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(population, "POOL", 40)
    monkeypatch.setattr(identify, "_SIZES", (100, 200))
    monkeypatch.setattr(identify, "_INSERTED", 2)
    monkeypatch.setattr(identify, "_STREAMED", 20)
    plot = tmp_path / "scaling.svg"
    report = identify.run(300, 2, 3, plot=plot)
    assert b"</svg>" in plot.read_bytes()
    assert [point["persons"] for point in report["scaling"]] == [100, 200, 300]
    assert "lssr" in [stage["stage"] for stage in report["stages"]]


@pytest.mark.parametrize(("persons", "fingers", "probes"), [(10, 0, 1), (10, 11, 1), (10, 2, 0), (0, 1, 1)])
def test_impossible_galleries_are_refused(persons: int, fingers: int, probes: int) -> None:
    with pytest.raises(ValueError, match=r"fingers|gallery"):
        identify.run(persons, fingers, probes)


def test_a_population_is_the_same_whenever_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    from services.abis.search import codes

    monkeypatch.setattr(population, "POOL", 40)
    first, second = (population.build(50, 2, 3, codes.default(), None) for _ in range(2))
    assert first.codes.tolist() == second.codes.tolist()
    assert first.owned.tolist() == second.owned.tolist()
    stored = [[f.template.to_bytes() for f in people.mates[2][1]] for people in (first, second)]
    assert stored[0] == stored[1]
