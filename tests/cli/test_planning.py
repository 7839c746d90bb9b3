"""Forecast, plan, target, contract, statements, import and export as an operator uses them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tunggal.inventory.v1 import movements_pb2
from typer.testing import CliRunner, Result

from cli import plots, statement
from cli.main import app
from services.common.clock import FixedClock
from services.common.files import file_lock
from services.inventory import adapter
from services.inventory import app as inventory_app
from services.inventory.planning import service as planning_service
from services.inventory.settings import Settings
from tests.inventory.inventory_office import BEKASI, CONTRACT, new_id
from tests.inventory.planning_books import Books

DAYS = 8


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory, tls_dir: Path) -> Iterator[tuple[str, ...]]:
    """An inventory where Bekasi and Depok have lived through eight days; options that reach it."""
    directory = tmp_path_factory.mktemp("inventory")
    url = f"sqlite:///{directory}/tunggal.db"
    now = datetime.now(UTC)
    # Not around midnight in Jakarta: the days that follow must be those of the ledger.
    start = (now - timedelta(days=DAYS)).replace(hour=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "caller", lambda _: "operator/cli")
        books = Books(url, FixedClock(start), directory)
        books.stock_up(10_000)
        books.ship("32", 5_000)
        for location, blanks in ((BEKASI, 2_000), ("32.76", 300)):
            books.ship(location, blanks, source="32")
        chip = 0
        for _ in range(DAYS):
            for location, cards in ((BEKASI, 4), ("32.76", 2)):
                for _ in range(cards):
                    chip += 1
                    books.print_card(location, f"04AA{chip:06}")
            if chip < 7:
                books.spoil(BEKASI)
                books.send(
                    movements_pb2.RecordRefusalRequest(
                        request_id=new_id(),
                        location=BEKASI,
                        item="blank",
                        people=12,
                        reason="told that there are no blanks",
                        operator="warga",
                    )
                )
            if books.clock.now() + timedelta(days=1) > now:
                break
            books.night()
        books.database.dispose()
    settings = Settings.model_validate(
        {
            "listen": "127.0.0.1:0",
            "health_listen": "",
            "metrics_listen": "",
            "data_dir": directory,
            "database_url": url,
            "tls_dir": tls_dir,
        }
    )
    server = inventory_app.build(settings).build().start()
    yield "--inventory", f"127.0.0.1:{server.port}", "--tls-dir", str(tls_dir)
    server.stop(grace=0)


def tunggal(*arguments: str, columns: int = 160) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [*arguments])


def done(*arguments: str, columns: int = 160) -> str:
    result = tunggal(*arguments, columns=columns)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_stock_as_a_tree_names_the_places_and_sums_them_up(options: tuple[str, ...]) -> None:
    shown = done("stock", "--tree", *options)
    lines = shown.splitlines()
    assert re.match(r"ID Centre +9,\d{3} free", lines[0]), "the centre's own 5,000 and all below"
    assert ",9" in lines[0]
    assert "of it below" in lines[0]
    province = next(line for line in lines if "32 Jawa Barat" in line)
    bekasi, depok = (next(line for line in lines if place in line) for place in (BEKASI, "32.76 Kota Depok"))
    assert re.search(r" 4,9\d\d free", province)
    assert bekasi.index(" free") == depok.index(" free") == lines[0].index(" free"), "one column"
    assert bekasi.count("█") > depok.count("█")
    assert "became cards" in shown
    assert "Contracted 10,000 = delivered 10,000 + outstanding 0" in shown


@pytest.mark.parametrize("columns", [60, 80, 120, 160])
@pytest.mark.parametrize("shape", [(), ("--tree",)])
def test_stock_fits_the_screen_and_cuts_no_number(
    options: tuple[str, ...], columns: int, shape: tuple[str, ...]
) -> None:
    lines = done("stock", *shape, *options, columns=columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert not any(re.search(r"[\d,]…", line) for line in lines)
    assert any("32.76" in line for line in lines)


@pytest.mark.parametrize("command", ["stock", "forecast"])
@pytest.mark.parametrize("code", ["99", "32.99"])
def test_a_code_that_no_place_has_is_not_taken_for_an_empty_place(
    options: tuple[str, ...], command: str, code: str
) -> None:
    unknown = tunggal(command, code, *options)
    assert unknown.exit_code == 1
    assert unknown.stderr.startswith("error: LOCATION_UNKNOWN")
    assert tunggal("books", code, *options).stderr.startswith("error: LOCATION_UNKNOWN")
    assert "nothing there" in done("books", "33.74", *options)
    empty = done(command, "33.74", *options)
    assert "Kota Semarang" in empty or "nothing to forecast" in empty


def test_an_item_that_no_catalogue_has_is_not_taken_for_an_empty_shelf(options: tuple[str, ...]) -> None:
    unknown = tunggal("stock", "--item", "paper", *options)
    assert unknown.exit_code == 1
    assert unknown.stderr.startswith("error: ITEM_UNKNOWN")
    assert "no ribbon in the whole country" in done("stock", "--item", "ribbon", *options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--province", "99"), "no province"),
        (("--province", BEKASI), "--province 32"),
        (("--province", "32", "--country"), "--country"),
    ],
)
def test_a_plan_for_what_is_no_province_is_refused_before_it_is_made(
    options: tuple[str, ...], arguments: tuple[str, ...], words: str
) -> None:
    plans = done("plan", "list", "--json", *options)
    wrong = tunggal("plan", *arguments, *options)
    assert wrong.exit_code == 1
    assert words in wrong.stderr
    assert done("plan", "list", "--json", *options) == plans


@pytest.mark.parametrize("name", ["plot.jpg", "plot", ""])
def test_what_cannot_be_drawn_is_refused_before_anything_is_booked(
    options: tuple[str, ...], tmp_path: Path, name: str
) -> None:
    plans = done("plan", "list", "--json", *options)
    for command in (("forecast", BEKASI), ("plan", "--country"), ("contract", "show", f"{CONTRACT}/1")):
        refused = tunggal(*command, "--plot", str(tmp_path / name), *options)
        assert refused.exit_code == 64
        assert "--plot" in refused.stderr
    assert done("plan", "list", "--json", *options) == plans
    assert list(tmp_path.iterdir()) == []


def test_a_forecast_of_the_country_is_drawn_however_many_places_there_are(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service sends the days of a few places at once; those that run dry first are asked one by one."""
    monkeypatch.setattr(planning_service, "_MOST_PATHS", 1)
    monkeypatch.setattr("cli.forecast._AT_ONCE", 1)
    monkeypatch.setattr(plots, "_MOST_PANELS", 1)
    picture = tmp_path / "country.svg"
    done("forecast", *options, "--plot", str(picture))
    drawn = picture.read_text()
    assert "Those 1 of 2 locations that run dry first" in drawn
    assert ("Kota Depok" in drawn) != ("Kabupaten Bekasi" in drawn)


