"""Exports as files: types that other programs understand, nothing half written, no formulas."""

from __future__ import annotations

import csv
import io
import re
import resource
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import tabular

COLUMNS: dict[str, type] = {"day": date, "units": int, "reason": str, "time": datetime}
MOMENT = datetime(2026, 3, 2, 1, 30, 0, 250, tzinfo=UTC)
ROWS: list[list[Any]] = [
    [date(2026, 3, 2), 5, 'torn, "wet"\nbox', MOMENT],
    [date(2026, 3, 3), -7, '=HYPERLINK("http://evil")', None],
    [date(2026, 3, 4), 1 << 40, "héla ✓", MOMENT],
]


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def test_parquet_has_days_moments_and_whole_numbers_as_such(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    assert tabular.write(file, COLUMNS, iter(ROWS)) == 3
    table = pq.read_table(file)
    assert table.schema.types == [pa.date32(), pa.int64(), pa.string(), pa.timestamp("us", tz="UTC")]
    assert [list(row.values()) for row in table.to_pylist()] == ROWS


def test_csv_is_quoted_and_no_cell_is_a_formula(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    tabular.write(file, COLUMNS, iter(ROWS))
    assert not file.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = read_csv(file)
    assert [row["reason"] for row in rows] == ['torn, "wet"\nbox', '\'=HYPERLINK("http://evil")', "héla ✓"]
    assert [row["units"] for row in rows] == ["5", "-7", "1099511627776"]
    assert [row["time"] for row in rows] == [
        "2026-03-02T01:30:00.000250+00:00",
        "",
        "2026-03-02T01:30:00.000250+00:00",
    ]


#: What begins a formula, and what may stand before it.
AWKWARD = st.text(alphabet="=+-@＝'\";,\t\r\n ax", max_size=8)


@given(st.lists(AWKWARD, min_size=1, max_size=5))
def test_whoever_reads_the_file_gets_the_texts_that_were_written(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "rows.csv"
        tabular.write(file, {"reason": str, "units": int}, ([text, 1] for text in texts))
        assert [tabular.QUOTED.sub(r"\1", row["reason"]) for row in read_csv(file)] == texts


@given(AWKWARD)
def test_no_spreadsheet_finds_a_formula_whatever_it_splits_cells_at(text: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "rows.csv"
        tabular.write(file, {"reason": str}, [[text]])
        content = file.read_text(encoding="utf-8").partition("\n")[2]
    by_comma = [cell for row in csv.reader(io.StringIO(content)) for cell in row]
    by_others = re.split(r"[;\t\r\n]", content)
    for cell in (*by_comma, *(each.strip(' "') for each in by_others)):
        assert not cell.startswith(("=", "+", "-", "@", "＝")), content


def test_two_exports_to_one_name_at_once_leave_one_of_them_whole(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"

    def slow() -> Iterator[list[Any]]:
        yield ROWS[0]
        tabular.write(file, COLUMNS, ROWS)
        yield ROWS[1]

    assert tabular.write(file, COLUMNS, slow()) == 2
    assert len(read_csv(file)) == 2
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_export_that_is_killed_leaves_no_file_that_looks_whole(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rows{suffix}"
    script = """
import os, sys
from pathlib import Path
from cli import tabular
def rows():
    for number in range(50_000):
        yield [number, "need"]
    os.kill(os.getpid(), 9)
tabular.write(Path(sys.argv[1]), {"units": int, "reason": str}, rows())
"""
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", script, str(file)], cwd=root, check=False)
    assert killed.returncode == -9
    assert not file.exists()
    assert not list(tmp_path.glob("[!.]*"))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_file_that_breaks_off_leaves_the_old_one_alone(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rows{suffix}"
    file.write_text("yesterday's")

    def broken() -> Iterator[list[Any]]:
        yield from ROWS
        raise ConnectionError("the service went away")

    with pytest.raises(ConnectionError):
        tabular.write(file, COLUMNS, broken())
    assert file.read_text() == "yesterday's"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_full_disk_leaves_the_old_file_alone(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rows{suffix}"
    file.write_text("yesterday's")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            tabular.write(file, COLUMNS, ([date(2026, 3, 2), n, f"{n * n}", MOMENT] for n in range(50_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_text() == "yesterday's"
    assert list(tmp_path.iterdir()) == [file]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        tracemalloc.start()
        try:
            tabular.write(
                tmp_path / "rows.csv", COLUMNS, ([date(2026, 3, 2), n, "need", MOMENT] for n in range(rows))
            )
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    assert peak(40_000) < 2 * peak(4_000)
