"""Contracts from the draft to the vendor's exit, and what follows for the ABIS, from a shell."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from services.common.clock import FixedClock

Run = Callable[..., Result]


def step(run: Run, contract: str, name: str, *more: str) -> Result:
    """Siti proposes, Budi approves."""
    proposed = run("contract", "propose", contract, name, "--reason", "as agreed", *more)
    assert proposed.exit_code == 0, proposed.output
    found = re.search("approve ([0-9a-f-]{36})", proposed.output)
    assert found is not None
    return run("contract", "approve", found.group(1), "--operator", "budi")


def draft(run: Run, contract: str, kind: str, *more: str) -> Result:
    return run("contract", "draft", contract, "--kind", kind, "--supplier", "PT Sidik", *more)


def test_the_abis_may_search_once_licence_and_maintenance_are_in_force(run: Run, clock: FixedClock) -> None:
    today = clock.now().date()
    years = ("--valid-from", today.isoformat(), "--valid-until", today.replace(month=12, day=31).isoformat())
    nothing = run("entitlement")
    assert nothing.exit_code == 2
    assert "no ceiling" not in nothing.output
    draft(run, "ABIS-1", "abis-licence", *years, "--max-people", "1000", "--max-searches", "50")
    draft(run, "ATS-1", "maintenance", *years)
    for contract in ("ABIS-1", "ATS-1"):
        for name in ("sign", "activate"):
            assert step(run, contract, name).exit_code == 0
    shown = run("entitlement")
    assert shown.exit_code == 0, shown.output
    assert f"may search until {today.replace(month=12, day=31)}" in shown.output
    assert "People at most     1,000" in shown.output
    assert "People so far      not reported yet" in shown.output
    assert "Searches a day     50" in shown.output
    assert step(run, "ABIS-1", "amend", "--term", "max_people=2000").exit_code == 0
    assert json.loads(run("entitlement", "--json").output)["max_people"] == 2000
    assert step(run, "ATS-1", "terminate").exit_code == 0
    stopped = run("entitlement", "--json")
    assert stopped.exit_code == 2
    assert json.loads(stopped.output)["allowed"] is False


def test_ribbon_is_ordered_delivered_and_owed(run: Run, tmp_path: Path) -> None:
    order = ("--item", "ribbon", "--quantity", "300", "--due", "2026-12-31:100", "--due", "2027-01-31:200")
    assert draft(run, "RIB-1", "consumables", *order, "--price", "4,500,000.50").exit_code == 0
    assert "IDR 4,500,000.50" in run("contract", "show", "RIB-1").output
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF signed")
    assert hashlib.sha256(b"%PDF signed").hexdigest() in run("contract", "attach", "RIB-1", str(scan)).output
    taken = step(run, "RIB-1", "take-over")
    assert "300 outstanding" in taken.output
    came = run("contract", "supply", "RIB-1", "120", "--delivery-note", "SJ-9", "--location", "32.16")
    assert "120 ribbon taken into stock at 32.16; 120 delivered, 180 outstanding." in came.output
    assert "ribbon" in run("books", "--item", "ribbon").output
    assert "terminated" in step(run, "RIB-1", "terminate").output
    shown = run("contract", "show", "RIB-1").output
    assert "300 ribbon = 120 delivered + 180 owed no more" in shown


def test_no_vendor_leaves_before_everything_is_there(run: Run, clock: FixedClock, tmp_path: Path) -> None:
    until = ("--valid-until", clock.now().date().replace(month=12, day=31).isoformat())
    draft(run, "ABIS-1", "abis-licence", *until)
    step(run, "ABIS-1", "sign")
    step(run, "ABIS-1", "activate")
    assert step(run, "ABIS-1", "close").exit_code == 1
    proof = tmp_path / "keys.txt"
    proof.write_text("sealed envelope 7")
    for kind in ("credentials", "source", "documentation"):
        seen = run("contract", "left", "ABIS-1", kind, "all of it", "--attested", "--evidence", str(proof))
        assert "is there. Still missing:" in seen.output
    assert hashlib.sha256(b"sealed envelope 7").hexdigest() in "".join(
        run("contract", "show", "ABIS-1", columns="200").output.split()
    )
    gone = run("contract", "left", "ABIS-1", "data", "templates", "--missing", "--note", "in a closed format")
    assert "Still missing: data: templates" in gone.output
    found = run("contract", "left", "ABIS-1", "data", "templates", "--attested")
    assert "Nothing is missing." in found.output
    assert step(run, "ABIS-1", "close").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ("contract", "draft", "RIB-1", "--kind", "consumables", "--supplier", "PT", "--due", "soon"),
            "DELIVERY_M",
        ),
        (
            ("contract", "propose", "RIB-1", "amend", "--reason", "more", "--term", "quantity"),
            "TERM_MALFORMED",
        ),
        (
            (
                "contract",
                "propose",
                "RIB-1",
                "amend",
                "--reason",
                "r",
                "--term",
                "price=1",
                "--term",
                "price=2",
            ),
            "TERM_TWICE",
        ),
        (("contract", "draft", "RIB-1", "--kind", "consumables", "--supplier", "PT"), "TERMS_DO_NOT_FIT"),
        (("contract", "attach", "NOT-THERE", __file__), "CONTRACT_UNKNOWN"),
        (
            ("contract", "draft", "RIB-1", "--kind", "consumables", "--supplier", "PT", "--price", "0.001"),
            "PRICE_MALFORMED",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(run: Run, arguments: tuple[str, ...], reason: str) -> None:
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert reason in refused.output
    assert "There is no contract yet." in run("contract", "show").output