def test_a_forecast_of_one_regency_tells_when_and_why(options: tuple[str, ...], tmp_path: Path) -> None:
    picture = tmp_path / "bekasi.png"
    shown = done("forecast", BEKASI, *options, "--plot", str(picture))
    for text in ("32.16 Kabupaten Bekasi", "Runs dry", "Reorder point", "on a working day, by own use"):
        assert text in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("columns", [80, 110, 160])
def test_a_forecast_of_a_province_fits_the_screen(options: tuple[str, ...], columns: int) -> None:
    shown = done("forecast", "32", "--horizon", "700", *options, columns=columns)
    assert max(map(len, shown.splitlines())) <= columns
    if columns == 80:
        assert "…" not in shown, "no number and no heading is cut"
    assert "32.76" in shown
    assert ("Kota Depok" in shown) == (columns >= 132)


def test_a_forecast_for_programs_is_json(options: tuple[str, ...]) -> None:
    answer = json.loads(done("forecast", *options, "--json"))
    assert {each["location"] for each in answer["forecasts"]} == {BEKASI, "32.76"}


def test_a_forecast_is_drawn_as_svg_too(options: tuple[str, ...], tmp_path: Path) -> None:
    picture = tmp_path / "deep" / "province.svg"
    done("forecast", "32", *options, "--plot", str(picture))
    assert "Kota Depok" in picture.read_text()


