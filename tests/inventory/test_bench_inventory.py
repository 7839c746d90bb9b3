"""`tunggal bench inventory`: the books that it makes up are sound, and the figures have their names."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from bench import inventory, inventory_queries
from services.common.db import Database


def test_the_made_up_years_are_books_without_a_fault(database_url: str) -> None:
    database = Database(database_url)
    found = inventory_queries.measure(database, regencies=5, length=12, probes=5)
    assert inventory_queries.sound(database) == []
    assert found.movements == 2 + 5 + 5 * 12
    assert min(found.balance_ms, found.custody_ms, found.country_ms, found.bytes) > 0
    database.dispose()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_report_has_the_names_that_programs_rely_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "databases_on", lambda _url: nullcontext())
    report = inventory.run(
        seconds=0.1,
        regencies=3,
        days=9,
        json_file=tmp_path / "report.json",
        plot=tmp_path / "plot.svg",
    )
    written = json.loads((tmp_path / "report.json").read_text())
    for name in ("postings_per_second", "share_of_sql"):
        assert written[name]["sqlite"].keys() == {"1", "4", "16"}
        assert min(written[name]["sqlite"].values()) > 0
    assert written["balance_ms"]["sqlite"] == report["balance_ms"]["sqlite"] > 0
    assert written["custody_ms"]["sqlite"] > 0
    assert [point["movements"] for point in written["growth"]["sqlite"]] == [8, 14, 32]
    assert (tmp_path / "plot.svg").read_text().startswith("<?xml")
