"""Delivery notes in, movements and balances out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tunggal.inventory.v1 import exchange_pb2 as pb
from tunggal.inventory.v1 import inventory_pb2, ledger_pb2, statements_pb2

from services.common.clock import FixedClock
from services.common.errors import InvalidArgument, ResourceExhausted
from services.common.paging import encode_token
from services.inventory import tables
from services.inventory.blanks.bookkeeper import Bookkeeper
from services.inventory.desk import Clerk, Desk
from services.inventory.exchange import delivery_file
from services.inventory.exchange.delivery_notes import MOST_LINES, parse
from services.inventory.ledger import days
from services.inventory.ledger.closing import Closing
from services.inventory.store import Store
from tests.inventory.inventory_office import BEKASI, new_id
from tests.inventory.planning_books import Books
from tests.inventory.signed_elsewhere import approving, entering

HEADER = "contract_id,delivery_note,first_serial,last_serial\n"


@pytest.fixture
def books(database_url: str, clock: FixedClock, tmp_path: Path, as_operator: None) -> Iterator[Books]:
    """An inventory with a contract for 7,000,000 blanks, none of them delivered."""
    made = Books(database_url, clock, tmp_path)
    made.send(approving(made.send(entering("KTP-2017-03", 7_000_000)).change_id))
    yield made
    made.database.dispose()


def load(books: Books, csv: str, *, dry_run: bool = False) -> pb.ImportDeliveryNotesResponse:
    request = pb.ImportDeliveryNotesRequest(request_id=new_id(), csv=csv, dry_run=dry_run)
    answer: pb.ImportDeliveryNotesResponse = books.send(request)
    return answer


def on_hand(books: Books) -> int:
    return int(books.send(inventory_pb2.GetStockRequest()).total.on_hand)


def test_a_file_of_delivery_notes_becomes_lots(books: Books) -> None:
    answer = load(books, HEADER + "KTP-2017-03,SJ-1,1,500000\nKTP-2017-03,SJ-2,500001,7000000\n")
    assert [(lot.delivery_note, lot.serials.last) for lot in answer.lots] == [
        ("SJ-1", 500_000),
        ("SJ-2", 7_000_000),
    ]
    assert (answer.lines, answer.blanks) == (2, 7_000_000)
    assert on_hand(books) == 7_000_000


def test_one_fault_keeps_the_whole_file_out_and_every_fault_is_named(books: Books) -> None:
    answer = load(
        books,
        HEADER
        + "KTP-2017-03,SJ-1,1,1000\n"
        + "KTP-2017-99,SJ-2,2001,3000\n"
        + "KTP-2017-03,SJ-3,5000,4000\n"
        + "KTP-2017-03,,4001,abc\n"
        + "KTP-2017-03,SJ-5,10001,9999999\n",
    )
    assert not answer.lots
    assert on_hand(books) == 0
    assert [(fault.line, fault.column) for fault in answer.faults] == [
        (3, "contract_id"),
        (4, "last_serial"),
        (5, "delivery_note"),
        (5, "last_serial"),
        (6, "first_serial"),
    ]
    assert "KTP-2017-99" in answer.faults[0].problem
    assert "outstanding" in answer.faults[-1].problem
    assert all(fault.remedy for fault in answer.faults)


def test_a_dry_run_finds_the_faults_and_books_nothing(books: Books) -> None:
    assert not load(books, HEADER + "KTP-2017-03,SJ-1,1,1000\n", dry_run=True).faults
    assert on_hand(books) == 0
    answer = load(books, HEADER + "KTP-2017-03,SJ-1,1,1000\nKTP-2017-03,SJ-2,900,2000\n", dry_run=True)
    (fault,) = answer.faults
    assert "are in line 2 already" in fault.problem
    with books.database.read() as connection:
        assert connection.execute(tables.lot.select()).first() is None


def test_blank_7000001_is_a_fault_of_its_line(books: Books) -> None:
    load(books, HEADER + "KTP-2017-03,SJ-1,1,7000000\n")
    answer = load(books, HEADER + "KTP-2017-03,SJ-2,7000001,7000001\n")
    (fault,) = answer.faults
    assert (fault.line, fault.column) == (2, "first_serial")
    assert on_hand(books) == 7_000_000


def test_a_day_that_ended_meanwhile_is_no_fault_of_the_file(books: Books, clock: FixedClock) -> None:
    load(books, HEADER + "KTP-2017-03,SJ-1,1,1000\n")
    today = days.day_of(clock.now())
    midnight = days.end_of(today)
    clock.advance(midnight - timedelta(minutes=30) - clock.now())
    with books.database.transaction() as connection:  # by a replica whose clock is ahead
        Closing(connection).close(today, midnight + timedelta(minutes=6))
    answer = load(books, HEADER + "KTP-2017-03,SJ-2,1001,2000\n")
    assert not answer.faults
    assert [lot.receive_time.ToDatetime(UTC) for lot in answer.lots] == [midnight]
    assert on_hand(books) == 2000


def test_the_same_file_under_the_same_request_is_booked_once(books: Books) -> None:
    request = pb.ImportDeliveryNotesRequest(request_id=new_id(), csv=HEADER + "KTP-2017-03,SJ-1,1,1000\n")
    assert books.send(request) == books.send(request)
    assert on_hand(books) == 1000


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_same_file_under_another_request_is_in_stock_already(books: Books, dry_run: bool) -> None:
    csv = HEADER + "KTP-2017-03,SJ-1,1,1000\nKTP-2017-03,SJ-2,1001,2000\n"
    load(books, csv)
    again = load(books, csv, dry_run=dry_run)
    assert [fault.line for fault in again.faults] == [2, 3]
    assert not again.lots
    assert on_hand(books) == 2000


def test_a_spreadsheets_semicolons_dots_and_byte_order_mark_are_understood() -> None:
    lines, faults, _ = parse(
        "\ufeffdelivery_note;contract_id;last_serial;first_serial;remark\r\n"
        'SJ-1;KTP-2017-03;1.000.000;1;"first; lot"\r\n\r\n'
    )
    assert not faults
    assert [(line.line, line.serials.first, line.serials.last) for line in lines] == [(2, 1, 1_000_000)]


@pytest.mark.parametrize("written", ["1000000", "1.000.000", "1,000,000", "1 000 000", "1\u00a0000\u00a0000"])
def test_a_serial_may_be_grouped_by_thousands(written: str) -> None:
    lines, faults, _ = parse(
        f"contract_id\tdelivery_note\tfirst_serial\tlast_serial\nKTP-2017-03\tSJ-1\t1\t{written}"
    )
    assert not faults
    assert lines[0].serials.last == 1_000_000


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", "contract_id"),
        ("contract_id,delivery_note,first_serial\n", "last_serial"),
        (HEADER, ""),
        (HEADER + 'KTP-2017-03,"SJ-1,1,2\n', ""),
        (HEADER + "KTP-2017-03,SJ-1,0,2\n", "first_serial"),
        (HEADER + "KTP-2017-03,SJ-1,1\n", "last_serial"),
        (HEADER + "KTP-2017-03,SJ-1,500001.0,500100.0\n", "first_serial"),
        (HEADER + 'KTP-2017-03,SJ-1,1,"1,5"\n', "last_serial"),
        (HEADER + 'KTP-2017-03,SJ-1,1,"1.000,000"\n', "last_serial"),
        (HEADER + "KTP-2017-03,SJ-1,1,1E+06\n", "last_serial"),
        (HEADER + "KTP-2017-03,SJ-1,1,1,000\n", ""),
        (HEADER.strip() + ",first_serial\nKTP-2017-03,SJ-1,1,1000,3\n", "first_serial"),
        (HEADER + "ktp,SJ-1,1,2\n", "contract_id"),
    ],
)
def test_what_is_wrong_is_told_by_line_and_column(text: str, column: str) -> None:
    _, faults, _ = parse(text)
    assert faults[0].column == column
    assert faults[0].line >= 1
    assert faults[0].remedy


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("contract_id", "7" * 5000),
        ("delivery_note", "7" * 5000),
        ("delivery_note", "7" * 50 + "E+12"),
        ("first_serial", "7" * 5000),
        ("last_serial", "1" + ".000" * 2000),
        ("last_serial", "7" * 5000 + "E+12"),
    ],
)
def test_the_fault_of_an_endless_cell_repeats_its_beginning(column: str, cell: str) -> None:
    cells = {"contract_id": "KTP-2017-03", "delivery_note": "SJ-1", "first_serial": "1", "last_serial": "2"}
    _, (fault,), _ = parse(HEADER + ",".join({**cells, column: cell}.values()) + "\n")
    assert fault.column == column
    assert len(fault.problem) < 120


@pytest.mark.parametrize(("cell", "told"), [("9" * 40, "9" * 40), ("9" * 41, "9" * 39 + "…")])
def test_a_cell_of_forty_characters_is_repeated_whole(cell: str, told: str) -> None:
    _, (fault,), _ = parse(HEADER + f"KTP-2017-03,SJ-1,1,{cell}\n")
    assert fault.problem == f"'{told}' is no serial number."


def test_a_file_with_too_many_lines_is_refused_at_the_first_of_them() -> None:
    of = [f"KTP-2017-03,SJ-{k},{k},{k}\n" for k in range(1, MOST_LINES + 2)]
    assert parse(HEADER + "".join(of[:-1])).faults == []
    (fault,) = parse(HEADER + "".join(of)).faults
    assert fault.line == MOST_LINES + 2
    assert "several files" in fault.remedy


@given(st.text(max_size=200))
def test_any_text_is_either_read_or_faulted(text: str) -> None:
    lines, faults, _ = parse(HEADER + text)
    assert lines or faults
    assert all(fault.line >= 1 for fault in faults)


def exported(books: Books, request: Any) -> list[Any]:
    field = "movements" if isinstance(request, pb.ExportMovementsRequest) else "balances"
    return [row for part in books.send(request) for row in getattr(part, field)]


def test_movements_are_exported_line_by_line_and_by_region(books: Books) -> None:
    load(books, HEADER + "KTP-2017-03,SJ-1,1,1000\n")
    books.ship(BEKASI, 100)
    books.ship("33.74", 50)
    books.print_card(BEKASI, "04AA000001", purpose="job-1")
    everything = exported(books, pb.ExportMovementsRequest())
    assert [row.kind for row in everything[:2]] == ["contract.signed", "lot.received"]
    assert len(everything) == 2 + 3 + 3 + 2
    entries = [row.entry for row in everything]
    assert entries == sorted(entries)
    bekasi = exported(books, pb.ExportMovementsRequest(location="32"))
    assert [row.kind for row in bekasi] == [
        "allocation.dispatched",
        "allocation.received",
        "blank.reserved",
        "blank.consumed",
    ]
    assert (bekasi[-1].first_serial, bekasi[-1].last_serial, bekasi[-1].item) == (1, 1, "blank")
    assert exported(books, pb.ExportMovementsRequest(item="ribbon")) == []
    assert exported(books, pb.ExportMovementsRequest(last_day="2026-03-01")) == []
    always = pb.ExportMovementsRequest(first_day="0001-01-01", last_day="9999-12-31")
    assert exported(books, always) == everything


def test_what_was_told_late_or_taken_back_says_so_in_the_export(books: Books) -> None:
    load(books, HEADER + "KTP-2017-03,SJ-1,1,1000\n")
    late = ledger_pb2.NewTransfer(
        item="blank", quantity=5, from_location="ID", to_location=BEKASI, reason="sent by hand"
    )
    late.event_time.FromDatetime(books.clock.now() - timedelta(days=2))
    posted = books.send(ledger_pb2.PostTransfersRequest(request_id=new_id(), transfers=[late]))
    transfer_id = posted.transfers[0].transfer_id
    books.send(
        ledger_pb2.ReverseTransferRequest(request_id=new_id(), transfer_id=transfer_id, reason="never left")
    )
    plain, told_late, back = exported(books, pb.ExportMovementsRequest())[-3:]
    assert not plain.HasField("event_time")
    assert told_late.event_time == late.event_time
    assert (told_late.reverses, back.reverses) == ("", transfer_id)


def test_balances_are_exported_by_closed_day(books: Books) -> None:
    load(books, HEADER + "KTP-2017-03,SJ-1,1,1000\n")
    books.ship(BEKASI, 100)
    books.night()
    books.print_card(BEKASI, "04AA000001")
    books.night()
    rows = exported(books, pb.ExportBalancesRequest(location="32.16"))
    assert [(row.day, row.condition, row.added, row.removed, row.balance) for row in rows] == [
        ("2026-03-02", "in-transit", 100, 100, 0),
        ("2026-03-02", "on-hand", 100, 0, 100),
        ("2026-03-03", "consumed", 1, 0, 1),
        ("2026-03-03", "on-hand", 0, 1, 99),
        ("2026-03-03", "reserved", 1, 1, 0),
    ]
    assert exported(books, pb.ExportBalancesRequest(first_day="2026-03-04")) == []
    one_day = {"first_day": "2026-03-02", "last_day": "2026-03-02"}
    assert exported(books, pb.ExportBalancesRequest(location="32.16", **one_day)) == rows[:2]


def test_balances_of_a_day_come_by_location_whatever_follows_its_code(books: Books) -> None:
    load(books, HEADER + "KTP-2017-03,SJ-1,1,1000\n")
    books.ship("32", 5)
    books.ship(BEKASI, 5)
    books.ship("32.17", 5)
    books.night()
    rows = exported(books, pb.ExportBalancesRequest(location="32"))
    assert [row.location for row in rows] == ["32"] * 2 + [BEKASI] * 2 + ["32.17"] * 2


@pytest.mark.parametrize(
    "kind",
    [
        pb.ExportMovementsRequest,
        pb.ExportBalancesRequest,
        pb.ListUsedBlanksRequest,
        statements_pb2.ListStatementsRequest,
    ],
)
def test_days_in_the_wrong_order_are_refused_and_one_day_is_a_span(books: Books, kind: Any) -> None:
    def send(first: str, last: str) -> None:
        answer = books.send(kind(location="ID", first_day=first, last_day=last))
        if isinstance(answer, Iterator):
            list(answer)

    send("2026-03-02", "2026-03-02")
    with pytest.raises(InvalidArgument) as refused:
        send("2026-03-02", "2026-03-01")
    assert (refused.value.reason, refused.value.field) == ("SPAN_REVERSED", "last_day")
    assert refused.value.remedy == "Swap first_day and last_day."


def test_a_file_is_measured_in_bytes() -> None:
    part = pb.ImportDeliveryFileRequest(request_id=new_id(), csv="–" * 349_525)
    with pytest.raises(ResourceExhausted) as error:
        delivery_file.whole([part] * 17)
    assert error.value.reason == "FILE_TOO_LARGE"


def test_used_blanks_are_listed_with_chip_job_and_day(books: Books) -> None:
    load(books, HEADER + "KTP-2017-03,SJ-1,1,1000\n")
    books.ship(BEKASI, 100)
    books.print_card(BEKASI, "04AA000001", purpose="job-1")
    books.spoil(BEKASI)
    books.reserve(BEKASI)
    request = pb.ListUsedBlanksRequest(location="32", first_day="2026-03-02", last_day="2026-03-02")
    answer = books.send(request)
    assert [(each.serial, each.spoiled, each.chip_uid, each.purpose, each.day) for each in answer.blanks] == [
        (1, False, "04AA000001", "job-1", "2026-03-02"),
        (2, True, "", "job", "2026-03-02"),
    ]
    request.page_size = 1
    first = books.send(request)
    request.page_token = first.next_page_token
    assert [each.serial for each in books.send(request).blanks] == [2]


def test_a_card_that_is_voided_between_two_pages_hides_no_blank(books: Books, clock: FixedClock) -> None:
    load(books, HEADER + "KTP-2017-03,SJ-1,1,1000\n")
    books.ship(BEKASI, 100)
    for number in range(3):
        clock.advance(timedelta(minutes=1))
        books.print_card(BEKASI, f"04AA00000{number}", purpose=f"job-{number}")
    request = pb.ListUsedBlanksRequest(location="32", page_size=1)
    first = books.send(request)
    clock.advance(timedelta(minutes=1))
    with books.database.transaction() as connection:
        (held,) = connection.scalars(
            sa.select(tables.reservation.c.reservation_id).where(tables.reservation.c.purpose == "job-0")
        )
        desk = Desk(Store(connection), Clerk("service/cardperso", clock.now(), new_id, clock))
        Bookkeeper(desk).void(held, "04AA000000", "photo is blurred", "siti")
    rest = pb.ListUsedBlanksRequest(location="32", page_token=first.next_page_token)
    assert [(each.serial, each.spoiled) for each in books.send(rest).blanks] == [
        (2, False),
        (3, False),
        (1, True),
    ]
    rest.page_token = encode_token({"after": 1})
    with pytest.raises(InvalidArgument) as error:
        books.send(rest)
    assert error.value.reason == "PAGE_TOKEN_BROKEN"