def test_a_plan_is_proposed_approved_by_another_and_carried_out(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    picture = tmp_path / "plan.svg"
    proposed = json.loads(
        done(
            *("plan", "--province", "32", "--lot", "50", "--available", "1000", "--operator", "siti"),
            *options,
            "--json",
            *("--plot", str(picture)),
        )
    )
    plan_id = proposed["plan_id"]
    assert "with the plan" in picture.read_text()
    alone = tunggal("plan", "approve", plan_id, "--operator", "siti", *options)
    assert alone.exit_code == 1
    assert alone.stderr.startswith("error: SECOND_PERSON_NEEDED")
    done("plan", "approve", plan_id, "--operator", "budi", *options)
    carried = done("plan", "carry-out", plan_id, "--operator", "siti", *options)
    assert re.search(r"1 allocation made|\d allocations made", carried)
    assert re.search(r"^tunggal shipment dispatch [0-9a-f-]{36}$", carried, re.MULTILINE)
    assert "carried out" in done("plan", "list", *options)
    why = done("plan", "show", plan_id, *options)
    assert "there and under way" in why
    assert "32.76" in why


def test_a_plan_needs_to_know_for_whom(options: tuple[str, ...]) -> None:
    result = tunggal("plan", *options)
    assert result.exit_code == 1
    assert "error: NO_SCOPE" in result.stderr


def test_a_plan_can_be_refused(options: tuple[str, ...]) -> None:
    proposed = json.loads(done("plan", "--country", "--operator", "siti", *options, "--json"))
    done("plan", "reject", proposed["plan_id"], "--operator", "budi", "--reason", "floods", *options)
    assert "rejected" in done("plan", "list", *options)


def test_bekasis_target_is_infeasible_and_says_what_would_help(options: tuple[str, ...]) -> None:
    shown = done(
        *("target", "--cards", "191442", "--start", "2020-02-04", "--deadline", "2020-03-02"),
        *("--printers", "24", "--rate", "100", "--operators", "46", "--blanks", "191442"),
        *options,
        columns=80,
    )
    for text in ("Infeasible", "399 cards a printer and day", "79.8 working days", "96 printers (72 more)"):
        assert text in shown


def test_a_target_of_years_is_finished_later_than_can_be_reckoned(options: tuple[str, ...]) -> None:
    asked = ("target", "--cards", "7000000", "--start", "2020-02-04", "--deadline", "2020-03-02")
    shown = done(*asked, "--printers", "24", "--rate", "100", *options, columns=80)
    for text in ("Infeasible", "later than 2030-12-31", "3,500 printers (3,476 more)"):
        assert text in shown
    told = json.loads(done(*asked, "--printers", "24", "--rate", "100", *options, "--json"))
    assert (told["feasible"], told["finish"], told["later_than"]) == (False, "", "2030-12-31")


def test_a_contract_is_shown_with_what_came(options: tuple[str, ...], tmp_path: Path) -> None:
    assert f"{CONTRACT}/1" in done("contract", "show", *options)
    picture = tmp_path / "contract.svg"
    shown = done("contract", "show", f"{CONTRACT}/1", *options, "--plot", str(picture))
    assert "10,000 blank = 10,000 delivered + 0 outstanding" in shown
    assert "PT Kartu" in picture.read_text()
    unnamed = tunggal("contract", "show", *options, "--plot", str(picture))
    assert "CONTRACT_MISSING" in unnamed.stderr
    missing = tunggal("contract", "show", "NO-SUCH", *options)
    assert missing.stderr.startswith("error: CONTRACT_UNKNOWN")


def test_a_statement_tells_who_was_sent_away_and_what_was_there(options: tuple[str, ...]) -> None:
    everything = json.loads(done("statement", "show", BEKASI, *options, "--json"))
    assert everything["statement"]["location"] == BEKASI
    first = (datetime.now(UTC) - timedelta(days=DAYS)).date().isoformat()
    shown = done("statement", "show", BEKASI, "--day", first, *options)
    assert "12 people were sent away" in shown
    assert "the books had 1,995 blanks then" in shown
    nothing = tunggal("statement", "show", "33.74", *options)
    assert nothing.stderr.startswith("error: NO_STATEMENT")


def test_who_was_sent_away_is_recorded_and_listed_beside_what_the_books_had(options: tuple[str, ...]) -> None:
    reason = "habis [red]sampai[/] Senin"
    said = done(
        "refusal", "record", BEKASI, "--people", "3", "--reason", reason, "--operator", "siti", *options
    )
    assert "3 sent away at 32.16. The books had" in said
    listed = done("refusal", "list", BEKASI, "--contradicted", *options)
    assert reason in listed
    assert "WIB" in listed
    assert "Nobody was sent away." in done("refusal", "list", "33.74", *options)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    early = tunggal("refusal", "record", BEKASI, "--reason", "none", "--at", tomorrow, *options)
    assert early.stderr.startswith("error: EVENT_IN_FUTURE")
    for mistyped, problem in (("32.98", "LOCATION_UNKNOWN"), (f"{BEKASI}:mal-01", "SITE_UNKNOWN")):
        nowhere = tunggal("refusal", "record", mistyped, "--reason", "none", *options)
        assert nowhere.stderr.startswith(f"error: {problem}")


def test_published_statements_are_verified_without_asking_anybody(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    published = tmp_path / "public"
    done("statement", "publish", "32", "--below", "--dir", str(published), *options)
    pages = sorted((published / BEKASI).glob("*.html"))
    assert len(pages) >= DAYS - 1
    page = pages[0].read_text()
    assert "Kabupaten Bekasi" in page
    assert "saat itu tersedia 1.995 Blangko KTP-el" in page
    assert "32.76" in (published / "index.html").read_text()
    verify = ("statement", "verify", str(published), "--key", str(published / "key.pem"))
    assert "genuine, unbroken and consistent" in done(*verify)
    soon = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    early = tunggal(*verify, "--through", soon)
    assert early.exit_code == 2
    assert f"days up to {soon} are missing" in early.stdout

    newest = max((published / "32.76").glob("*.json"))
    text = newest.read_text()
    newest.unlink()
    short = json.loads(done(*verify, "--json"))
    assert [note for note in short["notes"] if note.startswith("32.76: ends on")]
    newest.write_text("{" + text)
    broken = tunggal(*verify, "--json")
    assert broken.exit_code == 2
    assert [fault for fault in json.loads(broken.stdout)["faults"] if f"{newest}: not a stock" in fault]
    assert tunggal("statement", "verify", str(newest), *verify[3:]).stderr.startswith("error: NO_STATEMENT")
    newest.write_text(text)

    file = sorted((published / BEKASI).glob("*.json"))[2]
    content = json.loads(file.read_text())
    content["statement"]["levels"][0]["closing"] += 1
    file.write_text(json.dumps(content))
    changed = tunggal(*verify, "--json")
    assert changed.exit_code == 2
    faults = json.loads(changed.stdout)["faults"]
    assert any("the signature does not fit" in fault for fault in faults)

    file.unlink()
    assert "one was changed, left out or put in" in tunggal(*verify).stdout
    other = tunggal("statement", "verify", str(published), "--key", str(published / "index.html"))
    assert other.stderr.startswith("error: KEY_MALFORMED")


def test_one_publishes_after_the_other_and_the_last_index_has_all(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    @contextmanager
    def watched(path: Path) -> Iterator[None]:
        with file_lock(path):
            steps.append(sorted(each.name for each in tmp_path.iterdir()))
            yield
            steps.append(sorted(each.name for each in tmp_path.iterdir()))

    monkeypatch.setattr(statement, "file_lock", watched)
    said = done("statement", "publish", BEKASI, "--dir", str(tmp_path), *options, "--json")
    assert steps == [[".lock"], [".lock", BEKASI, "index.html", "key.pem", "keys"]]
    assert json.loads(said)["locations"] == [BEKASI]
    assert json.loads(said)["statements"] == len(list((tmp_path / BEKASI).glob("*.json")))


def test_a_hash_that_somebody_noted_is_found_or_missed(options: tuple[str, ...], tmp_path: Path) -> None:
    done("statement", "publish", BEKASI, "--dir", str(tmp_path), *options)
    verify = ("statement", "verify", str(tmp_path), "--key", str(tmp_path / "key.pem"))
    (chain,) = json.loads(done(*verify, "--json"))["chains"]
    shown = done(*verify, "--noted", chain["head"], "--noted", f"{chain['head'][:16].upper()}…")
    assert f"{chain['head'][:16]}…" in shown
    max((tmp_path / BEKASI).glob("*.json")).unlink()
    gone = tunggal(*verify, "--noted", chain["head"])
    assert gone.exit_code == 2
    assert "no statement here has this hash" in gone.stdout
    assert tunggal(*verify, "--noted", "abc").stderr.startswith("error: HASH_MALFORMED")


def test_movements_and_balances_are_written_as_csv_and_parquet(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    text, columns = tmp_path / "movements.csv", tmp_path / "movements.parquet"
    done("export", "movements", str(text), "--location", BEKASI, *options)
    done("export", "movements", str(columns), "--location", BEKASI, *options)
    with text.open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(columns)
    assert table.num_rows == len(rows) > 40
    assert table.column("quantity").to_pylist() == [int(row["quantity"]) for row in rows]
    assert [
        moment.isoformat(timespec="microseconds") for moment in table.column("book_time").to_pylist()
    ] == [row["book_time"] for row in rows]
    balances = tmp_path / "balances.parquet"
    done("export", "balances", str(balances), *options)
    assert set(pq.read_table(balances).column("condition").to_pylist()) >= {"on-hand", "consumed"}
    wrong = tunggal("export", "balances", str(tmp_path / "balances.xls"), *options)
    assert wrong.stderr.startswith("error: FORMAT_UNKNOWN")
    before = text.read_bytes()
    reversed_days = ("--from", "2026-03-02", "--to", "2026-03-01", *options)
    for what in ("movements", "balances"):
        refused = tunggal("export", what, str(text), *reversed_days)
        assert refused.exit_code == 1
        assert refused.stderr.startswith("error: SPAN_REVERSED")
        assert refused.stderr.endswith("→ Swap --from and --to.\n")
    assert text.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_delivery_notes_are_mended_line_by_line(options: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text(f"contract_id,delivery_note,first_serial,last_serial\n{CONTRACT}/1,SJ-9,5,[/x]\n")
    wrong = tunggal("import", "delivery-notes", str(file), *options)
    assert wrong.exit_code == 1
    assert "nothing was booked" in " ".join(wrong.stdout.split()), "the path may be of any length"
    assert "last_serial" in wrong.stdout
    assert "'[/x]' is no serial number" in wrong.stdout
    told = json.loads(tunggal("import", "delivery-notes", str(file), "--json", *options).stdout)
    assert [(fault["line"], fault["column"]) for fault in told["faults"]] == [(2, "last_serial")]
    assert told["booked_lines"] == 0
    file.write_text(f"contract_id,delivery_note,first_serial,last_serial\n{CONTRACT}/1,SJ-9,20001,20010\n")
    full = tunggal("import", "delivery-notes", str(file), "--dry-run", *options)
    assert full.exit_code == 1
    assert "outstanding" in full.stdout
