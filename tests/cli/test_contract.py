"""A contract as an operator reads it: nothing that is approved goes unseen, and nothing breaks the screen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from cli import money
from services.common.errors import InvalidArgument

Run = Callable[..., Result]
LONG = "Konsorsium Pengadaan Blangko [/] PT [red]Pura Barutama dan Perum Peruri"
BLANKS = "KTP-2026/DITJEN-DUKCAPIL/PPK-2.1/SURAT-PESANAN-XI"


def change_of(proposed: Result) -> str:
    assert proposed.exit_code == 0, proposed.output
    found = re.search("approve ([0-9a-f-]{36})", proposed.output)
    assert found is not None
    return found.group(1)


def propose(run: Run, contract: str, step: str, *more: str) -> str:
    return change_of(run("contract", "propose", contract, step, "--reason", "minutes [/] of [b]today", *more))


@pytest.fixture
def blanks(run: Run) -> Run:
    """Seven million blanks of a supplier with a long name, in force."""
    terms = ("--supplier", LONG, "--quantity", "7000000", "--price", "9212000000")
    due = ("--due", "2026-03-01:3000000", "--due", "2026-12-31:4000000")
    made = run("contract", "draft", BLANKS, "--kind", "blanks", *terms, *due)
    assert made.exit_code == 0, made.output
    for step in ("sign", "activate"):
        run("contract", "approve", propose(run, BLANKS, step), "--operator", "budi")
    return run


def test_who_approves_an_amendment_sees_what_it_changes(blanks: Run) -> None:
    changed = ("--term", "quantity=7500000", "--term", "price=9,870,000,000")
    dues = ("--term", "deliveries=2026-11-30:3500000,2027-01-31:4000000")
    change = propose(blanks, BLANKS, "amend", *changed, *dues)
    shown = blanks("contract", "show", BLANKS).output
    for text in ("quantity: 7,500,000", "price: IDR 9,870,000,000.00", "2026-11-30", "3,500,000", change):
        assert text in shown
    plain = " ".join(shown.split())
    assert "quantity: 7,500,000 instead of 7,000,000" in plain
    assert "price: IDR 9,870,000,000.00 instead of IDR 9,212,000,000.00" in plain
    assert "2027-01-31 4,000,000 instead of 2026-03-01 3,000,000 2026-12-31 4,000,000" in plain
    assert "IDR 9,212,000,000.00" in shown
    approved = blanks("contract", "approve", change, "--operator", "budi", "--json")
    assert json.loads(approved.stdout)["outstanding"] == 7_500_000
    history = blanks("contract", "show", BLANKS, "--history").output
    assert "amend-approved" in history
    assert "budi" in history


@pytest.mark.parametrize("columns", ["80", "120", "200"])
def test_names_of_any_length_cut_no_number(blanks: Run, columns: str) -> None:
    until = ("--valid-until", "2026-12-31")
    blanks("contract", "draft", "ATS-1", "--kind", "maintenance", "--supplier", "P", *until)
    for arguments in (("show",), ("show", BLANKS), ("show", BLANKS, "--history")):
        shown = blanks("contract", *arguments, columns=columns)
        assert shown.exit_code == 0, shown.output
        assert max(len(line) for line in shown.output.splitlines() if "approve " not in line) <= int(columns)
        assert "…" not in shown.output
    listed = blanks("contract", "show", columns=columns).output
    assert "0 of 7,000,000" in listed
    assert "active" in listed
    assert "2026-12-31" in listed


def test_what_came_in_many_lots_on_a_day_is_one_line(blanks: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.csv"
    lots = "".join(f"{BLANKS},SJ-1,{first},{first + 999}\n" for first in range(1, 50_001, 1000))
    notes.write_text(f"contract_id,delivery_note,first_serial,last_serial\n{lots}")
    taken = blanks("import", "delivery-notes", str(notes))
    assert "50 lots with 50,000 blanks" in taken.output
    shown = blanks("contract", "show", BLANKS).output
    assert "3,000,000" in shown
    assert re.search(r"2026-03-01 +3,000,000 +\d{4}-\d\d-\d\d +50,000", shown)
    assert " 1,000 " not in shown


def test_a_long_file_is_booked_note_by_note_and_told_to_programs(blanks: Run, tmp_path: Path) -> None:
    notes = tmp_path / "notes.csv"
    lines = "".join(f"{BLANKS},SJ-{n // 1000},{n},{n}\n" for n in range(1, 2002))
    notes.write_text(f"contract_id,delivery_note,first_serial,last_serial\n{lines}")
    told = json.loads(blanks("import", "delivery-notes", str(notes), "--json").stdout)
    assert told == {"faults": [], "lines": 2001, "blanks": 2001, "known_lines": 0, "booked_lines": 2001}
    again = blanks("import", "delivery-notes", str(notes))
    assert "2,001 of them came before" in again.output
    notes.write_text(notes.read_text().replace(",7,7\n", ",7,6\n"))
    wrong = blanks("import", "delivery-notes", str(notes), "--json")
    assert wrong.exit_code == 1
    assert [fault["line"] for fault in json.loads(wrong.stdout)["faults"]] == [8]


def test_text_that_looks_like_markup_is_text(blanks: Run) -> None:
    shown = blanks("contract", "show", BLANKS).output
    assert "[/]" in shown
    assert "minutes [/] of [b]today" in " ".join(shown.split())


def test_a_licence_is_drawn_as_the_days_on_which_it_is_valid(run: Run, tmp_path: Path) -> None:
    dates = ("--valid-from", "2026-01-01", "--valid-until", "2030-12-31")
    run("contract", "draft", "ABIS-1", "--kind", "abis-licence", "--supplier", "PT Sidik", *dates)
    picture = tmp_path / "licence.svg"
    shown = run("contract", "show", "ABIS-1", "--plot", str(picture))
    assert shown.exit_code == 0, shown.output
    assert "any number of people, any number of searches" in shown.output
    assert "valid until 2030-12-31" in picture.read_text()
    change = propose(run, "ABIS-1", "sign")
    assert run("contract", "approve", change, "--operator", "budi").output == "Approved. ABIS-1 is signed.\n"


def test_a_step_that_another_one_overtook_is_shown_so(blanks: Run) -> None:
    first, second = (propose(blanks, BLANKS, "amend", "--term", f"quantity={n}") for n in (8000000, 9000000))
    blanks("contract", "approve", first, "--operator", "budi")
    late = blanks("contract", "approve", second, "--operator", "budi")
    assert late.exit_code == 1
    assert "CHANGE_DECIDED" in late.output
    assert "superseded" in blanks("contract", "show", BLANKS).output


def test_a_rejection_is_json_for_programs(blanks: Run) -> None:
    change = propose(blanks, BLANKS, "close")
    said = ("--operator", "budi", "--reason", "not yet", "--json")
    assert json.loads(blanks("contract", "reject", change, *said).stdout)["decided_by"] == "operator/cli:budi"


@pytest.mark.parametrize(
    ("currency", "smallest", "text"),
    [
        ("IDR", 950_000_050, "IDR 9,500,000.50"),
        ("JPY", 50_000, "JPY 50,000"),
        ("KWD", 1_234_567, "KWD 1,234.567"),
        ("USD", 5, "USD 0.05"),
        ("IDR", 10**15, "IDR 10,000,000,000,000.00"),
    ],
)
def test_a_price_has_the_decimals_of_its_currency(currency: str, smallest: int, text: str) -> None:
    assert money.written(currency, smallest) == text
    assert money.smallest(currency, text.partition(" ")[2]) == smallest


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("IDR", "575.000"),
        ("IDR", "9,50"),
        ("IDR", "1,0000"),
        ("IDR", "9.500.000"),
        ("IDR", "1e9"),
        ("IDR", "-5"),
        ("IDR", "NaN"),
        ("IDR", ""),
        ("IDR", "٩"),
        ("IDR", "9" * 19),
        ("JPY", "5.0"),
        ("JPY", "5."),
    ],
)
def test_a_price_that_two_people_might_read_differently_is_none(currency: str, amount: str) -> None:
    with pytest.raises(InvalidArgument, match="is no price"):
        money.smallest(currency, amount)
