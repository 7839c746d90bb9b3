"""Thresholds keep the rate that was asked for, and drift is told when captures change."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from bench import calibrate
from services.abis import drift
from services.abis.calibration import PACKAGED, Calibration, Histogram, engine
from services.abis.drift import Drift
from services.abis.finger import Finger
from services.abis.fingerprint.template import Template
from services.abis.fusion import Thresholds, bounded
from services.abis.search import codes
from services.abis.thresholds import Policy
from services.common.errors import ConfigurationError


@pytest.fixture(scope="module")
def packaged() -> Calibration:
    return Calibration.load(PACKAGED)


def test_the_packaged_calibration_belongs_to_the_packaged_weights_and_codes(packaged: Calibration) -> None:
    assert packaged.engine == engine()
    assert packaged.codebook == codes.recipe(codes.default())
    assert set(packaged.data) == {"fvc2002-db1b", "fvc2002-db3b", "fvc2004-db2b", "fvc2004-db4b"}


def test_a_calibration_comes_back_from_its_file_as_it_was(packaged: Calibration, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(packaged.to_json())
    assert Calibration.load(file) == packaged


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"stages": 3}'])
def test_a_damaged_calibration_stops_the_start(text: str, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"c\.json"):
        Calibration.load(file)


def test_a_calibration_of_another_version_stops_the_start(packaged: Calibration, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(json.loads(packaged.to_json()) | {"version": 99}))
    with pytest.raises(ConfigurationError, match="version 99"):
        Calibration.load(file)


def test_thresholds_rise_with_the_gallery_and_fall_with_the_rate(packaged: Calibration) -> None:
    for fingers in (1, 2, 4, 10):
        by_size = [packaged.threshold(1e-3, 10**k, fingers).score for k in range(1, 9)]
        assert by_size == sorted(by_size)
        by_rate = [packaged.threshold(10**-k, 1000, fingers).score for k in range(1, 6)]
        assert by_rate == sorted(by_rate)
        found = packaged.threshold(1e-3, 1_000_000, fingers)
        assert found.low <= found.score <= found.high
        assert found.extrapolated
    assert packaged.threshold(1e-3, 10**6, 10).score < packaged.threshold(1e-3, 10**6, 1).score


def test_no_gallery_is_so_small_that_less_than_the_least_is_asked_for(packaged: Calibration) -> None:
    policy = Policy(packaged, Thresholds(adjudicate=2.0, duplicate=5.0), 1e-3, 1e-2)
    assert policy.at(0, 10) == Thresholds(adjudicate=2.0, duplicate=5.0)
    large = policy.at(1_000_000, 1)
    assert 5.0 < large.adjudicate < large.duplicate


def test_the_asked_rate_is_kept_on_scores_that_the_fit_has_not_seen() -> None:
    rng = np.random.default_rng(3)
    seen, others = (rng.exponential(1.5, 20_000) - 6.0 for _ in range(2))
    found = calibrate.tables(seen)
    for count in (1, 2, 4):
        fused = bounded(rng.choice(others, (400_000, count))).sum(axis=1)
        for row, exponent in enumerate(calibrate.EXPONENTS[:7]):
            rate = (fused > found[count - 1, row]).mean()
            assert rate == pytest.approx(10**exponent, rel=0.6)


def test_the_tail_of_a_known_distribution_is_found() -> None:
    rng = np.random.default_rng(4)
    level, shape, scale = calibrate.pareto(rng.exponential(2.0, 100_000))
    assert (level, shape, scale) == pytest.approx((6.0, 0.0, 2.0), abs=0.15)
    shape = calibrate.pareto(rng.pareto(4.0, 100_000))[1]
    assert shape == pytest.approx(0.25, abs=0.08)
    assert calibrate.pareto(rng.uniform(0, 1, 10_000))[1] == 0.0


def test_a_stage_becomes_a_log_likelihood_ratio() -> None:
    rng = np.random.default_rng(5)
    values = np.r_[rng.normal(1, 1, 4000), rng.normal(-1, 1, 4000)]
    made = calibrate.stage(values, np.arange(8000) < 4000, logarithm=False)
    assert [made.llr(x) for x in (-1.0, 0.0, 1.0)] == pytest.approx([-2.0, 0.0, 2.0], abs=0.2)


def test_too_few_comparisons_are_refused(tmp_path: Path, images: list[list[bytes]]) -> None:
    rows = ["path,subject,position,impression,dpi"]
    for subject, prints in enumerate(images):
        for impression, content in enumerate(prints):
            name = f"{subject}_{impression}.png"
            (tmp_path / name).write_bytes(content)
            rows.append(f"{name},{subject},unknown,{impression},500")
    # Too few pairs for a tail of 5 % are refused by name.
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(ValueError, match="more sets"):
        calibrate.run([tmp_path], "2026-11-21")


def test_scores_of_another_distribution_are_drift_and_of_the_same_are_not() -> None:
    rng = np.random.default_rng(6)
    reference = calibrate.histogram(rng.normal(-6, 2, 20_000))
    assert drift.stability(reference, rng.normal(-6, 2, 2_000).tolist()) < 0.05
    assert drift.stability(reference, rng.normal(-4, 2, 2_000).tolist()) > 0.25


def test_the_index_is_its_definition() -> None:
    reference = Histogram((0.0,), (0.5, 0.5))
    p, q = 0.5, (30.5 / 41, 10.5 / 41)
    expected = sum((share - p) * np.log(share / p) for share in q)
    assert drift.stability(reference, [-1.0] * 30 + [1.0] * 10) == pytest.approx(expected)


def test_submissions_are_measured_and_told_to_prometheus(
    packaged: Calibration, templates: list[list[Template]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "LEAST", 4)
    registry = CollectorRegistry()
    watched = Drift(packaged, registry)
    for person in templates:
        watched.submitted([Finger(2, person[0])])
    # The same person twice is no impostor.
    watched.submitted([Finger(2, templates[-1][1])])
    watched.confirmed([12.0])
    count = "tunggal_abis_comparison_llr_count"
    assert registry.get_sample_value(count, {"kind": "impostor"}) == len(templates) - 1
    assert registry.get_sample_value(count, {"kind": "genuine"}) == 1
    assert registry.get_sample_value("tunggal_abis_finger_quality_count") == len(templates) + 1
    for of in ("impostors", "quality", "codes"):
        told = registry.get_sample_value("tunggal_abis_drift_psi", {"of": of})
        assert told == pytest.approx(watched.figures()[of])


def test_there_is_no_figure_of_a_few_values(packaged: Calibration, templates: list[list[Template]]) -> None:
    watched = Drift(packaged, CollectorRegistry())
    watched.submitted([Finger(2, templates[0][0])])
    watched.submitted([])
    assert watched.figures() == {}


def test_provenance_names_method_data_and_day(packaged: Calibration) -> None:
    assert packaged.made_on
    assert all(len(digest) == 64 for digest in packaged.data.values())
    assert packaged.comparisons["impostor"] > 10_000
    assert "Pareto" in packaged.method
    assert dataclasses.replace(packaged, seed=2) != packaged
