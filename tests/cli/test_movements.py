"""Stock that is asked for, sent, lent, counted, spoiled and burned, as people at a shell do it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from tunggal.inventory.v1 import conveyances_pb2, inventory_pb2, movements_pb2, stock_pb2
from tunggal.inventory.v1.inventory_pb2_grpc import InventoryServiceStub
from typer.testing import CliRunner, Result

from cli import stock
from cli.main import app
from cli.movements import ranges, tabulate, word, written
from cli.options import connect
from services.common.errors import InvalidArgument
from tests.inventory.inventory_office import new_id

UUID = "[0-9a-f-]{36}"
FAIR = "32.16:fair"


class Shell:
    """Commands against one inventory."""

    def __init__(self, endpoint: str, tls_dir: Path) -> None:
        self.endpoint = endpoint
        self.tls_dir = tls_dir
        self.columns = 120

    def run(self, line: str, *more: str) -> Result:
        options = ["--inventory", self.endpoint, "--tls-dir", str(self.tls_dir)]
        return CliRunner().invoke(app, [*line.split(), *more, *options], env={"COLUMNS": str(self.columns)})

    def ok(self, line: str, *more: str) -> str:
        done = self.run(line, *more)
        assert done.exit_code == 0, done.output
        return done.output

    def refused(self, line: str, *more: str) -> str:
        done = self.run(line, *more)
        assert done.exit_code == 1, done.output
        return done.output

    def id_after(self, word_before: str, line: str, *more: str) -> str:
        """Runs the command; the id after that word is what the next command needs."""
        output = self.ok(line, *more)
        found = re.search(f"{word_before} ({UUID})", output)
        assert found is not None, output
        return found.group(1)

    def sent(self, line: str, *more: str) -> str:
        """Runs a command that sets stock aside, and lets it leave."""
        shipment = self.id_after("dispatch", line, *more)
        assert f"receive {shipment}" in self.ok(f"shipment dispatch {shipment}")
        return shipment

    def spoil(self, location: str) -> int:
        """What a printer does: the serial of the blank that it spoiled."""
        with connect("inventory", self.endpoint, self.tls_dir) as channel:
            inventory = InventoryServiceStub(channel)
            held = inventory.ReserveBlank(
                inventory_pb2.ReserveBlankRequest(request_id=new_id(), location=location, purpose="card-job")
            ).blank
            inventory.SpoilBlank(
                inventory_pb2.SpoilBlankRequest(
                    request_id=new_id(),
                    reservation_id=held.reservation_id,
                    reason="printed askew",
                    operator="loket-3",
                )
            )
        return int(held.serial)


@pytest.fixture
def shell(endpoint: str, tmp_path: Path, tls_dir: Path) -> Shell:
    """A centre with 1,000 blanks."""
    made = Shell(endpoint, tls_dir)
    scan, notes = tmp_path / "scan.pdf", tmp_path / "notes.csv"
    scan.write_bytes(b"%PDF signed")
    notes.write_text("contract_id,delivery_note,first_serial,last_serial\nKTP-2017-03,SJ-1,1,1000\n")
    order = ("--supplier", "PT Kartu", "--quantity", "1000", "--scan", str(scan), "--operator", "siti")
    step = made.id_after("approve", "contract take-over KTP-2017-03", *order)
    made.ok(f"contract approve {step} --operator budi")
    made.ok("import delivery-notes", str(notes))
    return made


def test_a_regency_asks_and_receives_with_differences(shell: Shell) -> None:
    asked = shell.id_after("grant", "requisition ask 32.16 100 --operator siti --reason", "need")
    grant = f"requisition grant {asked} --from ID --reason ok --operator"
    assert "SECOND_PERSON_NEEDED" in shell.refused(f"{grant} Si-Ti")
    assert asked in shell.ok("requisition list 32.16 --waiting")
    shipment = shell.sent(f"{grant} budi")
    receive = f"shipment receive {shipment} --operator dewi --missing"
    assert "MORE_THAN_WAS_SENT" in shell.refused(f"{receive} 101")
    got = shell.ok(f"{receive} 1-3 --damaged 50 --surplus 101-102 --reason", "box 3 was open")
    assert "3 missing, 1 damaged, 2 too much" in got
    assert "tunggal count begin 32.16" in got
    assert "tunggal spoilage list 32.16 --waiting" in got
    assert "received" in shell.ok("shipment list 32.16 --state received")
    wrong = shell.ok(f"shipment reverse {shipment} --reason", "wrong box")
    assert "dispatched" in wrong
    assert "Differences: none" in shell.ok(f"shipment receive {shipment} --operator dewi")
    back = shell.id_after("approve", f"reversal propose --shipment {shipment} --reason r --operator siti")
    assert back in shell.ok("reversal list --waiting")
    assert "SECOND_PERSON_NEEDED" in shell.refused(f"reversal approve {back} --operator siti")
    assert "approved" in shell.ok(f"reversal approve {back} --operator budi")
    assert "ONE_SUBJECT" in shell.refused("reversal propose --reason r --operator siti")


def test_a_shipment_that_never_left_is_withdrawn_and_a_refusal_says_why(shell: Shell) -> None:
    shipment = shell.id_after("dispatch", "shipment allocate ID 32.16 5 --reason r")
    assert "cancelled" in shell.ok(f"shipment cancel {shipment} --reason", "road closed")
    asked = shell.id_after("grant", "requisition ask 32.16 7 --operator siti --reason need")
    assert "does not get 7 blanks" in shell.ok(f"requisition reject {asked} --operator budi --reason no")


def test_a_neighbour_lends_and_gets_as_many_back(shell: Shell) -> None:
    first = shell.sent("shipment allocate ID 32.15 50 --reason need")
    shell.ok(f"shipment receive {first} --operator dewi")
    propose = "loan propose 32.15 32.16 20 --due 2026-12-31 --operator siti --reason r"
    refused = shell.id_after("approve", propose)
    assert "rejected" in shell.ok(f"loan reject {refused} --operator budi --reason no")
    loan = shell.id_after("approve", propose)
    lent = shell.sent(f"loan approve {loan} --operator budi")
    shell.ok(f"shipment receive {lent} --operator dewi")
    assert "MORE_THAN_OWED" in shell.refused(f"loan return {loan} 21")
    back = shell.sent(f"loan return {loan} 20")
    shell.ok(f"shipment receive {back} --operator dewi")
    assert "settled" in shell.ok("loan list 32.16")


def test_a_shelf_is_counted_blindly_and_recounted(shell: Shell) -> None:
    count = shell.id_after("sheet", "count begin ID --operator kepala")
    assert "Somebody else" in shell.ok(f"count sheet {count} --serials 1-1000 --operator siti")
    blind = shell.ok(f"count show {count}")
    assert "counting" in blind
    assert "1,000" not in blind
    assert "SECOND_PERSON_NEEDED" in shell.refused(f"count sheet {count} --serials 1-999 --operator siti")
    assert "do not agree" in shell.ok(f"count sheet {count} --serials 1-999 --operator budi")
    assert "agree" in shell.ok(f"count sheet {count} --serials 1-999 --operator citra")
    agreed = shell.ok(f"count show {count}")
    assert "Difference: -1. Approval books it." in agreed
    assert f"tunggal count approve {count} --reason …" in agreed
    assert "1 missing, 0 found" in shell.ok(f"count approve {count} --operator dewi --reason searched")
    applied = shell.ok(f"count show {count}")
    assert "Difference: -1. It is booked." in applied
    assert "tunggal count approve" not in applied
    dropped = shell.id_after("sheet", "count begin ID --operator kepala")
    assert "rejected" in shell.ok(f"count reject {dropped} --operator kepala --reason moved")
    assert "applied" in shell.ok("count list ID")


def test_what_an_event_spoils_burns_elsewhere_before_the_site_closes(shell: Shell) -> None:
    days = ("--name", "Fair", "--opens", "2026-01-01", "--closes", "2026-12-31", "--operator", "siti")
    assert "is open" in shell.ok(f"site open {FAIR}", *days)
    stock = shell.sent(f"shipment allocate ID {FAIR} 2 --reason", "31,000 applicants")
    shell.ok(f"shipment receive {stock} --operator dewi")
    first = shell.spoil(FAIR)
    wet = shell.id_after("review", f"spoilage book {FAIR} --serials {first + 1} --operator siti --reason wet")
    assert "2 wait for a reviewer" in shell.ok(f"destruction candidates {FAIR}")
    assert "2 blanks" in shell.ok(f"destruction candidates {FAIR}")
    assert "SITE_NOT_EMPTY" in shell.refused(f"site close {FAIR}")
    waiting = json.loads(shell.ok(f"spoilage list {FAIR} --waiting --json"))
    assert wet in [one["spoilage_id"] for one in waiting]
    both = f"{first}-{first + 1}"
    send = f"conveyance send {FAIR} 32 --serials {both} --reason furnace --operator siti"
    assert "SPOILAGE_NOT_ACCEPTED" in shell.refused(send)
    for one in waiting:
        review = f"spoilage review {one['spoilage_id']} --seen seen --operator"
        assert "SECOND_PERSON_NEEDED" in shell.refused(f"{review} {one['booked_by'].split(':')[1]} --accept")
        assert "accepted" in shell.ok(f"{review} budi --accept")
    conveyance = shell.id_after("receive", send)
    assert "is closed" in shell.ok(f"site close {FAIR}")
    assert conveyance in shell.ok("conveyance list 32 --under-way")
    assert "all arrived" in shell.ok(f"conveyance receive {conveyance} --operator dewi")

    prepare = f"destruction prepare 32 --serials {both} --method burned --operator dewi"
    twice, prepared = shell.id_after("witness", prepare), shell.ok(prepare)
    found = re.search(f"witness ({UUID}) --digest ([0-9a-f]{{64}})", prepared)
    assert found is not None
    destruction, digest = found.groups()
    witness = f"destruction witness {destruction} --operator saksi --digest"
    assert "NOT_WHAT_WAS_PREPARED" in shell.refused(f"{witness} {'0' * 64}")
    assert "Witnessed by saksi" in shell.ok(f"{witness} {digest}")
    assert "Signature" in shell.ok(f"destruction show {destruction}")
    assert "stale: Serials" in " ".join(shell.ok("destruction list 32 --waiting").split())
    assert "cannot be witnessed" in shell.ok(f"destruction show {twice}")
    withdraw = f"destruction withdraw {twice} --operator dewi --reason burned"
    assert "Withdrawn by dewi: burned" in shell.ok(withdraw)
    assert "No destruction" in shell.ok("destruction list 32 --waiting")
    assert "destroyed" in shell.ok(f"blank show {first}")
    assert "closed" in shell.ok("site list")
    assert "sound" in shell.ok("books --check")


def test_a_typo_of_today_is_taken_back_by_whoever_made_it(shell: Shell) -> None:
    shell.ok("spoilage book ID --serials 1-10 --operator siti --reason wet")
    known = json.loads(shell.ok("blank show 5 --json"))
    typo = f"reversal typo {known['custody'][-1]['transfer_id']} --reason"
    assert "taken back" in shell.ok(typo, "box 2, not box 1")
    assert "REVERSED_BEFORE" in shell.refused(typo, "again")
    stood = shell.id_after(
        "approve",
        f"reversal propose --shipment {shell.sent('shipment allocate ID 32.16 5 --reason r')}",
        "--reason",
        "r",
        "--operator",
        "siti",
    )
    assert "rejected" in shell.ok(f"reversal reject {stood} --operator budi")


def test_serials_are_written_as_people_write_them() -> None:
    text = "1-400,411,500-520"
    assert written(ranges(" 1 – 400, 411 ,500-520,")) == text
    assert written(ranges("1,3,5,7,9")) == "1,3,5,7,… (5 ranges)"
    with pytest.raises(InvalidArgument) as wrong:
        ranges("1-4-7")
    assert wrong.value.remedy


def test_states_are_words() -> None:
    assert word(movements_pb2.LoanState, movements_pb2.LOAN_STATE_LENT) == "lent"
    assert word(stock_pb2.AllocationState, stock_pb2.ALLOCATION_STATE_RECEIVED) == "received"
    assert word(conveyances_pb2.ConveyanceState, conveyances_pb2.CONVEYANCE_STATE_SENT) == "sent"


def test_a_code_that_no_region_has_is_told_before_anything_goes_there(shell: Shell) -> None:
    sent = shell.run("shipment allocate ID 32.98 5 --reason need")
    assert sent.exit_code == 0
    assert "No province or regency has the code 32.98" in sent.stderr
    asked = shell.run("requisition ask 32.16 5 --reason need --operator siti")
    assert asked.stderr == ""
    site = "shipment allocate ID 32.16:fair 5 --reason need"
    assert f"No site {FAIR} was opened" in shell.run(site).stderr
    shell.ok(f"site open {FAIR} --opens 2026-06-01 --closes 2026-06-03 --operator siti --name", "Fair")
    assert shell.run(site).stderr == ""


def test_a_day_that_is_over_is_told_where_one_to_come_is_meant(shell: Shell) -> None:
    loan = "loan propose 32.15 32.16 20 --reason r --operator siti --due"
    assert "2019-12-31 is over. Is it mistyped?" in shell.run(f"{loan} 2019-12-31").stderr
    assert shell.run(f"{loan} 9999-12-31").stderr == ""
    assert "write it as 2026-11-30" in shell.refused(f"{loan} 31/12/2019")
    assert (
        "2019-12-31 is over" in shell.run("requisition ask 32.16 5 --reason r --needed-by 2019-12-31").stderr
    )


def test_the_life_of_a_blank_tells_why_however_long_a_site_is_called(shell: Shell) -> None:
    site = "32.16:pasar-raya-bekasi-timur"
    shipment = shell.sent(f"shipment allocate ID {site} 5 --reason", "market week")
    shell.ok(f"shipment receive {shipment} --damaged 5 --operator dewi")
    assert "5 is spoiled (on arrival: damaged)" in shell.ok("blank show 5")
    shell.columns = 80
    shown = shell.ok("blank show 1")
    assert shown.count("market week") == 3
    assert f"{site}/in-transit" in shown
    assert max(map(len, shown.splitlines())) <= shell.columns


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_a_tree_leaves_no_condition_out_however_narrow_the_screen_is(columns: int) -> None:
    site = f"32.16:{'pasar-' * 5}"
    levels = [
        stock_pb2.StockLevel(location="32.16", on_hand=934, allocated=50, missing=7, spoiled=11),
        stock_pb2.StockLevel(location=site, on_hand=50, withdrawn=3, in_transit=1_234),
    ]
    console = Console(width=columns, record=True, file=io.StringIO())
    console.print(stock._tree(levels, "ID", columns))
    shown = console.export_text()
    for whole in ("50 allocated", "7 missing", "11 spoiled", "3 came back", "1,234 under way here"):
        assert whole in shown
    assert max(map(len, shown.splitlines())) <= columns
    if columns >= 80:
        assert site in shown


def test_a_box_that_was_missing_is_found_by_a_count_after_others_have_moved_on(shell: Shell) -> None:
    shipment = shell.sent("shipment allocate ID 32.16 100 --reason need")
    shell.ok(f"shipment receive {shipment} --missing 1-5 --operator citra --reason", "box 1 is not there")
    used = shell.sent("shipment allocate 32.16 32.15 10 --reason need")
    shell.ok(f"shipment receive {used} --operator eka")
    shell.refused(f"shipment reverse {shipment} --reason", "it is there")
    count = shell.id_after("sheet", "count begin 32.16 --operator kepala")
    for person in ("siti", "budi"):
        shell.ok(f"count sheet {count} --serials 1-5,16-100 --operator {person}")
    found = shell.ok(f"count approve {count} --operator inspektur --reason", "box 1 stood in the corridor")
    assert "0 missing, 5 found" in found
    assert "3 is on hand at 32.16" in shell.ok("blank show 3")
    assert "The books are sound" in shell.ok("books --check")


@pytest.mark.parametrize("columns", ["80", "96", "100", "120"])
@pytest.mark.parametrize("site", ["32.16:a", f"32.16:{'pasar-' * 5}"])
def test_stock_shows_every_number_whole_however_long_a_site_is_called(columns: str, site: str) -> None:
    level = stock_pb2.StockLevel(location=site, on_hand=1_234_567, spoiled=8_901_234)
    answer = inventory_pb2.GetStockResponse(levels=[level], total=level)
    console = Console(width=int(columns), record=True, file=io.StringIO())
    console.print(stock._table(answer, console.width))
    shown = console.export_text()
    assert shown.count("1,234,567") == shown.count("8,901,234") == 2
    for whole in (site, "On hand", "Spoiled"):
        assert whole in shown


@pytest.mark.parametrize("columns", ["50", "80", "100", "120", "200"])
@pytest.mark.parametrize("reason", ["wet", "fetched :fire: by [b]lorry, " * 9])
def test_no_number_and_no_state_of_a_list_is_broken(
    columns: str, reason: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shipment = stock_pb2.Allocation(allocation_id=new_id(), from_location=FAIR, reason=reason)
    tabulate(
        [shipment, shipment],
        ("Shipment", "From", "What", "State", "Serials", "Why"),
        lambda one: (one.allocation_id, FAIR, "7,000,000 blanks", "allocated", "2000001-9000000", one.reason),
        as_json=False,
        nothing="No shipment.",
    )
    shown = capsys.readouterr().out
    for whole in (shipment.allocation_id, FAIR, "7,000,000", "allocated", "2000001-9000000"):
        assert shown.count(whole) == 2
    assert max(map(len, shown.splitlines())) <= int(columns)
    if len(reason) > 3:
        assert ":fire:" in shown
        assert "[b]" in shown
